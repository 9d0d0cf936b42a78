import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addCells, CELLS, clusteringOf, NO_CELLS, type CellCounts, type Cells, type WindowCells } from './cells.ts';

const SOME = 6;
const anyTrack = fc
  .array(
    fc.record({ cell: fc.nat({ max: SOME - 1 }), units: fc.integer({ min: 1, max: 9 }), bad: fc.nat({ max: 9 }) }),
    {
      maxLength: SOME,
    },
  )
  .map((counts) => counts.filter(({ cell }, index) => counts.findIndex((one) => one.cell === cell) === index));
const anyWindows = fc.array(fc.record({ candidate: anyTrack, stable: anyTrack }), { maxLength: 6 });

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const unitsOf = (counts: readonly CellCounts[]) => sum(counts.map(({ units }) => units));
const badOf = (counts: readonly CellCounts[]) => sum(counts.map(({ bad }) => bad));
const foldCells = (windows: readonly WindowCells[]): Cells => windows.reduce(addCells, NO_CELLS);

/** Windows since all cells of the track together had least beyond the other one. */
function sinceLeast(windows: readonly WindowCells[], track: 'candidate' | 'stable'): readonly WindowCells[] {
  const other = track === 'candidate' ? 'stable' : 'candidate';
  let [excess, from] = [0, 0];
  for (const [index, window] of windows.entries()) {
    const units = unitsOf(window[other]);
    if (unitsOf(window[track]) > 0 && units > 0) {
      excess += badOf(window[track]) - (badOf(window[other]) / units) * unitsOf(window[track]);
    }
    // Where both have the same rate, rounding decides: that is no case.
    fc.pre(Math.abs(excess) > 1e-9 || (excess === 0 && badOf(window.candidate) + badOf(window.stable) === 0));
    if (excess <= 0) [excess, from] = [0, index + 1];
  }
  return windows.slice(from);
}

/** Clustering, computed from all windows anew, cell by cell. */
function naive(windows: readonly WindowCells[], track: 'candidate' | 'stable') {
  const other = track === 'candidate' ? 'stable' : 'candidate';
  const counted = windows.filter((window) => unitsOf(window[track]) > 0);
  const worse = sinceLeast(windows, track);
  const cells = Array.from({ length: CELLS }, (_, cell) => {
    const rows = counted.map((window) => {
      const own = badOf(window[track]) / unitsOf(window[track]);
      const rival = unitsOf(window[other]) === 0 ? undefined : badOf(window[other]) / unitsOf(window[other]);
      const { units, bad } = window[track].find((one) => one.cell === cell) ?? { units: 0, bad: 0 };
      return {
        units,
        bad,
        residual: bad - own * units,
        excess: rival === undefined || !worse.includes(window) ? 0 : bad - rival * units,
      };
    });
    const of = (name: 'units' | 'bad' | 'residual' | 'excess') => sum(rows.map((row) => row[name]));
    return { units: of('units'), bad: of('bad'), residual: of('residual'), excess: of('excess') };
  });
  const units = sum(cells.map((cell) => cell.units));
  const excessMax = Math.max(0, ...cells.map((cell) => cell.excess));
  return {
    cells: cells.filter((cell) => cell.units > 0).length,
    units,
    bad: sum(cells.map((cell) => cell.bad)),
    squares: sum(cells.map((cell) => cell.residual ** 2)),
    fourths: sum(cells.map((cell) => cell.residual ** 4)),
    // Given how many were bad in a window, each fell into a cell by its part of the units.
    squaresExpected: sum(
      counted.map((window) => {
        const all = unitsOf(window[track]);
        return badOf(window[track]) * sum(window[track].map((one) => (one.units / all) * (1 - one.units / all)));
      }),
    ),
    unitSquares: sum(cells.map((cell) => (cell.units - units / CELLS) ** 2)),
    excess: sum(cells.map((cell) => cell.excess)),
    excessMax,
    badOfMax: cells.filter((cell) => excessMax === 0 || Math.abs(cell.excess - excessMax) < 1e-9).map(({ bad }) => bad),
    badMax: Math.max(...cells.map((cell) => cell.bad)),
  };
}

test('the state by cell equals the sum of all windows, computed anew', () => {
  fc.assert(
    fc.property(anyWindows, (windows) => {
      for (const track of ['candidate', 'stable'] as const) {
        const { badOfMax, ...wanted } = naive(windows, track);
        const clustering = clusteringOf(foldCells(windows))[track];
        for (const [name, value] of Object.entries(wanted)) {
          const found = clustering[name as keyof typeof wanted];
          assert.ok(
            Math.abs(found - value) <= 1e-9 * (1 + Math.abs(value)),
            `${track} ${name}: ${found}, not ${value}`,
          );
        }
        assert.ok(badOfMax.includes(clustering.badOfMax));
      }
    }),
  );
});

test('two cells with one window: reckoned by hand', () => {
  // A rate of 4/10: what is expected of 8 units is 3.2, of 2 units 0.8. Beside it a rate of 1/10.
  const { candidate, stable } = clusteringOf(
    addCells(NO_CELLS, {
      candidate: [
        { cell: 0, units: 8, bad: 1 },
        { cell: 511, units: 2, bad: 3 },
      ],
      stable: [{ cell: 5, units: 20, bad: 2 }],
    }),
  );
  const { unitSquares, ...rest } = candidate;
  const round = (value: number) => Number(value.toFixed(9));
  assert.deepEqual(Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, round(value)])), {
    cells: 2,
    units: 10,
    bad: 4,
    squares: 2 * round(2.2 ** 2),
    fourths: round(2 * 2.2 ** 4),
    squaresExpected: round(4 * (1 - 0.64 - 0.04)),
    excess: 3,
    excessMax: 2.8,
    badOfMax: 3,
    badMax: 3,
  });
  assert.ok(Math.abs(unitSquares - (64 + 4 - 100 / CELLS)) < 1e-9);
  assert.deepEqual([stable.squares, stable.squaresExpected, stable.excess, stable.excessMax], [0, 0, 0, 0]);
});

test('a window that hits all cells of a track alike leaves no residual, and one without the other track no excess', () => {
  const hit = (rate: number): readonly CellCounts[] => [0, 1, 2].map((cell) => ({ cell, units: 10, bad: 10 * rate }));
  const { candidate } = clusteringOf(foldCells([0.1, 0.9, 0.4].map((rate) => ({ candidate: hit(rate), stable: [] }))));
  assert.ok(candidate.squares < 1e-20 && candidate.bad === 42);
  assert.deepEqual([candidate.excess, candidate.excessMax], [0, 0]);
});

test('a cell that does not exist is refused', () => {
  for (const cell of [-1, CELLS, 0.5]) {
    assert.throws(
      () => addCells(NO_CELLS, { candidate: [{ cell, units: 1, bad: 0 }], stable: [] }),
      new RangeError(`there is no cell ${cell}: there are 512`),
    );
  }
});

test('adding a window leaves what was kept before as it was', () => {
  const window = { candidate: [{ cell: 3, units: 5, bad: 2 }], stable: [{ cell: 3, units: 5, bad: 1 }] };
  const before = addCells(NO_CELLS, window);
  const copy = structuredClone(before);
  addCells(before, window);
  assert.deepEqual(before, copy);
  assert.deepEqual(clusteringOf(NO_CELLS).candidate.units, 0);
});
