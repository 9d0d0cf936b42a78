import { CELLS, type Clustering, type TrackClustering } from './cells.ts';

/** Below so many cells nothing is known of how units differ. */
const CELLS_MIN = 30;

/** Whether there are units enough on a track for their differences to be known. */
export function isOfMany({ cells }: TrackClustering): boolean {
  return cells >= CELLS_MIN;
}

/**
 * How many times the events of one track vary more, over its cells, than independent events would; undefined while nothing
 * is known. (Pearson's statistic over cells, with the variance that is left after each window's own rate was taken away.)
 */
export function trackDispersion(track: TrackClustering): number | undefined {
  const { squares, squaresExpected } = track;
  return isOfMany(track) && squaresExpected > 0 ? squares / squaresExpected : undefined;
}

/**
 * By how much the variance of the log ratio of both rates exceeds that of independent events, at least 1. Where one track
 * has too little to tell, it is taken to be like the other.
 */
export function ratioDispersion({ candidate, stable }: Clustering): number {
  const ofCandidate = trackDispersion(candidate);
  const ofStable = trackDispersion(stable);
  const [one, other] = [ofCandidate ?? ofStable ?? 1, ofStable ?? ofCandidate ?? 1];
  // A half more, so that what has not happened yet has a weight.
  const [byCandidate, byStable] = [1 / (candidate.bad + 0.5), 1 / (stable.bad + 0.5)];
  return Math.max(1, (one * byCandidate + other * byStable) / (byCandidate + byStable));
}

/** How many times the number of units on the tracks varies more than if each fell into one by itself. */
export function splitDispersion({ candidate, stable }: Clustering): number {
  const units = candidate.units + stable.units;
  if (units === 0) return 1;
  return Math.max(1, ((candidate.unitSquares + stable.unitSquares) * CELLS) / ((CELLS - 1) * units));
}

/**
 * How many units there are, from how many cells have any (linear counting: Whang, Vander-Zanden, Taylor 1990): within 4 % at
 * 300; Infinity where every cell has one, which is from some 3,000 units on.
 */
export function unitsIn({ cells }: TrackClustering): number {
  return cells >= CELLS ? Infinity : -CELLS * Math.log1p(-cells / CELLS);
}

/** How many cells what was counted comes from, as if each had the same part of the variance. */
export function effectiveCells({ squares, fourths }: TrackClustering): number {
  return fourths === 0 ? Infinity : squares ** 2 / fourths;
}
