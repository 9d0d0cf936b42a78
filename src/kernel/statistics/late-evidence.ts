import { logMeanExp } from './log-mean-exp.ts';

/**
 * Evidence begins anew, beside what there is, after so much of what it is made of (events; windows of a gauge): harm that
 * comes after a good day has at most so much good to make up for.
 */
const AMOUNT_TO_START = 50;
/** Starts that are kept. Of more, every other one of the older half is given up, and its part of the evidence with it. */
const STARTS_MAX = 32;

/** The weight of evidence from the beginning on; all later starts together have the rest. */
export const FIRST = 0.8;

/**
 * Evidence that may begin late: the sum over when it began, of which the first start has most of the weight, and the j-th a
 * part of the rest, 1/(j(j−1)). With the weights of those to come, which stay as they are, it is an e-process as each of them
 * is. The n-th start costs a factor of 5n²: harm after a day at full traffic is found in minutes and not in hours. (Shin,
 * Ramdas, Rinaldo 2023.) Plain data.
 */
export interface LateEvidence {
  /** ln likelihood ratio of each alternative since the beginning. */
  readonly logTerms: readonly number[];
  readonly starts: readonly Start[];
  /** Starts there ever were. */
  readonly begun: number;
  readonly sinceStart: number;
}

interface Start {
  /** 1 for the first. */
  readonly number: number;
  /** When it began; of the first, before anything. */
  readonly atMs: number;
  /** What the terms were when it began. */
  readonly before: readonly number[];
}

export function noLateEvidence(alternatives: number): LateEvidence {
  const none = Array.from({ length: alternatives }, () => 0);
  return { logTerms: none, starts: [{ number: 1, atMs: 0, before: none }], begun: 1, sinceStart: 0 };
}

/** Adds what the observations up to a time say for each alternative, and how much they are of what evidence is made of. */
export function addLate(state: LateEvidence, logTerms: readonly number[], amount: number, toMs: number): LateEvidence {
  const sum = state.logTerms.map((term, index) => term + (logTerms[index] ?? 0));
  const sinceStart = state.sinceStart + amount;
  if (sinceStart < AMOUNT_TO_START) return { ...state, logTerms: sum, sinceStart };
  const begun = state.begun + 1;
  return {
    logTerms: sum,
    starts: thinned([...state.starts, { number: begun, atMs: toMs, before: sum }]),
    begun,
    sinceStart: 0,
  };
}

/**
 * ln of the evidence, where the events are so many times as clumped as independent ones: the root of an e-process is one
 * (Jensen), and the quasi-likelihood of counts whose variance is that many times their mean.
 */
export function logLate({ logTerms, starts, begun }: LateEvidence, dispersion: number): number {
  // One list for all starts: there are many, at each look.
  const since = [...logTerms];
  const of = starts.map(({ number, before }) => {
    for (let index = 0; index < since.length; index += 1) {
      since[index] = ((logTerms[index] ?? 0) - (before[index] ?? 0)) / dispersion;
    }
    return logMeanExp(since) + Math.log(weightOf(number));
  });
  // The evidence of the starts to come is still 1.
  const all = [...of, Math.log((1 - FIRST) / begun)];
  return logMeanExp(all) + Math.log(all.length);
}

/**
 * ln of the evidence when `more` comes along so many times: by the likeliest start alone, of which it is nearly all by the
 * time that it is enough.
 */
export function logLateAfter(state: LateEvidence, more: readonly number[], times: number, dispersion: number): number {
  const { number, before } = likeliestStart(state);
  const terms = state.logTerms.map(
    (term, index) => (term - (before[index] ?? 0) + times * (more[index] ?? 0)) / dispersion,
  );
  return logMeanExp(terms) + Math.log(weightOf(number));
}

/** When what there is most evidence of began; 0 where that is the beginning. */
export function likeliestStartMs(state: LateEvidence): number {
  return likeliestStart(state).atMs;
}

/** By the likeliest alternative of each: nearly what all of them come to. */
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

function thinned(starts: readonly Start[]): readonly Start[] {
  if (starts.length <= STARTS_MAX) return starts;
  return starts.filter((_, index) => index === 0 || index >= STARTS_MAX / 2 || index % 2 === 0);
}
