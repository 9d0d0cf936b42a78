import { NOTHING, sumOf, type Counts, type Pair } from './interval.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { rateTerms } from './rate-evidence.ts';
import { addInterval, logHarm, noEvidence } from './risk-ratio-evidence.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export interface BurnRule {
  /** How many times faster than planned the budget burns. */
  readonly factor: number;
  /** Both windows must burn: the long one shows that the burn matters, the short one that it goes on. */
  readonly longMs: number;
  readonly shortMs: number;
}

/** Google's SRE Workbook, "Alerting on SLOs", for an objective of 30 days: 2 %, 5 % and 10 % of the budget. */
export const BURN_RULES: readonly [BurnRule, ...BurnRule[]] = [
  { factor: 14.4, longMs: HOUR_MS, shortMs: 5 * MINUTE_MS },
  { factor: 6, longMs: 6 * HOUR_MS, shortMs: 30 * MINUTE_MS },
  { factor: 1, longMs: 72 * HOUR_MS, shortMs: 6 * HOUR_MS },
];
/** No rule reads anything older. */
const WINDOW_MS_MAX = 72 * HOUR_MS;
/**
 * A rule with a longer short window holds nothing before that window is known: a service that spends slightly too much still takes
 * releases.
 */
const EARLY_MS_MAX = 30 * MINUTE_MS;
/**
 * Fewer events in the short window do not fire a rule. At a burn of 1, five events where a third is expected occur once in 30,000.
 */
const BURN_EVENTS_MIN = 5;

export interface Observation extends Pair {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Adds a window and drops the ones that no rule reads any more. Windows that begin in the same minute are merged, so three days are
 * 4,320 entries at most. The shortest window of a rule is five minutes.
 */
export function addObservation(observed: readonly Observation[], one: Observation): readonly Observation[] {
  const last = observed.at(-1);
  const isOfLast = last !== undefined && Math.floor(last.fromMs / MINUTE_MS) === Math.floor(one.fromMs / MINUTE_MS);
  const newest = isOfLast ? { ...one, fromMs: last.fromMs, ...sumPairs([last, one]) } : one;
  const before = isOfLast ? observed.slice(0, -1) : observed;
  const fresh = before.findIndex(({ toMs }) => toMs > one.toMs - WINDOW_MS_MAX);
  return fresh === -1 ? [newest] : [...before.slice(fresh), newest];
}

export interface Burn {
  readonly long: number;
  readonly short: number;
}

export interface RuleBurn {
  readonly rule: BurnRule;
  readonly fires: boolean;
  /** The rule would fire, but observations do not span its short window yet: too early to pass. */
  readonly isEarly: boolean;
  readonly candidate: Burn;
  readonly stable: Burn;
  /**
   * ln of the evidence, within the long window, that the candidate exceeds its budget and, where stable runs beside it, is worse
   * than stable. A candidate that is no worse than a stable that burns too is not to blame.
   */
  readonly logHarm: number;
}

/** How clumped events are: for the comparison of both tracks, and for the candidate alone. */
export interface BurnDispersion {
  readonly ratio: number;
  readonly rate: number;
}

/**
 * Applies each rule to the intervals that ended within its windows. A rule fires on one track, or on both together, when both its
 * windows burn at its factor or faster and observations span its short window. The long window uses the observations that exist: a
 * release need not be as old.
 */
export function burnByRule(
  observed: readonly Observation[],
  objective: number,
  nowMs: number,
  dispersionOf: (longSinceMs: number, shortSinceMs: number) => BurnDispersion,
): readonly RuleBurn[] {
  const sinceMs = observed[0]?.fromMs ?? nowMs;
  return BURN_RULES.map((rule) => {
    const isKnown = sinceMs <= nowMs - rule.shortMs;
    const long = observed.filter(({ toMs }) => toMs > nowMs - rule.longMs);
    const longSum = sumPairs(long);
    const shortSum = sumPairs(long.filter(({ toMs }) => toMs > nowMs - rule.shortMs));
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

/** Units that the candidate needs within the hour for the fastest burn to be visible. */
export function unitsToSeeBurn(objective: number): number {
  return Math.ceil(BURN_EVENTS_MIN / (BURN_RULES[0].factor * (1 - objective)));
}

function blame(
  observed: readonly Observation[],
  { candidate, stable }: Pair,
  objective: number,
  dispersion: BurnDispersion,
): number {
  const spends = logMeanExp(rateTerms(candidate, 1 - objective, 'above').map((term) => term / dispersion.rate));
  if (stable.units === 0) return spends;
  return Math.min(spends, logHarm(observed.reduce(addInterval, noEvidence(2)), dispersion.ratio));
}

function sumPairs(observed: readonly Pair[]): Pair {
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
