import type { Queryable } from '#kernel/postgres/database.ts';
import { CELLS, type CellCounts, type Cells } from '#kernel/statistics/cells.ts';
import type { CellState } from './cell-state.ts';

/*
 * The stored form of cells: doubles of 64 bits (little-endian), exact to the last bit, so that another engine continues with the
 * same numbers. 32 KiB for the release, as much for a scope that is not all of it, 16 KiB for the last answer.
 */

/** A state as columns of `backline.release_clustering`. */
export interface CellColumns {
  readonly scope: number;
  readonly release_cells: Buffer;
  readonly scope_cells: Buffer | null;
  readonly seen_stage: number | null;
  readonly seen_cells: Buffer | null;
}

/** A stored state. */
export interface StoredCells {
  readonly state: CellState;
  /** The end of its last window; undefined in rows of an older version. */
  readonly untilMs: number | undefined;
}

/** The stored state of a guardrail at the end of its newest window with cells; undefined before the first. */
export async function readCellState(
  { query }: Queryable,
  uid: string,
  guardrail: string,
): Promise<StoredCells | undefined> {
  const [row] = await query<CellColumns & { readonly until_ms: number | null }>({
    name: 'read-release-clustering',
    text: `
      select scope, release_cells, scope_cells, seen_stage, seen_cells, until_ms
      from backline.release_clustering where uid = $1 and guardrail = $2`,
    values: [uid, guardrail],
  });
  return row === undefined ? undefined : { state: stateIn(row), untilMs: row.until_ms ?? undefined };
}

export function cellColumns({ scope, release, ofScope, seen }: CellState): CellColumns {
  return {
    scope,
    release_cells: bufferOf(numbersOf(release)),
    scope_cells: ofScope === undefined ? null : bufferOf(numbersOf(ofScope)),
    seen_stage: seen?.stage ?? null,
    seen_cells: seen === undefined ? null : bufferOf([...spread(seen.candidate), ...spread(seen.stable)]),
  };
}

export function stateIn({ scope, release_cells, scope_cells, seen_stage, seen_cells }: CellColumns): CellState {
  return {
    scope,
    release: cellsIn(release_cells),
    ...(scope_cells === null ? {} : { ofScope: cellsIn(scope_cells) }),
    ...(seen_stage === null || seen_cells === null ? {} : { seen: { stage: seen_stage, ...seenIn(seen_cells) } }),
  };
}

type Track = Cells['candidate'];

function numbersOf({ candidate, stable }: Cells): readonly number[] {
  return [candidate, stable].flatMap(({ units, bad, residuals, excess, squaresExpected }) => [
    ...units,
    ...bad,
    ...residuals,
    ...excess,
    squaresExpected,
  ]);
}

function cellsIn(buffer: Buffer): Cells {
  const numbers = numbersIn(buffer, 2 * (4 * CELLS + 1));
  return { candidate: trackIn(numbers), stable: trackIn(numbers) };
}

function trackIn(numbers: Numbers): Track {
  return {
    units: numbers.take(CELLS),
    bad: numbers.take(CELLS),
    residuals: numbers.take(CELLS),
    excess: numbers.take(CELLS),
    squaresExpected: numbers.take(1)[0] ?? 0,
  };
}

/** Units of all cells, then bad events of all cells. */
function spread(counts: readonly CellCounts[]): readonly number[] {
  const [units, bad] = [new Float64Array(CELLS), new Float64Array(CELLS)];
  for (const one of counts) {
    units[one.cell] = one.units;
    bad[one.cell] = one.bad;
  }
  return [...units, ...bad];
}

function seenIn(buffer: Buffer): Pick<NonNullable<CellState['seen']>, 'candidate' | 'stable'> {
  const numbers = numbersIn(buffer, 2 * 2 * CELLS);
  return { candidate: countsIn(numbers), stable: countsIn(numbers) };
}

function countsIn(numbers: Numbers): readonly CellCounts[] {
  const [units, bad] = [numbers.take(CELLS), numbers.take(CELLS)];
  return units.flatMap((count, cell) => (count === 0 ? [] : [{ cell, units: count, bad: bad[cell] ?? 0 }]));
}

function bufferOf(numbers: readonly number[]): Buffer {
  return Buffer.from(Float64Array.from(numbers).buffer);
}

interface Numbers {
  readonly take: (count: number) => readonly number[];
}

function numbersIn(buffer: Buffer, count: number): Numbers {
  if (buffer.length !== count * Float64Array.BYTES_PER_ELEMENT) {
    throw new TypeError(`kept cells have ${buffer.length} bytes, and not ${count} numbers`);
  }
  let at = 0;
  return {
    take: (some) =>
      Array.from({ length: some }, () => {
        at += Float64Array.BYTES_PER_ELEMENT;
        return buffer.readDoubleLE(at - Float64Array.BYTES_PER_ELEMENT);
      }),
  };
}
