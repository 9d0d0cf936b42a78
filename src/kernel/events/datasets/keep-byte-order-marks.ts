/**
 * Imported before DuckDB's binding, which decodes each text with a `TextDecoder` of its own: by default that takes U+FEFF at
 * the beginning for a mark of the encoding, and drops it. In a text of somebody it is a character.
 */
const Decoder = globalThis.TextDecoder;

globalThis.TextDecoder = class extends Decoder {
  constructor(label?: string, options?: ConstructorParameters<typeof Decoder>[1]) {
    super(label, { ignoreBOM: true, ...options });
  }
};
