import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { leftIn, reserveFrom, sliceSize, takeOver, type Slice } from './slice-pool.ts';

function slice(amount: number, usableUntilMs = 100): Slice {
  return { key: `${amount}`, amount, usableUntilMs, settledUntilMs: 200, reserved: 0, isRecalled: false };
}

test('units come from one slice, to its last one, never beyond, and never after its time or a recall', () => {
  const pool = { slices: [slice(5), slice(3, 50), slice(4)] };
  assert.deepEqual([reserveFrom(pool, 6, 0), reserveFrom(pool, 5, 0)?.key, leftIn(pool, 0)], [undefined, '5', 7]);
  assert.deepEqual([reserveFrom(pool, 4, 0)?.key, leftIn(pool, 49), leftIn(pool, 50)], ['4', 3, 0]);
  const [, short] = pool.slices;
  if (short !== undefined) short.isRecalled = true;
  assert.equal(reserveFrom(pool, 1, 0), undefined);
  assert.deepEqual(
    takeOver(pool, 49).map(({ key, reserved }) => `${key}:${reserved}`),
    ['5:5', '3:0', '4:4'],
  );
  assert.deepEqual(pool.slices, []);
});

test('for any requests, no slice has more reserved than it holds, and a request that fits in one is granted', () => {
  const requests = fc.array(fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 })), requests, (amounts, asked) => {
      const pool = { slices: amounts.map((amount) => slice(amount)) };
      let granted = 0;
      for (const amount of asked) {
        const fits = pool.slices.some((one) => one.amount - one.reserved >= amount);
        assert.equal(reserveFrom(pool, amount, 0) !== undefined, fits);
        if (fits) granted += amount;
      }
      assert.equal(
        pool.slices.reduce((sum, { reserved }) => sum + reserved, 0),
        granted,
      );
      assert.ok(pool.slices.every(({ reserved, amount }) => reserved <= amount));
    }),
  );
});

test('slices are as large as recent use, and shrink as the budget runs out, down to the needed amount', () => {
  const limits = { share: 8, firstCharges: 4 };
  const size = (recent: number, remaining: number) => sliceSize(2, { recent, remaining }, limits);
  assert.deepEqual(
    [size(0, 100_000), size(500, 100_000), size(500, 800), size(500, 8), size(0, 0)],
    [8, 500, 100, 2, 2],
  );
});
