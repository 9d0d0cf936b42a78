/**
 * Imported before DuckDB's binding, which decodes each text with its own `TextDecoder`. By default that drops a leading
 * U+FEFF as a byte order mark; in a value it is a character.
 */
const Decoder = globalThis.TextDecoder;

globalThis.TextDecoder = class extends Decoder {
  constructor(label?: string, options?: ConstructorParameters<typeof Decoder>[1]) {
    super(label, { ignoreBOM: true, ...options });
  }
};
