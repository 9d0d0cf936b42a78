import {
  addCells,
  clusteringOf,
  NO_CELLS,
  type CellCounts,
  type Cells,
  type Clustering,
  type WindowCells,
} from '#kernel/statistics/cells.ts';
import type { Split } from '../kinds/target.ts';
import type { MeasuredCells } from './measure-source.ts';

/** Sums of a guardrail's windows by cell. Plain data; each window is added. */
export interface CellState {
  readonly release: Cells;
  /** The first stage of the scope of the newest window. */
  readonly scope: number;
  /** Sums of the windows of that scope; absent where they are all windows of the release. */
  readonly ofScope?: Cells;
  /** The last answer of a source that counts since the start of a stage. */
  readonly seen?: WindowCells & { readonly stage: number };
}

/** The first stage of the run of stages up to this one that split the same units. */
export function scopeOf(splits: readonly (Pick<Split, 'scope'> | undefined)[], stage: number): number {
  const about = (index: number): string => splits[index]?.scope ?? '';
  let first = stage;
  while (first > 0 && about(first - 1) === about(stage)) first -= 1;
  return first;
}

/** The stage of a window, and the first of its scope. `isAgain`: the release has left this stage and returned to it. */
interface MeasuredStage {
  readonly stage: number;
  readonly scope: number;
  readonly isAgain?: boolean;
}

/** Adds the answer of a source by cell at the end of a window. */
export function addMeasuredCells(
  before: CellState | undefined,
  measured: MeasuredCells,
  { stage, scope, isAgain = false }: MeasuredStage,
): CellState {
  const { candidate, stable } = measured;
  const window = measured.since === 'window' ? measured : countsSince(before?.seen, { stage, isAgain }, measured);
  const seen = measured.since === 'window' ? {} : { seen: { stage, candidate, stable } };
  const release = addCells(before?.release ?? NO_CELLS, window);
  const isWhole = before === undefined || (before.scope === scope && before.ofScope === undefined);
  if (isWhole) return { release, scope, ...seen };
  const earlier = before.scope === scope ? before.ofScope : undefined;
  return { release, scope, ofScope: addCells(earlier ?? NO_CELLS, window), ...seen };
}

export function clusteringsOf({ release, ofScope }: CellState): {
  readonly release: Clustering;
  readonly scope: Clustering;
} {
  const whole = clusteringOf(release);
  return { release: whole, scope: ofScope === undefined ? whole : clusteringOf(ofScope) };
}

/** The counts since the last answer. Smaller counts, after old rows were deleted, add nothing. */
function countsSince(
  seen: CellState['seen'],
  { stage, isAgain }: { readonly stage: number; readonly isAgain: boolean },
  now: WindowCells,
): WindowCells {
  const before = seen?.stage === stage ? seen : undefined;
  // The counts include those of the first time in the stage.
  if (before === undefined && isAgain) return { candidate: [], stable: [] };
  return {
    candidate: more(before?.candidate ?? [], now.candidate),
    stable: more(before?.stable ?? [], now.stable),
  };
}

function more(before: readonly CellCounts[], now: readonly CellCounts[]): readonly CellCounts[] {
  const known = new Map(before.map((one) => [one.cell, one]));
  return now.flatMap(({ cell, units, bad }) => {
    const last = known.get(cell) ?? { units: 0, bad: 0 };
    const [moreUnits, moreBad] = [units - last.units, bad - last.bad];
    return moreUnits > 0 ? [{ cell, units: moreUnits, bad: Math.max(0, moreBad) }] : [];
  });
}
