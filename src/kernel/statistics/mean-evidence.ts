import type { TrackClustering } from './cells.ts';

/** Expected distance of a mean from its limit, as a part of the limit: where evidence grows fastest. */
const REACH = 0.2;

/**
 * ln of the evidence that a mean is beyond a limit (`sign` 1: above, −1: below), from the variance between cells: a normal
 * mixture over one side in information time, whose scale is fixed beforehand. (Scharfstein, Tsiatis, Robins 1997: with
 * variances estimated as they are, increments are independent in the limit. Waudby-Smith et al. 2021, arXiv 2103.06476.)
 */
export function logMeanBeyond(track: TrackClustering, limit: number, sign: number): number {
  const { units, bad: total } = track;
  const variance = varianceOfTotal(track);
  if (units === 0 || variance === 0) return 0;
  const off = sign * (total / units - limit);
  const information = units ** 2 / variance;
  const spread = (REACH * (limit === 0 ? 1 : Math.abs(limit))) ** 2;
  const shrunk = spread / (1 + spread * information);
  return (
    Math.log(2) - 0.5 * Math.log1p(spread * information) + logNormalOverDensity(off * information * Math.sqrt(shrunk))
  );
}

/**
 * Residuals are relative to the mean of their own window, which removes a part of the variance: all of it, where a window has one
 * unit. The remaining part of the total gives the correction.
 */
function varianceOfTotal({ bad: total, squares, squaresExpected, cells }: TrackClustering): number {
  const taken = squaresExpected > 0 ? total / squaresExpected : 1;
  return cells < 2 ? 0 : squares * Math.max(taken, cells / (cells - 1));
}

/**
 * ln (Φ(z) · e^{z²/2}). The tail uses its asymptotic series: the error function has no digits left there, and two large numbers
 * would cancel.
 */
function logNormalOverDensity(z: number): number {
  if (z < -6) return Math.log1p(-1 / z ** 2 + 3 / z ** 4) - Math.log(-z) - 0.5 * Math.log(2 * Math.PI);
  return Math.log(normal(z)) + 0.5 * z ** 2;
}

/** Φ(z), to seven digits (Abramowitz and Stegun 26.2.17). */
function normal(z: number): number {
  const t = 1 / (1 + 0.231_641_9 * Math.abs(z));
  const [b1, b2, b3, b4, b5] = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429] as const;
  const tail = (Math.exp(-0.5 * z ** 2) / Math.sqrt(2 * Math.PI)) * t * (b1 + t * (b2 + t * (b3 + t * (b4 + t * b5))));
  return z > 0 ? 1 - tail : tail;
}
