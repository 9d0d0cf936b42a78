/** Signature, flags, and the length of an extension. */
const HEADER_BYTES = 19;

/**
 * The rows of a `COPY … TO STDOUT (FORMAT binary)`, as many at a time as have come whole. A field is its bytes, valid until
 * the next rows are asked for; undefined is null.
 */
export async function* copiedRows(chunks: AsyncIterable<Buffer>): AsyncIterable<readonly (readonly Field[])[]> {
  let rest: Buffer = Buffer.alloc(0);
  let isHeaderRead = false;
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    if (!isHeaderRead) {
      if (bytes.length < HEADER_BYTES || bytes.length < HEADER_BYTES + bytes.readInt32BE(HEADER_BYTES - 4)) {
        rest = bytes;
        continue;
      }
      at = HEADER_BYTES + bytes.readInt32BE(HEADER_BYTES - 4);
      isHeaderRead = true;
    }
    const rows: (readonly Field[])[] = [];
    for (;;) {
      const end = endOfRow(bytes, at);
      if (end === undefined) break;
      rows.push(fieldsIn(bytes, at));
      at = end;
    }
    rest = bytes.subarray(at);
    yield rows;
  }
}

type Field = Buffer | undefined;

/** An int8 field, which is to be below 2^53. */
export function integerIn(field: Field): number {
  return field === undefined ? Number.NaN : field.readInt32BE(0) * 2 ** 32 + field.readUInt32BE(4);
}

export function textIn(field: Field): string {
  return field === undefined ? '' : field.toString();
}

/** Undefined where the row is not whole, or there is none any more. */
function endOfRow(bytes: Buffer, start: number): number | undefined {
  if (start + 2 > bytes.length) return undefined;
  let at = start + 2;
  const count = bytes.readInt16BE(start);
  if (count < 0) return undefined;
  for (let left = count; left > 0; left -= 1) {
    if (at + 4 > bytes.length) return undefined;
    at += 4 + Math.max(0, bytes.readInt32BE(at));
  }
  return at > bytes.length ? undefined : at;
}

function fieldsIn(bytes: Buffer, start: number): Field[] {
  let at = start + 2;
  return Array.from({ length: bytes.readInt16BE(start) }, () => {
    const length = bytes.readInt32BE(at);
    const from = at + 4;
    at = from + Math.max(0, length);
    return length < 0 ? undefined : bytes.subarray(from, at);
  });
}
