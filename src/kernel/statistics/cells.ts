/** Number of cells. A secret hash, independent of the tracks, puts each unit into one. */
export const CELLS = 512;

/** Counts of one cell on one track. */
export interface CellCounts {
  /** 0 to CELLS − 1. */
  readonly cell: number;
  /** As in the counts of the track: answers, listeners, events. */
  readonly units: number;
  /** Bad events; for a mean, the sum of the measured values. */
  readonly bad: number;
}

/** Counts of both tracks in one window, by cell. Cells without counts may be absent; no cell occurs twice. */
export interface WindowCells {
  readonly candidate: readonly CellCounts[];
  readonly stable: readonly CellCounts[];
}

/** Sums of one track: each list has a number for each cell. Plain data. */
interface TrackCells {
  readonly units: readonly number[];
  readonly bad: readonly number[];
  /** Σ bad − (the track's rate in the window) · units: the excess of a cell over its own track. */
  readonly residuals: readonly number[];
  /**
   * Σ bad − (the other track's rate in the window) · units: the excess of a cell over the other track. It restarts whenever the sum
   * over all cells is not above 0: an earlier advantage does not show whose events a later harm is.
   */
  readonly excess: readonly number[];
  /** Expected sum of the squared residuals if events were independent (Poisson). */
  readonly squaresExpected: number;
}

/** The windows of a release, or of one stage, by cell. Plain data. */
export interface Cells {
  readonly candidate: TrackCells;
  readonly stable: TrackCells;
}

/** Summary of how the events of one track cluster. Each window stores it, so that the window can be judged again. */
export interface TrackClustering {
  /** Cells that had units. */
  readonly cells: number;
  readonly units: number;
  readonly bad: number;
  /** Σ d² and Σ d⁴ over the residuals of the cells. */
  readonly squares: number;
  readonly fourths: number;
  readonly squaresExpected: number;
  /** Σ (n − n̄)² over the units of all cells. */
  readonly unitSquares: number;
  /** The highest count of one cell. */
  readonly badMax: number;
  /** Excess of all cells over the other track; the excess of the highest cell; the bad events of that cell. */
  readonly excess: number;
  readonly excessMax: number;
  readonly badOfMax: number;
}

/** Cumulative, as of the end of a window. Plain data. */
export interface Clustering {
  readonly candidate: TrackClustering;
  readonly stable: TrackClustering;
}

const NO_TRACK: TrackCells = {
  units: zeros(),
  bad: zeros(),
  residuals: zeros(),
  excess: zeros(),
  squaresExpected: 0,
};

export const NO_CELLS: Cells = { candidate: NO_TRACK, stable: NO_TRACK };

/** Adds a window. Rates are those of the window, so an incident that hits all cells of a track at once is no clustering. */
export function addCells(cells: Cells, window: WindowCells): Cells {
  const candidate = sumsOf(window.candidate);
  const stable = sumsOf(window.stable);
  return {
    candidate: addTrack(cells.candidate, window.candidate, candidate, stable),
    stable: addTrack(cells.stable, window.stable, stable, candidate),
  };
}

export function clusteringOf({ candidate, stable }: Cells): Clustering {
  return { candidate: clusteringOfTrack(candidate), stable: clusteringOfTrack(stable) };
}

interface Sums {
  readonly units: number;
  readonly bad: number;
  readonly unitSquares: number;
}

function sumsOf(counts: readonly CellCounts[]): Sums {
  let [units, bad, unitSquares] = [0, 0, 0];
  for (const one of counts) {
    units += one.units;
    bad += one.bad;
    unitSquares += one.units ** 2;
  }
  return { units, bad, unitSquares };
}

function addTrack(track: TrackCells, window: readonly CellCounts[], own: Sums, other: Sums): TrackCells {
  if (own.units === 0) return track;
  const ownRate = own.bad / own.units;
  const [units, bad, residuals, excess] = [[...track.units], [...track.bad], [...track.residuals], [...track.excess]];
  for (const one of window) {
    add(units, one.cell, one.units);
    add(bad, one.cell, one.bad);
    add(residuals, one.cell, one.bad - ownRate * one.units);
    // Without units on the other track there is no excess.
    if (other.units > 0) add(excess, one.cell, one.bad - (other.bad / other.units) * one.units);
  }
  const isWorse = excess.reduce((sum, one) => sum + one, 0) > 0;
  // The rate is the window's own: a cell that has all of its units has no residual.
  const squaresExpected = track.squaresExpected + own.bad * (1 - own.unitSquares / own.units ** 2);
  return { units, bad, residuals, excess: isWorse ? excess : zeros(), squaresExpected };
}

function add(list: number[], cell: number, value: number): void {
  const known = list[cell];
  if (known === undefined) throw new RangeError(`there is no cell ${cell}: there are ${CELLS}`);
  list[cell] = known + value;
}

function clusteringOfTrack(track: TrackCells): TrackClustering {
  let [cells, units, bad, squares, fourths, unitSquares, excess, badMax, most] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let cell = 0; cell < CELLS; cell += 1) {
    const count = track.units[cell] ?? 0;
    const square = (track.residuals[cell] ?? 0) ** 2;
    if (count > 0) cells += 1;
    units += count;
    unitSquares += count ** 2;
    bad += track.bad[cell] ?? 0;
    badMax = Math.max(badMax, track.bad[cell] ?? 0);
    squares += square;
    fourths += square ** 2;
    excess += track.excess[cell] ?? 0;
    if ((track.excess[cell] ?? 0) > (track.excess[most] ?? 0)) most = cell;
  }
  return {
    cells,
    units,
    bad,
    squares,
    fourths,
    squaresExpected: track.squaresExpected,
    unitSquares: Math.max(0, unitSquares - units ** 2 / CELLS),
    badMax,
    excess,
    excessMax: Math.max(0, track.excess[most] ?? 0),
    badOfMax: track.bad[most] ?? 0,
  };
}

function zeros(): readonly number[] {
  return Array.from({ length: CELLS }, () => 0);
}
