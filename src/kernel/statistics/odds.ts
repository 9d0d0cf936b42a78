import type { Pair } from './interval.ts';
import { median } from './median.ts';

/** By how many times the odds of the tracks may differ from those of the windows before. */
const FACTOR_MAX = 4;
/** Windows that say what is usual. When most of them are otherwise, that is what is usual. */
const WINDOWS = 9;
/** By how many standard deviations chance may move them as well. */
const DEVIATIONS = 4;

/** How the units of the last windows of a stage fell into the tracks, as ln of the odds. Plain data. */
export interface Odds {
  readonly stage: number | null;
  readonly recent: readonly number[];
}

export const NO_ODDS: Odds = { stage: null, recent: [] };

/** Adds a window; one with nothing on a track says nothing. */
export function addOdds(state: Odds, pair: Pair, stage: number | null): Odds {
  const before = state.stage === stage ? state.recent : [];
  const logOdds = logOddsOf(pair);
  return { stage, recent: logOdds === undefined ? before : [...before, logOdds].slice(-WINDOWS) };
}

/**
 * The candidate's part of the units that is usual in the stage, where a window is so far from it that it is another traffic (a
 * load test against one track, a split that was changed by hand); undefined where it is as usual. What such traffic does
 * says nothing about either track.
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
