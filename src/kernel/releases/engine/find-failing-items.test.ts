import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findFailingItems } from './find-failing-items.ts';

test('items that fail by themselves are found among the others, and few of them cost few attempts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(500), { maxLength: 200 }), fc.func(fc.boolean()), async (items, isBad) => {
      const bad = items.filter((item) => isBad(item));
      let attempts = 0;
      const found = await findFailingItems(items, (some) => {
        attempts += 1;
        if (some.some((item) => bad.includes(item))) throw new Error(`of ${some.length}`);
      });
      assert.deepEqual([...found.keys()], bad);
      const levels = Math.ceil(Math.log2(items.length + 1)) + 1;
      assert.ok(attempts <= 1 + 2 * bad.length * levels, `${attempts} attempts for ${bad.length} of ${items.length}`);
    }),
    { numRuns: 200 },
  );
});

test('items that only fail together are no culprits, and an error about none of them ends the search', async () => {
  const together = await findFailingItems([1, 2], (some) => {
    if (some.length > 1) throw new Error('both');
  });
  assert.equal(together.size, 0);
  await assert.rejects(
    findFailingItems(
      [1, 2],
      () => {
        throw new Error('away');
      },
      () => true,
    ),
    /away/,
  );
});
