/** Signature, flags, and the length of an extension. */
const HEADER_BYTES = 19;

/**
 * The rows of a `COPY … TO STDOUT (FORMAT binary)`, as many at a time as have come whole. They are valid until the next
 * ones are asked for.
 */
export async function* copiedRows(chunks: AsyncIterable<Buffer>): AsyncIterable<CopiedRows> {
  let parts: Buffer[] = [];
  let size = 0;
  /** Bytes in which no row was whole: a large one is put together when they have doubled, so that each byte is copied twice. */
  let tried = 0;
  let isHeaderRead = false;
  for await (const chunk of chunks) {
    parts.push(chunk);
    size += chunk.length;
    if (size < 2 * tried) continue;
    const rows = takeRows();
    if (rows === undefined) continue;
    yield rows;
    keep(rows.rest());
  }
  const last = parts.length > 1 ? takeRows() : undefined;
  if (last !== undefined) yield last;

  function takeRows(): CopiedRows | undefined {
    const [only = Buffer.alloc(0)] = parts;
    const bytes = parts.length > 1 ? Buffer.concat(parts) : only;
    if (isHeaderRead) return new CopiedRows(bytes, 0);
    const isWhole = bytes.length >= HEADER_BYTES && bytes.length >= HEADER_BYTES + bytes.readInt32BE(HEADER_BYTES - 4);
    if (!isWhole) {
      keep(bytes);
      return undefined;
    }
    isHeaderRead = true;
    return new CopiedRows(bytes, HEADER_BYTES + bytes.readInt32BE(HEADER_BYTES - 4));
  }

  function keep(bytes: Buffer): void {
    parts = bytes.length === 0 ? [] : [bytes];
    size = bytes.length;
    tried = isHeaderRead ? bytes.length : 0;
  }
}

/**
 * Rows one after the other, and the fields of each in their order. Nothing is made of a field that is not asked for: a start
 * reads hundreds of thousands of rows.
 */
export class CopiedRows {
  readonly #bytes: Buffer;
  /** Of the next field of this row. */
  #at: number;
  #nextRow: number;

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#nextRow = start;
  }

  /** Goes to the next row; false where none has come whole. */
  next(): boolean {
    const end = endOfRow(this.#bytes, this.#nextRow);
    if (end === undefined) return false;
    this.#at = this.#nextRow + COUNT_BYTES;
    this.#nextRow = end;
    return true;
  }

  /** The next field, an int8 below 2^53; NaN where it is null. */
  integer(): number {
    const bytes = this.#bytes;
    const start = this.#take();
    return start === this.#at ? Number.NaN : bytes.readInt32BE(start) * 2 ** 32 + bytes.readUInt32BE(start + 4);
  }

  /**
   * The next field, empty where it is null.
   *
   * @param likely a text that many rows have in this field: it is not made again
   */
  text(likely = ''): string {
    const start = this.#take();
    return isAscii(this.#bytes, start, this.#at, likely) ? likely : this.#bytes.toString('utf8', start, this.#at);
  }

  /** The bytes of the next field, none where it is null. */
  bytes(): Buffer {
    const start = this.#take();
    return this.#bytes.subarray(start, this.#at);
  }

  /** The bytes behind the last whole row. */
  rest(): Buffer {
    while (this.next());
    return this.#bytes.subarray(this.#nextRow);
  }

  /** Goes behind the next field, and says where it begins: where it ends if it is null. */
  #take(): number {
    const start = this.#at + LENGTH_BYTES;
    this.#at = start + Math.max(0, this.#bytes.readInt32BE(this.#at));
    return start;
  }
}

const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;

/** Undefined where the row is not whole, or there is none any more. */
function endOfRow(bytes: Buffer, start: number): number | undefined {
  if (start + COUNT_BYTES > bytes.length) return undefined;
  let at = start + COUNT_BYTES;
  const count = bytes.readInt16BE(start);
  if (count < 0) return undefined;
  for (let left = count; left > 0; left -= 1) {
    if (at + LENGTH_BYTES > bytes.length) return undefined;
    at += LENGTH_BYTES + Math.max(0, bytes.readInt32BE(at));
  }
  return at > bytes.length ? undefined : at;
}

/** Whether the bytes are this text; false where it has other characters than ASCII. */
function isAscii(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (bytes[start + index] !== unit || unit > 0x7f) return false;
  }
  return true;
}
