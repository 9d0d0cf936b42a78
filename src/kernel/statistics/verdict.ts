import type { Burn, BurnRule } from './burn-rate.ts';
import type { Dominant } from './sources.ts';
import type { Counts } from './interval.ts';
import type { RatioBounds } from './risk-ratio-evidence.ts';

/** Changes whenever the same intervals could get another verdict. Kept with each verdict, so that it can be judged anew. */
export const judgeVersion = 2;

/**
 * - pass: on evidence that it is safe. fail: on evidence of harm, or that nothing measures the candidate.
 * - undecided: not enough of either yet; or, `blocked`, nothing against the candidate, but no time to promote either.
 * - All others say that nothing can be said, and why. None of them is success.
 */
export type Outcome =
  | 'pass'
  | 'fail'
  | 'undecided'
  | 'providerDown'
  | 'noData'
  | 'zeroTraffic'
  | 'notANumber'
  | 'stale'
  | 'invalid';

/** Plain data. */
export interface Verdict {
  readonly outcome: Outcome;
  /** One sentence that says it, with the numbers. */
  readonly because: string;
  readonly judgeVersion: number;
  readonly figures: Figures;
  /** With undecided: how many more units of the candidate it takes. */
  readonly unitsNeeded?: UnitsNeeded;
  /** With undecided: what holds promotion although nothing speaks against the candidate. */
  readonly blocked?: 'serviceBurns' | 'oneSource' | 'noStable';
}

/** Each null where more units will not do it, or nothing is known yet. */
export interface UnitsNeeded {
  /** Until it passes, if it is exactly as stable. */
  readonly toPass: number | null;
  /** Until it fails, if harm is twofold. */
  readonly toFail: number | null;
}

export type Figures = RiskRatioFigures | BurnRateFigures | ThresholdFigures | { readonly of: 'nothing' };

/** Evidence as a factor, and what is asked for. At most EVIDENCE_SHOWN_MAX is shown. */
export interface Evidence {
  readonly value: number;
  readonly needed: number;
}

export interface RiskRatioFigures {
  readonly of: 'riskRatio';
  readonly candidate: Counts;
  readonly stable: Counts;
  /** Rate of the candidate over that of stable, compared within intervals. */
  readonly ratio: number | null;
  /** Between which ratios the truth lies, at whatever moment one looks. */
  readonly bounds: RatioBounds;
  /** That the candidate is worse than stable. */
  readonly harm: Evidence;
  /** That it is not worse by the margin. */
  readonly safety: Evidence;
  readonly dispersion: DispersionFigures;
  readonly split: SplitFigures | null;
  readonly dominant: Dominant | null;
  /** Intervals that could not be counted. */
  readonly leftOut: number;
}

/** How many times what was counted varies more than independent events would: 1 where they are independent. */
export interface DispersionFigures {
  /** As units differ; null where the source knows no units. */
  readonly units: number | null;
  /** As the rate moves in time, on one track alone. */
  readonly time: number;
  /** What evidence of harm is divided by (as an exponent): the larger, and more while little is known. */
  readonly harm: number;
}

export interface SplitFigures {
  readonly observed: number;
  readonly expected: number;
  readonly units: number;
  readonly evidence: Evidence;
  /** Of Pearson's χ², for one look. */
  readonly p: number | null;
}

export interface BurnRateFigures {
  readonly of: 'burnRate';
  /** The rule that fires, else the strictest. A burn of 1 spends the budget exactly in its period. */
  readonly rule: BurnRule;
  readonly candidate: Burn;
  readonly stable: Burn;
  /** That the candidate is worse than stable, within the long window. */
  readonly harm: Evidence;
}

export interface ThresholdFigures {
  readonly of: 'threshold';
  /** Of a rate or mean, over all that was counted; of a gauge, what it showed last. */
  readonly value: number | null;
  /** Of the candidate; of a gauge, windows. */
  readonly units: number;
  readonly windows: number;
  /** That it is beyond the limit, and that it is within it. */
  readonly beyond: Evidence;
  readonly within: Evidence;
  /** What evidence that it is beyond is divided by (as an exponent). */
  readonly dispersion: number;
  /** Windows that could not be counted. */
  readonly leftOut: number;
}

const EVIDENCE_SHOWN_MAX = 1e15;

export function evidence(logValue: number, needed: number): Evidence {
  return { value: Math.min(Math.exp(logValue), EVIDENCE_SHOWN_MAX), needed };
}
