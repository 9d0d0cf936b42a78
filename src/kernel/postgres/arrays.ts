/**
 * Arrays in PostgreSQL's binary format. The text format would quote and escape every element (and JSON is full of
 * quotes), which costs more on both sides than the insert itself.
 */

const TEXT_OID = 25;
const INT8_OID = 20;
const BYTEA_OID = 17;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const INT8_BYTES = 8;

/** A `text[]`. */
export function textArray(values: readonly string[]): Buffer {
  let size = HEADER_BYTES;
  const lengths = values.map((value) => Buffer.byteLength(value));
  for (const length of lengths) size += LENGTH_BYTES + length;
  const buffer = header(size, TEXT_OID, values.length);
  let offset = HEADER_BYTES;
  for (const [index, value] of values.entries()) {
    const length = lengths[index] ?? 0;
    offset = buffer.writeInt32BE(length, offset);
    offset += buffer.write(value, offset, length, 'utf8');
  }
  return buffer;
}

/** A `bigint[]`. */
export function bigintArray(values: readonly number[]): Buffer {
  const buffer = header(HEADER_BYTES + values.length * (LENGTH_BYTES + INT8_BYTES), INT8_OID, values.length);
  let offset = HEADER_BYTES;
  for (const value of values) {
    offset = buffer.writeInt32BE(INT8_BYTES, offset);
    // Whole numbers up to 2^53, in two halves: a BigInt for each of them would be thrown away at once.
    offset = buffer.writeInt32BE(Math.floor(value / 2 ** 32), offset);
    offset = buffer.writeUInt32BE(value >>> 0, offset);
  }
  return buffer;
}

/** A `bytea[]`. */
export function byteaArray(values: readonly Buffer[]): Buffer {
  const head = header(HEADER_BYTES, BYTEA_OID, values.length);
  const parts = values.flatMap((value) => {
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeInt32BE(value.length);
    return [length, value];
  });
  return Buffer.concat([head, ...parts]);
}

/** Dimensions, has-null flag, element type, length, lower bound. */
function header(size: number, elementType: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(size);
  let offset = buffer.writeInt32BE(1, 0);
  offset = buffer.writeInt32BE(0, offset);
  offset = buffer.writeInt32BE(elementType, offset);
  offset = buffer.writeInt32BE(length, offset);
  buffer.writeInt32BE(1, offset);
  return buffer;
}
