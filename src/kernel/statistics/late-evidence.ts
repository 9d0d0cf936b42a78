import { logMeanExp } from './log-mean-exp.ts';

/**
 * New evidence starts, beside the existing evidence, after this amount (events; windows of a gauge): harm that follows a good day
 * has at most this much good to outweigh.
 */
const AMOUNT_TO_START = 50;
/** Starts that are stored. Beyond, every other start of the older half is dropped with its part of the evidence. */
const STARTS_MAX = 32;

/** The weight of evidence from the beginning on; all later starts share the rest. */
export const FIRST = 0.8;

/**
 * Evidence that may begin late: the sum over possible beginnings. The first start has most of the weight, the j-th a part of the
 * rest, 1/(j(j−1)). With the constant weights of future starts, it is an e-process as each of them is. The n-th start costs a
 * factor of 5n²: harm after a day at full traffic is found in minutes and not in hours. (Shin, Ramdas, Rinaldo 2023.) Plain data.
 */
export interface LateEvidence {
  /** ln likelihood ratio of each alternative since the beginning. */
  readonly logTerms: readonly number[];
  readonly starts: readonly Start[];
  /** Starts so far, dropped ones included. */
  readonly begun: number;
  readonly sinceStart: number;
}

interface Start {
  /** 1 for the first. */
  readonly number: number;
  /** When it began; 0 for the first. */
  readonly atMs: number;
  /** The terms when it began. */
  readonly before: readonly number[];
}

export function noLateEvidence(alternatives: number): LateEvidence {
  const none = Array.from({ length: alternatives }, () => 0);
  return { logTerms: none, starts: [{ number: 1, atMs: 0, before: none }], begun: 1, sinceStart: 0 };
}

/** Adds the log terms of the observations up to a time, one for each alternative, and their amount. */
export function addLate(state: LateEvidence, logTerms: readonly number[], amount: number, toMs: number): LateEvidence {
  const sum = state.logTerms.map((term, index) => term + (logTerms[index] ?? 0));
  const sinceStart = state.sinceStart + amount;
  if (sinceStart < AMOUNT_TO_START) return { ...state, logTerms: sum, sinceStart };
  const begun = state.begun + 1;
  return {
    logTerms: sum,
    starts: thinStarts([...state.starts, { number: begun, atMs: toMs, before: sum }]),
    begun,
    sinceStart: 0,
  };
}

/**
 * ln of the evidence, where events are this many times as clumped as independent ones. The root of an e-process is one (Jensen),
 * and it is the quasi-likelihood of counts whose variance is that many times their mean.
 */
export function logLateEvidence({ logTerms, starts, begun }: LateEvidence, dispersion: number): number {
  // One list for all starts avoids many allocations at each look.
  const since = [...logTerms];
  const of = starts.map(({ number, before }) => {
    for (let index = 0; index < since.length; index += 1) {
      since[index] = ((logTerms[index] ?? 0) - (before[index] ?? 0)) / dispersion;
    }
    return logMeanExp(since) + Math.log(weightOf(number));
  });
  // The evidence of future starts is still 1.
  const all = [...of, Math.log((1 - FIRST) / begun)];
  return logMeanExp(all) + Math.log(all.length);
}

/**
 * ln of the evidence after `more` repeats this many times. Uses the likeliest start alone, which holds nearly all evidence by the
 * time it is enough.
 */
export function logLateAfter(state: LateEvidence, more: readonly number[], times: number, dispersion: number): number {
  const { number, before } = likeliestStart(state);
  const terms = state.logTerms.map(
    (term, index) => (term - (before[index] ?? 0) + times * (more[index] ?? 0)) / dispersion,
  );
  return logMeanExp(terms) + Math.log(weightOf(number));
}

/** When the start with the most evidence began; 0 where that is the beginning. */
export function likeliestStartMs(state: LateEvidence): number {
  return likeliestStart(state).atMs;
}

/** Compares starts by the likeliest alternative of each, which is nearly their sum. */
function likeliestStart({ logTerms, starts }: LateEvidence): Start {
  const [first, ...rest] = starts;
  if (first === undefined) throw new Error('evidence has no beginning');
  let [best, most] = [first, -Infinity];
  for (const start of [first, ...rest]) {
    let likeliest = -Infinity;
    for (let index = 0; index < logTerms.length; index += 1) {
      likeliest = Math.max(likeliest, (logTerms[index] ?? 0) - (start.before[index] ?? 0));
    }
    const weighed = likeliest + Math.log(weightOf(start.number));
    if (weighed > most) [best, most] = [start, weighed];
  }
  return best;
}

function weightOf(start: number): number {
  return start === 1 ? FIRST : (1 - FIRST) / (start * (start - 1));
}

function thinStarts(starts: readonly Start[]): readonly Start[] {
  if (starts.length <= STARTS_MAX) return starts;
  return starts.filter((_, index) => index === 0 || index >= STARTS_MAX / 2 || index % 2 === 0);
}
