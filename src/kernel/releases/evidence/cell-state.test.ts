import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addCells, clusteringOf, NO_CELLS, type CellCounts, type WindowCells } from '#kernel/statistics/cells.ts';
import { addMeasuredCells, clusteringsOf, scopeOf, type CellState } from './cell-state.ts';
import { cellColumns, stateIn } from './stored-cells.ts';
import type { MeasuredCells } from './measure-source.ts';

const track = fc.constantFrom('candidate' as const, 'stable' as const);
const answer = fc.record({
  does: fc.constant('answer' as const),
  node: fc.nat({ max: 2 }),
  track,
  cell: fc.nat({ max: 4 }).map((cell) => cell * 127),
  isBad: fc.boolean(),
});
const step = fc.oneof(
  { weight: 8, arbitrary: answer },
  { weight: 2, arbitrary: fc.constant({ does: 'look' as const }) },
  fc.record({ does: fc.constant('restart' as const), node: fc.nat({ max: 2 }) }),
  fc.record({ does: fc.constant('stage' as const), isOtherScope: fc.boolean() }),
);

/** Counts by track and cell, as nodes and naive evaluators keep them. */
class Counting {
  readonly #counts = new Map<string, CellCounts>();

  count(on: 'candidate' | 'stable', cell: number, isBad: boolean): void {
    const key = `${on} ${String(cell).padStart(3, '0')}`;
    const { units, bad } = this.#counts.get(key) ?? { units: 0, bad: 0 };
    this.#counts.set(key, { cell, units: units + 1, bad: bad + Number(isBad) });
  }

  cells(): WindowCells {
    const of = (on: string) =>
      [...this.#counts]
        .filter(([key]) => key.startsWith(on))
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, counts]) => counts);
    return { candidate: of('candidate'), stable: of('stable') };
  }
}

/** The sum of all rows of a stage: a restart of a node starts a row. */
function sumOf(rows: readonly Counting[]): MeasuredCells {
  const sum = (on: 'candidate' | 'stable') => {
    const all = new Map<number, CellCounts>();
    for (const { cell, units, bad } of rows.flatMap((row) => row.cells()[on])) {
      const known = all.get(cell) ?? { units: 0, bad: 0 };
      all.set(cell, { cell, units: known.units + units, bad: known.bad + bad });
    }
    return [...all.values()].toSorted((a, b) => a.cell - b.cell);
  };
  return { since: 'stage', candidate: sum('candidate'), stable: sum('stable') };
}

test('differences of what nodes counted so far are what each window had, whichever node restarts, stage by stage', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let rows = [new Counting(), new Counting(), new Counting()];
      let live = [0, 1, 2];
      let window = new Counting();
      let [stage, scope] = [0, 0];
      let cumulative: CellState | undefined;
      let exact: CellState | undefined;
      for (const one of steps) {
        switch (one.does) {
          case 'answer':
            rows[live[one.node] ?? 0]?.count(one.track, one.cell, one.isBad);
            window.count(one.track, one.cell, one.isBad);
            break;
          case 'restart':
            live = live.with(one.node, rows.push(new Counting()) - 1);
            break;
          case 'look':
            cumulative = addMeasuredCells(cumulative, sumOf(rows), { stage, scope });
            exact = addMeasuredCells(exact, { since: 'window', ...window.cells() }, { stage, scope });
            window = new Counting();
            // Another engine goes on from what is kept.
            cumulative = stateIn(cellColumns(cumulative));
            break;
          case 'stage':
            // Counts after the last look at a finished stage are lost.
            stage += 1;
            if (one.isOtherScope) scope = stage;
            rows = [new Counting(), new Counting(), new Counting()];
            live = [0, 1, 2];
            window = new Counting();
            break;
          default:
            one satisfies never;
        }
      }
      if (cumulative === undefined || exact === undefined) return;
      const { seen: _seen, ...sums } = cumulative;
      assert.deepEqual(sums, exact);
    }),
    { numRuns: 300 },
  );
});

const window = (bad: number): MeasuredCells => ({
  since: 'window',
  candidate: [{ cell: 3, units: 10, bad }],
  stable: [{ cell: 4, units: 90, bad: 9 }],
});

test('clustering covers the release and the scope separately, which are one until the scope changes', () => {
  const first = addMeasuredCells(undefined, window(1), { stage: 0, scope: 0 });
  const raised = addMeasuredCells(first, window(2), { stage: 1, scope: 0 });
  assert.deepEqual(clusteringsOf(raised).scope, clusteringsOf(raised).release);
  const elsewhere = addMeasuredCells(raised, window(3), { stage: 2, scope: 2 });
  const later = addMeasuredCells(elsewhere, window(4), { stage: 3, scope: 2 });
  const naive = (bads: readonly number[]) =>
    clusteringOf(bads.reduce((cells, bad) => addCells(cells, window(bad)), NO_CELLS));
  assert.deepEqual(clusteringsOf(later), { release: naive([1, 2, 3, 4]), scope: naive([3, 4]) });
});

test('counts that are less than they were, as old rows went, are nothing, and what comes then counts', () => {
  const totals = (units: number, bad: number): MeasuredCells => ({
    since: 'stage',
    candidate: [{ cell: 1, units, bad }],
    stable: [],
  });
  const at = { stage: 0, scope: 0 };
  const state = [totals(100, 10), totals(40, 4), totals(45, 5)].reduce<CellState | undefined>(
    (before, measured) => addMeasuredCells(before, measured, at),
    undefined,
  );
  assert.deepEqual([state?.release.candidate.units[1], state?.release.candidate.bad[1]], [105, 11]);
});

test('a stage that is entered again after another one counts nothing twice', () => {
  const measuredCells = (units: number): MeasuredCells => ({
    since: 'stage',
    candidate: [{ cell: 1, units, bad: 0 }],
    stable: [],
  });
  let state = addMeasuredCells(undefined, measuredCells(10), { stage: 0, scope: 0 });
  state = addMeasuredCells(state, measuredCells(5), { stage: 1, scope: 0 });
  state = addMeasuredCells(state, measuredCells(12), { stage: 0, scope: 0, isAgain: true });
  assert.equal(state.release.candidate.units[1], 15, 'of what is new and what is old nobody knows');
  state = addMeasuredCells(state, measuredCells(20), { stage: 0, scope: 0, isAgain: true });
  assert.equal(state.release.candidate.units[1], 23);
});

test('a scope is the run of stages that split the same', () => {
  const splits = [undefined, undefined, 'all', 'all', 'some', 'all'].map((scope) =>
    scope === undefined ? undefined : { scope },
  );
  assert.deepEqual(
    splits.map((_, stage) => scopeOf(splits, stage)),
    [0, 0, 2, 2, 4, 5],
  );
});

test('stored cells of another length are refused, rather than read as something else', () => {
  const columns = cellColumns(addMeasuredCells(undefined, window(1), { stage: 0, scope: 0 }));
  assert.throws(() => stateIn({ ...columns, release_cells: columns.release_cells.subarray(8) }), /kept cells have/);
});
