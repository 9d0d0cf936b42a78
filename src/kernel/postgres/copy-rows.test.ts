import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { copiedRows } from './copy-rows.ts';

const integer = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = fc.oneof(fc.constantFrom('', 'a', 'ab', 'ä', 'é'), fc.string({ unit: 'grapheme' }));
const row = fc.tuple(fc.option(integer), text, fc.option(fc.string()));

/** As PostgreSQL sends it. */
function copyOf(rows: readonly (readonly [number | null, string, string | null])[]): Buffer {
  const field = (bytes: Buffer | undefined): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes?.length ?? -1);
    return Buffer.concat([length, bytes ?? Buffer.alloc(0)]);
  };
  const int8 = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(value));
    return bytes;
  };
  return Buffer.concat([
    Buffer.from('PGCOPY\n\u00ff\r\n\0', 'latin1'),
    Buffer.from([0, 0, 0, 0, 0, 0, 0, 2, 7, 7]),
    ...rows.flatMap(([number, text, other]) => [
      Buffer.from([0, 3]),
      field(number === null ? undefined : int8(number)),
      field(Buffer.from(text)),
      field(other === null ? undefined : Buffer.from(other)),
    ]),
    Buffer.from([255, 255]),
  ]);
}

test('rows come whole and in order, wherever the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row), fc.array(fc.nat()), text, async (rows, cuts, likely) => {
      const all = copyOf(rows);
      const places = [...new Set([0, ...cuts.map((cut) => cut % all.length), all.length])].sort((a, b) => a - b);
      const chunks = async function* () {
        for (const [index, place] of places.slice(1).entries()) yield all.subarray(places[index], place);
      };
      const read: unknown[] = [];
      for await (const some of copiedRows(chunks())) {
        while (some.next()) read.push([some.integer(), some.text(likely), some.bytes().toString()]);
      }
      assert.deepEqual(
        read,
        rows.map(([number, own, other]) => [number ?? Number.NaN, own, other ?? '']),
      );
    }),
  );
});

test('a reader that leaves out rows and fields gets the next ones whole', async () => {
  const all = copyOf([1, 2, 3, 4].map((number) => [number, 'left out', 'x'.repeat(number)]));
  const middle = all.length - 40;
  const chunks = async function* () {
    yield all.subarray(0, middle);
    yield all.subarray(middle);
  };
  const read: number[] = [];
  for await (const some of copiedRows(chunks())) if (some.next()) read.push(some.integer());
  assert.deepEqual(read, [1, 3]);
});

test('a large row is not copied anew with each chunk', async (t) => {
  const large = 'x'.repeat(4_000_000);
  const all = copyOf([
    [1, large, 'a'],
    [2, 'small', 'b'],
  ]);
  const chunks = async function* () {
    for (let at = 0; at < all.length; at += 16_384) yield all.subarray(at, at + 16_384);
  };
  const concat = t.mock.method(Buffer, 'concat');
  const read: [number, number][] = [];
  for await (const some of copiedRows(chunks())) {
    while (some.next()) read.push([some.integer(), some.text().length]);
  }
  assert.deepEqual(read, [
    [1, large.length],
    [2, 5],
  ]);
  const copied = concat.mock.calls.reduce((sum, { result }) => sum + (result?.length ?? 0), 0);
  assert.ok(copied < 4 * all.length, `${copied} bytes were copied for ${all.length}`);
});
