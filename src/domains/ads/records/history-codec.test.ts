import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exposureNumber } from '../history/histories.ts';
import type { AdHistory } from '../rules/ad-history.ts';
import { decodeHistory, encodeHistory } from './history-codec.ts';

const NOW_MS = Date.UTC(2026, 10, 30);
const DAY_MS = 86_400_000;
const PLAIN = { noNullPrototype: true };
const number = fc.integer({ min: 0, max: 2 ** 48 - 1 });

const histories: fc.Arbitrary<AdHistory> = fc.record(
  {
    groups: fc.array(
      fc.record(
        {
          owners: fc.array(number, { minLength: 1, maxLength: 3 }),
          keepMs: fc.integer({ min: 60_000, max: 30 * DAY_MS }),
          exposures: fc.array(
            fc.record(
              {
                id: number,
                hasPlayed: fc.boolean(),
                ms: fc.integer({ min: NOW_MS - 30 * DAY_MS, max: NOW_MS + 2 * DAY_MS }),
              },
              PLAIN,
            ),
            { minLength: 1, maxLength: 20 },
          ),
        },
        PLAIN,
      ),
      { maxLength: 10 },
    ),
  },
  PLAIN,
);

test('a history is read as it was written', () => {
  fc.assert(
    fc.property(histories, (history) => {
      assert.deepEqual(decodeHistory(encodeHistory(history)), history);
    }),
  );
});

test('an exposure takes 11 bytes', () => {
  const group = (count: number) => ({
    owners: [1],
    keepMs: DAY_MS,
    exposures: Array.from({ length: count }, (_, id) => ({ id, hasPlayed: true, ms: NOW_MS - id })),
  });
  const bytesOf = (count: number) => encodeHistory({ groups: [group(count)] }).length;
  assert.equal(bytesOf(101) - bytesOf(1), 1_100);
  assert.equal(encodeHistory({ groups: [] }).length, 0);
});

test('a history in another format is refused, not misread', () => {
  assert.throws(() => decodeHistory(Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, 0])), /format 9; this program reads 1/);
});

test('the number of an exposure is permanent: impressions name ads that an earlier version served', () => {
  assert.equal(exposureNumber('00112233445566778899aabbccddeeff', 3), 147_556_000_653_286);
});
