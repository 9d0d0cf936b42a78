import type { Burn, BurnRule } from './burn-rate.ts';
import type { Dominant } from './sources.ts';
import type { Counts } from './interval.ts';
import type { RatioBounds } from './risk-ratio-evidence.ts';

/** Changes whenever the same intervals could get another verdict. Each stored verdict has it. */
export const judgeVersion = 2;

/**
 * - pass: on evidence of safety. fail: on evidence of harm, or because nothing measures the candidate.
 * - undecided: not enough of either yet; or, `blocked`, nothing against the candidate, but promotion has to wait.
 * - All others: no judgement is possible, and why. None of them is success.
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
  /** One sentence with the numbers. */
  readonly because: string;
  readonly judgeVersion: number;
  readonly figures: Figures;
  /** With undecided: further units of the candidate that are needed. */
  readonly unitsNeeded?: MissingUnits;
  /** With undecided: why promotion waits although nothing speaks against the candidate. */
  readonly blocked?: 'serviceBurns' | 'oneSource' | 'noStable';
}

/** null: more units will not suffice, or nothing is known yet. */
export interface MissingUnits {
  /** Until it passes, if it is exactly like stable. */
  readonly toPass: number | null;
  /** Until it fails, if its rate is twice that of stable. */
  readonly toFail: number | null;
}

export type Figures = RiskRatioFigures | BurnRateFigures | ThresholdFigures | { readonly of: 'nothing' };

/** Evidence as a factor, and the factor that is needed. At most EVIDENCE_SHOWN_MAX is shown. */
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
  /** Bounds of the true ratio, valid at every look. */
  readonly bounds: RatioBounds;
  /** Evidence that the candidate is worse than stable. */
  readonly harm: Evidence;
  /** Evidence that it is not worse by the margin. */
  readonly safety: Evidence;
  readonly dispersion: DispersionFigures;
  readonly split: SplitFigures | null;
  readonly dominant: Dominant | null;
  /** Intervals that could not be counted. */
  readonly leftOut: number;
}

/** Ratio of the observed variance to that of independent events: 1 where they are independent. */
export interface DispersionFigures {
  /** Between units; null where the source has no units. */
  readonly units: number | null;
  /** In time, on one track alone. */
  readonly time: number;
  /** Divisor of the log evidence of harm: the larger of the two, and more while little is known. */
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
  /** Evidence that the candidate is worse than stable, within the long window. */
  readonly harm: Evidence;
}

export interface ThresholdFigures {
  readonly of: 'threshold';
  /** A rate or mean over all counts; the last value of a gauge. */
  readonly value: number | null;
  /** Units of the candidate; windows for a gauge. */
  readonly units: number;
  readonly windows: number;
  /** Evidence that the value is beyond the limit, and that it is within it. */
  readonly beyond: Evidence;
  readonly within: Evidence;
  /** Divisor of the log evidence that the value is beyond. */
  readonly dispersion: number;
  /** Windows that could not be counted. */
  readonly leftOut: number;
}

const EVIDENCE_SHOWN_MAX = 1e15;

export function evidence(logValue: number, needed: number): Evidence {
  return { value: Math.min(Math.exp(logValue), EVIDENCE_SHOWN_MAX), needed };
}
