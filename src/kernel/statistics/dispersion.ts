import { CELLS, type Clustering, type TrackClustering } from './cells.ts';

/** With fewer cells, the variation between units is unknown. */
const CELLS_MIN = 30;

/** Whether a track has enough units to show how they differ. */
export function isOfMany({ cells }: TrackClustering): boolean {
  return cells >= CELLS_MIN;
}

/**
 * Ratio of the variance of one track's events, over its cells, to that of independent events; undefined while unknown. (Pearson's
 * statistic over cells, after the rate of each window is subtracted.)
 */
export function trackDispersion(track: TrackClustering): number | undefined {
  const { squares, squaresExpected } = track;
  return isOfMany(track) && squaresExpected > 0 ? squares / squaresExpected : undefined;
}

/**
 * Ratio of the variance of the log rate ratio to that of independent events, at least 1. A track with too little data is assumed to
 * be like the other.
 */
export function ratioDispersion({ candidate, stable }: Clustering): number {
  const ofCandidate = trackDispersion(candidate);
  const ofStable = trackDispersion(stable);
  const [one, other] = [ofCandidate ?? ofStable ?? 1, ofStable ?? ofCandidate ?? 1];
  // Half an event more, so that a track without events has a weight.
  const [byCandidate, byStable] = [1 / (candidate.bad + 0.5), 1 / (stable.bad + 0.5)];
  return Math.max(1, (one * byCandidate + other * byStable) / (byCandidate + byStable));
}

/** Ratio of the variance of the units on the tracks to that of units that are assigned independently. */
export function splitDispersion({ candidate, stable }: Clustering): number {
  const units = candidate.units + stable.units;
  if (units === 0) return 1;
  return Math.max(1, ((candidate.unitSquares + stable.unitSquares) * CELLS) / ((CELLS - 1) * units));
}

/**
 * Estimates the number of units from the number of cells that have any (linear counting: Whang, Vander-Zanden, Taylor 1990). Within
 * 4 % at 300; Infinity where every cell has one, from some 3,000 units on.
 */
export function unitsIn({ cells }: TrackClustering): number {
  return cells >= CELLS ? Infinity : -CELLS * Math.log1p(-cells / CELLS);
}

/** Number of cells that account for the events, as if each had the same part of the variance. */
export function effectiveCells({ squares, fourths }: TrackClustering): number {
  return fourths === 0 ? Infinity : squares ** 2 / fourths;
}
