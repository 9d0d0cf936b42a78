import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sortInSteps } from './sort-in-steps.ts';

const byNumber = (a: readonly [number, number], b: readonly [number, number]): number => a[0] - b[0];

test('a copy is sorted as sort does, equal items in their order, in more steps for more items', () => {
  fc.assert(
    fc.property(fc.nat(5_000), fc.integer({ min: 1, max: 1_000 }), (count, distinct) => {
      const items = Array.from({ length: count }, (_, index) => [(index * 7_919) % distinct, index] as const);
      const before = [...items];
      const work = sortInSteps(items, byNumber);
      let steps = 0;
      let step = work.next();
      for (; step.done !== true; steps += 1) step = work.next();
      assert.deepEqual(step.value, items.toSorted(byNumber));
      assert.deepEqual(items, before);
      assert.ok(steps >= Math.floor(count / 1_024));
    }),
    { numRuns: 30 },
  );
});
