/** Units fall into so many cells, by a hash of their own that has nothing to do with who is in which track. */
export const CELLS = 512;

/** What the units of one cell did on one track. */
export interface CellCounts {
  /** 0 to CELLS − 1. */
  readonly cell: number;
  /** As in the counts of the track: answers, listeners, events. */
  readonly units: number;
  /** How many were bad; where a mean is judged, the sum of what was measured. */
  readonly bad: number;
}

/** What both tracks did in one window, by cell. Cells that did nothing may be left out; none is given twice. */
export interface WindowCells {
  readonly candidate: readonly CellCounts[];
  readonly stable: readonly CellCounts[];
}

/** What is kept of one track: each list has a number for each cell. Plain data. */
interface TrackCells {
  readonly units: readonly number[];
  readonly bad: readonly number[];
  /** Σ bad − (the track's rate in the window) · units: what a cell has beyond its own track. */
  readonly residuals: readonly number[];
  /**
   * Σ bad − (the other track's rate in the window) · units: what a cell has beyond the other track, since all of them
   * together had least. What was better before says nothing about whose the harm is that came after.
   */
  readonly excess: readonly number[];
  /** What the squares of the residuals would add up to if events were independent of each other (Poisson). */
  readonly squaresExpected: number;
}

/** The windows of a release, or of one stage, by cell. Plain data. */
export interface Cells {
  readonly candidate: TrackCells;
  readonly stable: TrackCells;
}

/** How one track's events hang together: what a window keeps of its cells, so that it can be judged again. */
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
  /** The most that one cell has. */
  readonly badMax: number;
  /** What all cells have beyond the other track, and what the one has that has most; and its bad. */
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

/** Adds a window. Rates are those of the window, so that what hits all cells of a track at once is no clustering. */
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
    // With nothing to compare with, nobody has more than others.
    if (other.units > 0) add(excess, one.cell, one.bad - (other.bad / other.units) * one.units);
  }
  const isWorse = excess.reduce((sum, one) => sum + one, 0) > 0;
  // The rate is the window's own, so that a cell with all of its units has no residual at all.
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
