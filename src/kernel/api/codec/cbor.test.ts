import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'cborg';
import fc from 'fast-check';
import { Refusal } from '#kernel/base/failures.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';

const LIMITS = { valuesMax: 32_768, membersMax: 32_768, itemsMax: 32_768 };
const read = (bytes: Uint8Array): unknown => atOnce(decodeCbor(bytes, LIMITS)).value;
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('whatever JSON says, it is the same after CBOR', () => {
  const json = fc.jsonValue({ maxDepth: 5 }).filter(isExact);
  fc.assert(
    fc.property(json, (value) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      assert.deepEqual(read(encodeCbor(plain)), plain);
    }),
  );
});

/** Whether all numbers are kept exactly, and no key is refused. */
function isExact(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return true;
  return !Object.hasOwn(value, '__proto__') && Object.values(value).every(isExact);
}

test('texts and keys may be byte strings, bytes become base64, times are texts: as Kubernetes writes them', () => {
  // {"kind": "Secret", "data": {"a": 22(h'0102')}, "at": 0("2026-01-01T00:00:00Z")}, all texts but the time as bytes.
  const time = '2026-01-01T00:00:00Z';
  const head = 'd9d9f7 a3 44 6b696e64 46 536563726574 44 64617461 a1 41 61 d6 42 0102 42 6174 c0 74';
  assert.deepEqual(read(hex(head + Buffer.from(time).toString('hex'))), {
    kind: 'Secret',
    data: { a: 'AQI=' },
    at: time,
  });
});

test('what no JSON can say is refused, and nothing that is sent ends the process', () => {
  const refused: readonly [string, Uint8Array, RegExp][] = [
    ['half a map', hex('a2 61 61'), /not valid CBOR/],
    ['two documents', hex('01 02'), /not valid CBOR/],
    ['a number as a key', hex('a1 01 02'), /a key is no text/],
    ['bytes that are no text', hex('a1 61 61 41 ff'), /not valid CBOR/],
    ['undefined', hex('a1 61 61 f7'), /not valid CBOR/],
    ['no number', hex('a1 61 61 f9 7e00'), /not valid CBOR/],
    ['an unknown tag', hex('a1 61 61 d8 64 01'), /not valid CBOR/],
    ['an integer that JavaScript rounds', hex('a1 61 61 1b ffffffffffffffff'), /cannot be kept exactly/],
    ['a hundred thousand levels', Buffer.alloc(100_000, 0x81), /nested too deep|not valid CBOR/],
    ['a key that is not safe', encode({ ['__proto__x'.slice(0, 9)]: 1 }), /__proto__/],
    ['more values than allowed', encodeCbor(Array.from({ length: 40_000 }, () => 0)), /values|items/],
    ['too many bytes', Buffer.alloc(300_000), /more than 262144 bytes/],
  ];
  for (const [name, bytes, message] of refused) {
    assert.throws(
      () => read(bytes),
      (error: unknown) => error instanceof Refusal && message.test(error.message),
      name,
    );
  }
});

test('a key that stands twice is reported, whether as text or as bytes', () => {
  const { duplicates } = atOnce(decodeCbor(hex('a2 61 61 01 41 61 02'), LIMITS));
  assert.deepEqual(duplicates, [['a']]);
});
