import type { Pair } from './interval.ts';
import { median } from './median.ts';

/** Factor by which the odds of the tracks may differ from those of the windows before. */
const FACTOR_MAX = 4;
/** Windows that define the usual odds. When most of them change, the usual odds change. */
const WINDOWS = 9;
/** Standard deviations of chance that are allowed on top. */
const DEVIATIONS = 4;

/** ln of the odds of the tracks in the last windows of a stage. Plain data. */
export interface Odds {
  readonly stage: number | null;
  readonly recent: readonly number[];
}

export const NO_ODDS: Odds = { stage: null, recent: [] };

/** Adds a window; skips one without units on a track. */
export function addOdds(state: Odds, pair: Pair, stage: number | null): Odds {
  const before = state.stage === stage ? state.recent : [];
  const logOdds = logOddsOf(pair);
  return { stage, recent: logOdds === undefined ? before : [...before, logOdds].slice(-WINDOWS) };
}

/**
 * The usual share of the candidate in the stage, where the share of a window is so far off that its traffic is a different one (a
 * load test against one track, a split changed by hand); undefined where the share is usual. Such traffic is no evidence about
 * either track.
 */
export function unusualShare({ stage, recent }: Odds, pair: Pair, of: number | null): number | undefined {
  const logOdds = logOddsOf(pair);
  if (logOdds === undefined || stage !== of || recent.length === 0) return undefined;
  const usual = median(recent);
  const chance = Math.sqrt(1 / pair.candidate.units + 1 / pair.stable.units);
  const isUsual = Math.abs(logOdds - usual) <= Math.log(FACTOR_MAX) + DEVIATIONS * chance;
  return isUsual ? undefined : 1 / (1 + Math.exp(-usual));
}

function logOddsOf({ candidate, stable }: Pair): number | undefined {
  return candidate.units === 0 || stable.units === 0 ? undefined : Math.log(candidate.units / stable.units);
}
