import { chiSquareSurvival } from './chi-square.ts';
import type { Interval } from './interval.ts';
import { logMeanExp } from './log-mean-exp.ts';

/** Alternatives: how far the odds are beyond the tolerance, as ln, from a hundredth to twentyfold, evenly on a log scale. */
const EXCESSES: readonly number[] = Array.from(
  { length: 12 },
  (_, index) => 0.01 * (Math.log(20) / 0.01) ** (index / 11),
);

/** Test for a sample-ratio mismatch; each interval has a share of its own. Plain data. */
export interface SampleRatio {
  /** Allowed deviation of the odds, as a part: 0.1 is ten percent. */
  readonly tolerance: number;
  /** ln likelihood against the nearer edge of the tolerance: for more, and for fewer, than intended. */
  readonly logMore: readonly number[];
  readonly logFewer: readonly number[];
  readonly units: number;
  readonly observed: number;
  readonly expected: number;
  readonly variance: number;
}

export function noSample(tolerance: number): SampleRatio {
  const none = EXCESSES.map(() => 0);
  const counts = { units: 0, observed: 0, expected: 0, variance: 0 };
  return { tolerance, logMore: none, logFewer: none, ...counts };
}

/**
 * Adds the units of an interval that has a share. If units fall independently with odds within the tolerance of the intended ones,
 * the chance that the evidence ever exceeds 1/α is at most α: the null is the nearer edge of the tolerance, and odds within it only
 * lower the expectation.
 */
export function addSample(state: SampleRatio, { candidate, stable, share }: Interval): SampleRatio {
  const units = candidate.units + stable.units;
  if (share === undefined || units === 0) return state;
  const edge = Math.log1p(state.tolerance);
  const logSum = (logOdds: number): number => Math.log1p(Math.expm1(logOdds) * share);
  const logMore = state.logMore.map((term, index) => {
    const excess = EXCESSES[index] ?? 0;
    return term + candidate.units * excess - units * (logSum(edge + excess) - logSum(edge));
  });
  const logFewer = state.logFewer.map((term, index) => {
    const excess = EXCESSES[index] ?? 0;
    return term - candidate.units * excess - units * (logSum(-edge - excess) - logSum(-edge));
  });
  return {
    tolerance: state.tolerance,
    logMore,
    logFewer,
    units: state.units + units,
    observed: state.observed + candidate.units,
    expected: state.expected + units * share,
    variance: state.variance + units * share * (1 - share),
  };
}

/** ln of the evidence of a sample-ratio mismatch, where units clump by the dispersion. */
export function logSplit({ logMore, logFewer }: SampleRatio, dispersion: number): number {
  return logMeanExp([...logMore, ...logFewer].map((term) => term / dispersion));
}

/**
 * The p-value of Pearson's χ² over all units: valid for one look at the end and without a tolerance. Shown for comparison; the
 * evidence decides. Null while nothing is expected.
 */
export function pearson({ observed, expected, variance }: SampleRatio): number | null {
  if (variance === 0) return null;
  return chiSquareSurvival((observed - expected) ** 2 / variance, 1);
}
