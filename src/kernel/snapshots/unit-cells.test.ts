import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import { CELLS } from '#kernel/statistics/cells.ts';
import { SHARE_TOTAL, type Cohort } from './cohort.ts';
import type { CohortSubject } from './cohort-membership.ts';
import { cellsOfUnits } from './unit-cells.ts';

const SECRET = Buffer.alloc(32, 7);
const UNITS = 200_000;
const DECILES = 10;

function release(name: string, unit: Cohort['unit'] = 'listener') {
  return { name, cohort: { unit, salt: name, slices: [{ share: 1 }] } };
}

/** χ² of counts that should all be the same; beyond five standard deviations is wrong once in a million tries. */
function assertEven(counts: readonly number[], what: string): void {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const square = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  assert.ok(Math.abs(square - freedom) < 5 * Math.sqrt(2 * freedom), `${what}: χ² ${square} of ${freedom}`);
}

const unit = (units: CohortSubject['units']): CohortSubject => ({ units, facts: {}, context: {} });

test('cells are even, also among the units of any tenth of the buckets of assignment', () => {
  const cellOf = cellsOfUnits(SECRET);
  const bucketOf = compileSlot({ algorithm: 'backline', salt: 'cap-1' }, SHARE_TOTAL);
  const all = Array.from({ length: CELLS }, () => 0);
  const byDecile = Array.from({ length: DECILES }, () => [...all]);
  for (let number = 0; number < UNITS; number += 1) {
    const listener = `listener-${number}`;
    const cell = cellOf(release('cap-1'), unit({ listener })) ?? assert.fail();
    assert.ok(Number.isInteger(cell) && cell >= 0 && cell < CELLS);
    const decile = byDecile[Math.floor((bucketOf(listener) * DECILES) / SHARE_TOTAL)] ?? assert.fail();
    for (const counts of [all, decile]) counts[cell] = (counts[cell] ?? 0) + 1;
  }
  assertEven(all, 'all units');
  for (const [index, counts] of byDecile.entries()) assertEven(counts, `decile ${index}`);
});

test('a cell is that of the unit of the release', () => {
  const cellOf = cellsOfUnits(SECRET);
  const households = release('cap-1', 'household');
  for (let number = 0; number < 100; number += 1) {
    const household = `h${number}`;
    const cell = cellOf(households, unit({ listener: 'a', household }));
    assert.equal(cellOf(households, unit({ listener: 'b', household })), cell);
    assert.equal(cellOf(release('cap-1'), unit({ listener: household, household: 'other' })), cell);
  }
  assert.equal(cellOf(release('cap-1'), unit({ household: 'h' })), undefined);
});

test('all who share the secret say the same; another secret or another release says something else', () => {
  const nodes = [cellsOfUnits(SECRET), cellsOfUnits(SECRET), cellsOfUnits(Buffer.alloc(32, 8))];
  const units = Array.from({ length: 5_000 }, (_, number) => unit({ listener: `l${number}` }));
  const [one, same, otherSecret] = nodes.map((cellOf) => units.map((one) => cellOf(release('a'), one)));
  const otherRelease = units.map((one) => nodes[0]?.(release('b'), one));
  assert.deepEqual(same, one);
  for (const others of [otherSecret, otherRelease]) {
    const shared = units.filter((_, index) => others?.[index] === one?.[index]).length;
    // A 512th by chance: 9.8, and seldom more than 25.
    assert.ok(shared < 30, `${shared} of 5,000 in the same cell`);
  }
});
