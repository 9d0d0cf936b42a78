import { decode, encode, type TagDecoder } from 'cborg';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { DocumentLimits } from '#kernel/kinds/schema/weight.ts';
import type { Steps } from '#kernel/base/turns.ts';
import { readJson, type DecodedText } from './text/json.ts';
import { malformedCbor } from './text/malformed-body.ts';

const LIMITS = {
  /** It is read in one go: some 5 ms. */
  bytesMax: 256 * 1024,
} as const;

export const CBOR_TYPE = 'application/cbor';

/** The bytes that documents of Kubernetes begin with: tag 55799, "this is CBOR". */
const SELF_DESCRIBED = Uint8Array.of(0xd9, 0xd9, 0xf7);

/** Bytes that are base64 or hexadecimal digits in JSON. */
class ConvertedBytes {
  readonly text: string;

  constructor(bytes: unknown, encoding: BufferEncoding) {
    if (!(bytes instanceof Uint8Array)) throw new Error('a tag for byte strings stands before another value');
    this.text = Buffer.from(bytes).toString(encoding);
  }
}

const converted =
  (encoding: BufferEncoding): TagDecoder =>
  (next) =>
    new ConvertedBytes(next(), encoding);

/** Tags of RFC 8949 that documents of Kubernetes have: a time as text, and bytes as texts. */
const TAGS: Readonly<Record<number, TagDecoder>> = {
  0: (next) => next(),
  21: converted('base64url'),
  22: converted('base64'),
  23: converted('hex'),
  55_799: (next) => next(),
};

/**
 * Reads CBOR as Kubernetes writes it: texts and keys may be byte strings of UTF-8. What it says goes through the reader of JSON,
 * whose limits it has. Throws a Refusal.
 */
export function decodeCbor(bytes: Uint8Array, limits: DocumentLimits): Steps<DecodedText> {
  if (bytes.length > LIMITS.bytesMax) {
    throw resourceRefusal('cbor-too-large', `The CBOR body has more than ${LIMITS.bytesMax} bytes.`);
  }
  return readJson(jsonOf(bytes), limits);
}

function jsonOf(bytes: Uint8Array): string {
  try {
    const options = { useMaps: true, allowUndefined: false, allowNaN: false, allowInfinity: false, tags: TAGS };
    return jsonText(decode(bytes, options));
  } catch (error) {
    // Thousands of levels exceed the stack of the decoder.
    const why = error instanceof RangeError ? 'it is nested too deep' : error instanceof Error ? error.message : '';
    throw malformedCbor(why);
  }
}

function jsonText(value: unknown): string {
  if (value instanceof Map) {
    const members = Array.from(value, ([key, member]) => `${JSON.stringify(textOf(key))}:${jsonText(member)}`);
    return `{${members.join(',')}}`;
  }
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (value instanceof ConvertedBytes) return JSON.stringify(value.text);
  if (value instanceof Uint8Array) return JSON.stringify(textOf(value));
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return UTF8.decode(value);
  throw new Error('a key is no text');
}

/** A JSON value as CBOR that says so at its beginning. */
export function encodeCbor(value: unknown): Buffer {
  return Buffer.concat([SELF_DESCRIBED, encode(value)]);
}
