import type { Counts } from './interval.ts';
import { logMeanExp } from './log-mean-exp.ts';

/** The rates that evidence is weighed for, as parts of the harmless one. */
const PARTS = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8];

/**
 * ln of the evidence against "the candidate's rate is the harmless one or more". Without any event it grows with the units
 * alone, so that a service that makes no errors can be found safe too. Of the same kind as that of ratios: at the harmless
 * rate or above it, it exceeds 1/β with a chance of at most β, ever.
 */
export function logHarmless({ units, bad }: Counts, harmlessRate: number, dispersion: number): number {
  return logMeanExp(PARTS.map((part) => (bad * Math.log(part) + units * harmlessRate * (1 - part)) / dispersion));
}
