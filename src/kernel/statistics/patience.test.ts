import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrackClustering } from './cells.ts';
import { NO_MOMENTS } from './moments.ts';
import { isOfMany } from './dispersion.ts';
import { dominanceText, doubt, withoutOther } from './patience.ts';
import { NO_SOURCES } from './sources.ts';

const NOWHERE = { moments: NO_MOMENTS, sources: NO_SOURCES };
const MINUTE_MS = 60_000;
const knowHarm = (windows: number, minutes: number, stretches = windows) => ({
  windows,
  ms: minutes * MINUTE_MS,
  stretches,
});

test('doubt is ten at first and one after 20 windows and 20 minutes, or six stretches that are declared independent', () => {
  const cases: readonly (readonly [number, number, number, number | undefined, number])[] = [
    [0, 0, 0, undefined, 10],
    [1, 1, 1, undefined, 9.975],
    [3, 3, 3, undefined, 9.775],
    [10, 10, 10, undefined, 7.5],
    [19, 19, 19, undefined, 1],
    [18, 18, 18, undefined, 1.9],
    [20, 20, 20, undefined, 1],
    [200, 200, 200, undefined, 1],
    // Short windows take their minutes, long ones their number.
    [20, 10, 10, undefined, 7.5],
    [100, 10, 10, undefined, 7.5],
    [10, 100, 10, undefined, 7.5],
    // Declared stretches of half an hour, of thirty windows each.
    [30, 30, 1, 30, 250],
    [90, 90, 3, 30, 150],
    [180, 180, 6, 30, 1],
    [300, 300, 10, 30, 1],
    // Of windows as long as that, or longer.
    [3, 90, 3, 30, 5],
    [3, 180, 3, 30, 5],
    [0, 0, 0, 30, 10],
  ];
  for (const [windows, minutes, stretches, independent, wanted] of cases) {
    const found = doubt(knowHarm(windows, minutes, stretches), {
      hasUnits: true,
      independentMs: independent && independent * MINUTE_MS,
    });
    assert.ok(Math.abs(found - wanted) < 1e-9, `${windows} in ${minutes} min: ${found}, not ${wanted}`);
  }
});

test('without units doubt lasts for 30 windows and 30 minutes', () => {
  const cases = [
    [0, 0, 10],
    [15, 15, 7.5],
    [20, 20, 10 * (1 - (20 / 30) ** 2)],
    [60, 15, 7.5],
    [29, 29, 1],
    [28, 28, 10 * (1 - (28 / 30) ** 2)],
    [30, 30, 1],
    [30, 60, 1],
  ] as const;
  for (const [windows, minutes, wanted] of cases) {
    const found = doubt(knowHarm(windows, minutes), { hasUnits: false });
    assert.ok(Math.abs(found - wanted) < 1e-9, `${windows} in ${minutes} min: ${found}, not ${wanted}`);
  }
});

const TRACK: TrackClustering = {
  cells: 400,
  units: 4_000,
  bad: 200,
  squares: 200,
  fourths: 400,
  squaresExpected: 200,
  unitSquares: 400,
  excess: 100,
  excessMax: 5,
  badOfMax: 6,
  badMax: 6,
};

test('nobody decides alone: no moment, no few units, no cell with more than a tenth of what is more', () => {
  const alone = (windows: number, more: Partial<TrackClustering>, of: Partial<TrackClustering> = {}) =>
    dominanceText(windows, NOWHERE, { candidate: { ...TRACK, ...of }, suspect: { ...TRACK, ...more } });
  assert.equal(dominanceText(3, NOWHERE, undefined), undefined);
  assert.equal(dominanceText(1, NOWHERE, undefined), 'only in one window');
  assert.equal(dominanceText(2, NOWHERE, undefined), 'only in 2 windows');
  assert.equal(alone(2, {}), 'only in 2 windows');
  assert.equal(alone(3, {}), undefined);
  assert.equal(alone(3, {}, { cells: 30 }), undefined);
  assert.equal(alone(3, {}, { cells: 29 }), 'it is that of some 30 units alone');
  assert.equal(alone(3, { cells: 3 }), undefined, 'the candidate is to be many');
  assert.equal(alone(3, { excessMax: 10 }), undefined);
  const words = 'of what is more comes from one unit, or a few: one unit dominates';
  assert.equal(alone(3, { excessMax: 10.1 }), `10 % ${words}`);
  assert.equal(alone(3, { excessMax: 250 }), `100 % ${words}`);
  assert.equal(alone(3, { excess: -5, excessMax: 10 }), `100 % ${words}`);
  assert.equal(alone(3, { excess: 0, excessMax: 0 }), undefined);
  // Chance brings two events together in one cell where there are few.
  assert.equal(alone(3, { excess: 9, excessMax: 2, badOfMax: 2 }), undefined);
  assert.equal(alone(3, { excess: 9, excessMax: 2, badOfMax: 2.1 }), `22 % ${words}`);
});

test('beside a limit what is too much is all there is', () => {
  const only = withoutOther({ ...TRACK, badMax: 40 });
  assert.deepEqual([only.excess, only.excessMax, only.badOfMax], [200, 40, 40]);
  assert.equal(only.cells, 400);
  assert.ok(isOfMany(only) && isOfMany({ ...TRACK, cells: 30 }) && !isOfMany({ ...TRACK, cells: 29 }));
});
