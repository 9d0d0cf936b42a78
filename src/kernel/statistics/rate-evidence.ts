import { HARM_POINTS, LOG_RATIOS_UP } from './risk-ratio-evidence.ts';
import type { Counts } from './interval.ts';
import { logMeanExp } from './log-mean-exp.ts';

/** The side of a limit that is harm. */
export type Side = 'above' | 'below';

/** Alternatives within the limit, as parts of it; for a lower limit, the inverse. */
const PARTS = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8];

export const RATE_POINTS = HARM_POINTS;

/**
 * ln likelihood of rates beyond a limit against the limit, for counts: x·ln θ − (θ − 1)·n·limit. Where a unit has one event at
 * most, that is less than its likelihood (1 + p·a ≤ e^{p·a}): the evidence is slower, and still valid.
 */
export function rateTerms({ units, bad }: Counts, limit: number, side: Side): readonly number[] {
  return LOG_RATIOS_UP.map((log) => {
    const logRatio = side === 'above' ? log : -log;
    return bad * logRatio - Math.expm1(logRatio) * units * limit;
  });
}

/**
 * ln of the evidence that a rate is on the right side of a limit. Without any event it grows with the units alone, so a service
 * without errors can pass too. At the limit, or beyond, it exceeds 1/β with a chance of at most β.
 */
export function logWithin({ units, bad }: Counts, limit: number, side: Side, dispersion: number): number {
  const terms = PARTS.map((part) => {
    const ratio = side === 'above' ? part : 1 / part;
    return (bad * Math.log(ratio) - (ratio - 1) * units * limit) / dispersion;
  });
  return logMeanExp(terms);
}
