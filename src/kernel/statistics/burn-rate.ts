import { NOTHING, sumOf, type Counts, type Pair } from './interval.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { rateTerms } from './rate-evidence.ts';
import { addInterval, logHarm, noEvidence } from './risk-ratio-evidence.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export interface BurnRule {
  /** How many times faster than planned the budget burns. */
  readonly factor: number;
  /** Both windows must burn: the long one says that it matters, the short one that it still goes on. */
  readonly longMs: number;
  readonly shortMs: number;
}

/** Google's SRE Workbook, "Alerting on SLOs", for an objective of 30 days: 2 %, 5 % and 10 % of the budget. */
export const BURN_RULES: readonly [BurnRule, ...BurnRule[]] = [
  { factor: 14.4, longMs: HOUR_MS, shortMs: 5 * MINUTE_MS },
  { factor: 6, longMs: 6 * HOUR_MS, shortMs: 30 * MINUTE_MS },
  { factor: 1, longMs: 72 * HOUR_MS, shortMs: 6 * HOUR_MS },
];
/** Nothing older matters to any rule. */
const WINDOW_MS_MAX = 72 * HOUR_MS;
/** Of slower rules nobody waits for the short window: a service that spends a little more than is planned may be released to. */
const EARLY_MS_MAX = 30 * MINUTE_MS;
/** Fewer events in the short window are no fire: at a burn of 1, five where a third is expected come once in 30,000. */
const BURN_EVENTS_MIN = 5;

export interface Observed extends Pair {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Adds a window, and gives up what no rule goes by any more. Those of one minute are one: three days are 4,320 at most,
 * however short windows are, and no rule looks at less than five minutes.
 */
export function addObserved(observed: readonly Observed[], one: Observed): readonly Observed[] {
  const last = observed.at(-1);
  const isOfLast = last !== undefined && Math.floor(last.fromMs / MINUTE_MS) === Math.floor(one.fromMs / MINUTE_MS);
  const newest = isOfLast ? { ...one, fromMs: last.fromMs, ...together([last, one]) } : one;
  const before = isOfLast ? observed.slice(0, -1) : observed;
  const fresh = before.findIndex(({ toMs }) => toMs > one.toMs - WINDOW_MS_MAX);
  return fresh === -1 ? [newest] : [...before.slice(fresh), newest];
}

export interface Burn {
  readonly long: number;
  readonly short: number;
}

export interface Burning {
  readonly rule: BurnRule;
  readonly fires: boolean;
  /** It would, if what is known reached back over its short window: no time to call it good. */
  readonly isEarly: boolean;
  readonly candidate: Burn;
  readonly stable: Burn;
  /**
   * ln of the evidence, within the long window, that the candidate spends more than is planned, and is worse than stable
   * where anything runs beside it: a candidate that is no worse than a stable that burns too is not to blame.
   */
  readonly logHarm: number;
}

/** How clumped events are: what compares both tracks, and what the candidate does alone. */
export interface BurnDispersion {
  readonly ratio: number;
  readonly rate: number;
}

/**
 * Each rule over the intervals that ended within its windows. A rule fires on a track, or on both together, when both its
 * windows burn at the factor or faster, and when what is known reaches back over its short window. The long one is judged by
 * what there is of it: a release need not be as old.
 */
export function burning(
  observed: readonly Observed[],
  objective: number,
  nowMs: number,
  dispersionOf: (longSinceMs: number, shortSinceMs: number) => BurnDispersion,
): readonly Burning[] {
  const sinceMs = observed[0]?.fromMs ?? nowMs;
  return BURN_RULES.map((rule) => {
    const isKnown = sinceMs <= nowMs - rule.shortMs;
    const long = observed.filter(({ toMs }) => toMs > nowMs - rule.longMs);
    const longSum = together(long);
    const shortSum = together(long.filter(({ toMs }) => toMs > nowMs - rule.shortMs));
    const burnsOn = (long: Counts, short: Counts): boolean =>
      short.bad >= BURN_EVENTS_MIN && burnOf(long, objective) >= rule.factor && burnOf(short, objective) >= rule.factor;
    const onCandidate = burnsOn(longSum.candidate, shortSum.candidate);
    const burns =
      onCandidate ||
      burnsOn(longSum.stable, shortSum.stable) ||
      burnsOn(sumOf(longSum.candidate, longSum.stable), sumOf(shortSum.candidate, shortSum.stable));
    return {
      rule,
      fires: burns && isKnown,
      isEarly: burns && !isKnown && rule.shortMs <= EARLY_MS_MAX,
      candidate: { long: burnOf(longSum.candidate, objective), short: burnOf(shortSum.candidate, objective) },
      stable: { long: burnOf(longSum.stable, objective), short: burnOf(shortSum.stable, objective) },
      logHarm:
        onCandidate && isKnown
          ? blame(long, longSum, objective, dispersionOf(nowMs - rule.longMs, nowMs - rule.shortMs))
          : 0,
    };
  });
}

/** How many units the candidate needs within the hour so that the fastest burn could have been seen. */
export function unitsToSeeBurn(objective: number): number {
  return Math.ceil(BURN_EVENTS_MIN / (BURN_RULES[0].factor * (1 - objective)));
}

function blame(
  observed: readonly Observed[],
  { candidate, stable }: Pair,
  objective: number,
  dispersion: BurnDispersion,
): number {
  const spends = logMeanExp(rateTerms(candidate, 1 - objective, 'above').map((term) => term / dispersion.rate));
  if (stable.units === 0) return spends;
  return Math.min(spends, logHarm(observed.reduce(addInterval, noEvidence(2)), dispersion.ratio));
}

function together(observed: readonly Pair[]): Pair {
  return observed.reduce(
    (sum, { candidate, stable }) => ({
      candidate: sumOf(sum.candidate, candidate),
      stable: sumOf(sum.stable, stable),
    }),
    { candidate: NOTHING, stable: NOTHING },
  );
}

function burnOf({ units, bad }: Counts, objective: number): number {
  return units === 0 ? 0 : bad / units / (1 - objective);
}
