import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { chooseMerge, chooseMerges, keyOf, MERGE } from './choose-merge.ts';
import type { DatasetFile } from './manifest.ts';

const now = Temporal.Instant.from('2026-05-10T12:00:00Z');
const file = (bytes: number, more: Partial<DatasetFile> = {}): DatasetFile => ({
  path: `${bytes}`,
  type: 'play',
  day: '2026-05-10',
  fromTx: 0n,
  untilTx: 1n,
  rows: 1,
  bytes,
  late: false,
  unread: 0,
  expiresOn: '2026-06-10',
  createdAt: now.subtract({ hours: 2 }),
  ...more,
});

test('eight files of a size are merged, fewer are not', () => {
  const small = Array.from({ length: 8 }, () => file(1_000));
  assert.equal(chooseMerge(small.slice(1), now, now).length, 0);
  assert.equal(chooseMerge(small, now, now).length, 8);
  assert.equal(chooseMerge([...small.slice(1), file(10_000_000)], now, now).length, 0);
});

test('a closed day becomes one file, once nothing has come for an hour', () => {
  const closed = { day: '2026-05-07' };
  assert.equal(chooseMerge([file(1_000, closed), file(9_000_000, closed)], now, now).length, 2);
  assert.equal(chooseMerge([file(1_000, { ...closed, createdAt: now }), file(9_000_000, closed)], now, now).length, 0);
  assert.equal(chooseMerge([file(1_000, closed), file(MERGE.bytesMax, closed)], now, now).length, 0);
  assert.deepEqual(chooseMerge([], now, now), []);
});

test('through a day of roll-ups files stay few and each row is written again a few times at most', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 500, max: 400_000 }), { minLength: 500, maxLength: 3_000 }), (sizes) => {
      let files: DatasetFile[] = [];
      let written = 0;
      for (const bytes of sizes) {
        files.push(file(bytes));
        for (let chosen = chooseMerge(files, now, now); chosen.length > 0; chosen = chooseMerge(files, now, now)) {
          const gone = new Set(chosen);
          const sum = chosen.reduce((total, one) => total + one.bytes, 0);
          written += sum;
          files = [...files.filter((one) => !gone.has(one)), file(sum)];
        }
      }
      const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
      const largest = Math.max(...files.map(({ bytes }) => bytes));
      const full = files.filter(({ bytes }) => bytes >= MERGE.bytesMax).length;
      // Seven in each tier from the smallest to the largest there is.
      assert.ok(files.length - full <= 7 * (2 + Math.log(largest / MERGE.smallBytes) / Math.log(8)));
      assert.ok(written <= 6 * total);
    }),
    { numRuns: 10 },
  );
});

test('no type has many files for long, for any number of types', () => {
  const types = Array.from({ length: 1_000 }, (_, index) => `type-${index}`);
  const when = { completeUntil: now, now };
  let files: readonly DatasetFile[] = [];
  for (let round = 1; round <= 40; round += 1) {
    files = files.concat(types.map((type) => file(1_000, { type, path: `${type} ${round}` })));
    const merges = chooseMerges(files, when, (key) => key.startsWith('type-0 '));
    const gone = new Set(merges.flat());
    const merged = merges.flatMap(([first, ...others]) =>
      first === undefined ? [] : [{ ...first, bytes: 1_000 * (others.length + 1) }],
    );
    files = files.filter((one) => !gone.has(one)).concat(merged);
    const others = files.filter(({ type }) => type !== 'type-0');
    const fullest = Math.max(...[...Map.groupBy(others, keyOf).values()].map((ofDay) => ofDay.length));
    assert.ok(fullest <= 2 * MERGE.filesMin, `${fullest} files after ${round} rounds`);
  }
  assert.equal(files.filter(({ type }) => type === 'type-0').length, 40, 'what failed is passed over');
});

test('a round of merges reads a limited number of bytes, unless one merge alone reads more', () => {
  const large = (type: string) => Array.from({ length: 8 }, () => file(60 * 1024 * 1024, { type }));
  const rounds = chooseMerges([...large('a'), ...large('b'), ...large('c')], { completeUntil: now, now }, () => false);
  assert.equal(rounds.length, 1);
});
