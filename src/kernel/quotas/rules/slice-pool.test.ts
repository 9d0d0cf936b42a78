import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { leftIn, sliceSize, spendFrom, takeOver, type Slice } from './slice-pool.ts';

function slice(amount: number, usableUntilMs = 100): Slice {
  return { key: `${amount}`, amount, usableUntilMs, spent: 0, isRecalled: false };
}

test('slices are spent to the last unit, never beyond, and never after their time or a recall', () => {
  const pool = { slices: [slice(5), slice(3, 50), slice(4)] };
  assert.deepEqual([spendFrom(pool, 13, 0), spendFrom(pool, 6, 0), leftIn(pool, 0)], [false, true, 6]);
  assert.equal(leftIn(pool, 50), 4);
  const [, , last] = pool.slices;
  if (last !== undefined) last.isRecalled = true;
  assert.deepEqual([spendFrom(pool, 3, 50), spendFrom(pool, 2, 49)], [false, true]);
  assert.deepEqual(
    takeOver(pool, 49).map(({ key, spent }) => `${key}:${spent}`),
    ['5:5', '3:3', '4:0'],
  );
  assert.deepEqual(pool.slices, []);
});

test('for any request, the spent units equal the granted ones', () => {
  const asked = fc.array(fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 })), asked, (amounts, asked) => {
      const pool = { slices: amounts.map((amount) => slice(amount)) };
      let granted = 0;
      for (const amount of asked) {
        const left = leftIn(pool, 0);
        const done = spendFrom(pool, amount, 0);
        assert.equal(done, amount <= left);
        if (done) granted += amount;
      }
      assert.equal(
        pool.slices.reduce((sum, { spent }) => sum + spent, 0),
        granted,
      );
      assert.ok(pool.slices.every(({ spent, amount }) => spent <= amount));
    }),
  );
});

test('slices shrink as the budget runs out, down to the needed amount', () => {
  const limits = { share: 8, unitsMax: 500 };
  assert.deepEqual(
    [100_000, 800, 8, 0].map((remaining) => sliceSize(2, remaining, limits)),
    [500, 100, 2, 2],
  );
});
