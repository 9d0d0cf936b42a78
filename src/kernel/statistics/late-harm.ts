import { logMeanExp } from './log-mean-exp.ts';
import { HARM_POINTS, harmTerms, type RiskRatioEvidence } from './risk-ratio-evidence.ts';

/**
 * Evidence begins anew, beside what there is, after so many events of both tracks: a regression that comes after a good day
 * has at most so much good to make up for.
 */
const EVENTS_TO_START = 50;

/**
 * Evidence of harm that may begin late: the sum over when it began, of which the j-th start has the weight 1/(j(j+1)). With
 * the weights of those to come, which stay as they are, it is an e-process as each of them is. The first start costs half of
 * the evidence, the n-th a factor of n²: a regression after a day at full traffic is found in minutes and not in hours.
 * Plain data.
 */
export interface LateHarm {
  /** ln of the weighted likelihoods of all starts so far, for each ratio from 1 up. */
  readonly logTerms: readonly number[];
  readonly starts: number;
  readonly eventsSinceStart: number;
}

export const NO_LATE_HARM: LateHarm = {
  logTerms: Array.from({ length: HARM_POINTS }, () => Math.log(weightOf(1))),
  starts: 1,
  eventsSinceStart: 0,
};

/** Adds the evidence of one interval. */
export function addLate(state: LateHarm, part: RiskRatioEvidence, dispersion: number): LateHarm {
  const logTerms = grown(state, part, 1, dispersion);
  const events = state.eventsSinceStart + part.candidate.bad + part.stable.bad;
  if (events < EVENTS_TO_START) return { ...state, logTerms, eventsSinceStart: events };
  const starts = state.starts + 1;
  const logWeight = Math.log(weightOf(starts));
  return { logTerms: logTerms.map((term) => logSum(term, logWeight)), starts, eventsSinceStart: 0 };
}

/** ln of the evidence: what logHarm is without late starts. */
export function logLateHarm({ logTerms, starts }: LateHarm): number {
  // The weights of all starts to come are together 1/(starts + 1).
  return logSum(logMeanExp(logTerms), -Math.log(starts + 1));
}

/** The same when the evidence of `part` comes along so many times more, with no start between. */
export function logLateHarmAfter(state: LateHarm, part: RiskRatioEvidence, times: number, dispersion: number): number {
  return logLateHarm({ ...state, logTerms: grown(state, part, times, dispersion) });
}

function grown({ logTerms }: LateHarm, part: RiskRatioEvidence, times: number, dispersion: number): readonly number[] {
  const steps = harmTerms(part);
  return logTerms.map((term, index) => term + (times * (steps[index] ?? 0)) / dispersion);
}

function weightOf(start: number): number {
  return 1 / (start * (start + 1));
}

/** ln(e^a + e^b). */
function logSum(a: number, b: number): number {
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
