import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';
import { addCells, CELLS, clusteringOf, NO_CELLS, type CellCounts, type TrackClustering } from './cells.ts';
import { effectiveCells, ratioDispersion, splitDispersion, trackDispersion, unitsIn } from './dispersion.ts';
import { poisson } from './testing/draws.ts';

const NONE: TrackClustering = {
  cells: 0,
  units: 0,
  bad: 0,
  squares: 0,
  fourths: 0,
  squaresExpected: 0,
  unitSquares: 0,
  excess: 0,
  excessMax: 0,
  badOfMax: 0,
  badMax: 0,
};
const of = (track: Partial<TrackClustering>): TrackClustering => ({ ...NONE, cells: 100, ...track });

/** Units fall into cells by chance, and each is bad by chance, so many times over. */
function playTraffic(
  { windows, units, rate, repeats = 1 }: { windows: number; units: number; rate: number; repeats?: number },
  chance: () => number,
): TrackClustering {
  let cells = NO_CELLS;
  for (let window = 0; window < windows; window += 1) {
    const counts = new Map<number, { units: number; bad: number }>();
    for (let unit = 0; unit < units; unit += 1) {
      const cell = Math.floor(chance() * CELLS);
      const before = counts.get(cell) ?? { units: 0, bad: 0 };
      const bad = repeats * poisson(rate, chance);
      counts.set(cell, { units: before.units + 1, bad: before.bad + bad });
    }
    const candidate = [...counts].map(([cell, one]): CellCounts => ({ cell, ...one }));
    cells = addCells(cells, { candidate, stable: [] });
  }
  return clusteringOf(cells).candidate;
}

test('independent events have a dispersion of 1 in the mean, however few units a window has; repeated ones as many times', () => {
  const cases = [
    { windows: 20, units: 1_000, rate: 0.02 },
    { windows: 100, units: 200, rate: 0.3 },
    { windows: 1_000, units: 3, rate: 0.5 },
    { windows: 100, units: 200, rate: 0.05, repeats: 3 },
    { windows: 600, units: 4, rate: 0.4, repeats: 5 },
  ];
  for (const [index, one] of cases.entries()) {
    const chance = seedRandom(index);
    const runs = Array.from({ length: 40 }, () => trackDispersion(playTraffic(one, chance)) ?? Number.NaN);
    const mean = runs.reduce((sum, value) => sum + value, 0) / runs.length;
    const error = Math.sqrt(runs.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / runs.length;
    const wanted = one.repeats ?? 1;
    assert.ok(error < 0.03 * wanted, `${error}`);
    assert.ok(Math.abs(mean - wanted) < 3 * error, `${JSON.stringify(one)}: ${mean} ± ${error}`);
  }
});

test('of fewer than 30 cells, and without anything bad, nothing is known', () => {
  assert.equal(trackDispersion(of({ cells: 29, squares: 30, squaresExpected: 10 })), undefined);
  assert.equal(trackDispersion(of({ cells: 30, squares: 30, squaresExpected: 10 })), 3);
  assert.equal(trackDispersion(of({ squares: 30, squaresExpected: 0 })), undefined);
  assert.equal(trackDispersion(of({ squares: 30, squaresExpected: -1 })), undefined);
});

test('the dispersion of the ratio is that of the tracks, weighed by what each adds to its variance', () => {
  const cases: readonly (readonly [Partial<TrackClustering>, Partial<TrackClustering>, number])[] = [
    // (3/10.5 + 2/100.5) / (1/10.5 + 1/100.5)
    [{ bad: 10, squares: 30, squaresExpected: 10 }, { bad: 100, squares: 200, squaresExpected: 100 }, 2.905_405],
    [{ bad: 100, squares: 300, squaresExpected: 100 }, { bad: 10, squares: 20, squaresExpected: 10 }, 2.094_595],
    [{ bad: 10, squares: 5, squaresExpected: 10 }, { bad: 100, squares: 90, squaresExpected: 100 }, 1],
    // One that has too little to tell is like the other.
    [{ cells: 20, bad: 10, squares: 90, squaresExpected: 10 }, { bad: 9, squares: 20, squaresExpected: 10 }, 2],
    [{ bad: 10, squares: 40, squaresExpected: 10 }, { bad: 0 }, 4],
    [{ bad: 0 }, { bad: 0 }, 1],
    // A track without events has the weight of half an event: (1/0.5 + 3/9.5) / (1/0.5 + 1/9.5).
    [{ bad: 0, squares: 1, squaresExpected: 1 }, { bad: 9, squares: 27, squaresExpected: 9 }, 1.1],
  ];
  for (const [candidate, stable, wanted] of cases) {
    const found = ratioDispersion({ candidate: of(candidate), stable: of(stable) });
    assert.ok(Math.abs(found - wanted) < 1e-6, `${found}, not ${wanted}`);
  }
});

test('the split varies as if each unit fell by itself when each cell has what chance gives it', () => {
  const chance = seedRandom(7);
  const one = { windows: 1, units: 20_000, rate: 0 };
  assert.ok(splitDispersion({ candidate: playTraffic(one, chance), stable: playTraffic(one, chance) }) < 1.15);
  assert.equal(splitDispersion({ candidate: NONE, stable: NONE }), 1);
  // One cell has all of 10 units of each: (2 · (100 − 100/512)) · 512/511 / 20.
  const alone = of({ units: 10, unitSquares: 100 - 100 / CELLS });
  assert.ok(Math.abs(splitDispersion({ candidate: alone, stable: alone }) - 10) < 1e-9);
  assert.ok(Math.abs(splitDispersion({ candidate: alone, stable: of({ units: 10 }) }) - 5) < 1e-9);
});

test('how many units there are is known within 4 % at 300, from the cells that have any', () => {
  const chance = seedRandom(11);
  for (const [units, least] of [
    [20, 0.9],
    [300, 0.66],
    [1_000, 0.5],
  ] as const) {
    const found = Array.from({ length: 200 }, () => unitsIn(playTraffic({ windows: 1, units, rate: 0 }, chance)));
    const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
    assert.ok(Math.abs(mean / units - 1) < 0.01, `${mean} of ${units}`);
    // At 300 that is more than one standard deviation of the estimate.
    const near = found.filter((value) => Math.abs(value / units - 1) <= 0.04).length / found.length;
    assert.ok(near >= least, `${near} of ${units}`);
  }
  assert.equal(unitsIn(of({ cells: 0 })), 0);
  assert.equal(unitsIn(of({ cells: CELLS })), Infinity);
  assert.ok(Math.abs(unitsIn(of({ cells: CELLS - 1 })) - CELLS * Math.log(CELLS)) < 1e-9);
});

test('cells that have the same part count whole; what one has nearly all of comes from one', () => {
  const squares = (values: readonly number[]) => ({
    squares: values.reduce((sum, value) => sum + value ** 2, 0),
    fourths: values.reduce((sum, value) => sum + value ** 4, 0),
  });
  assert.equal(effectiveCells(of(squares([2, -2, 2, -2]))), 4);
  assert.ok(Math.abs(effectiveCells(of(squares([100, 1, 1, 1]))) - 1) < 0.001);
  assert.equal(effectiveCells(NONE), Infinity);
});
