import { exposuresOf, withServed, type AdHistory, type NewExposure } from './ad-history.ts';

/** How often a listener gets breaks. */
export interface AdLoad {
  readonly breaksPerHour?: number | undefined;
  readonly gapSeconds?: number | undefined;
  readonly graceMinutes?: number | undefined;
  readonly rewardedMinutes?: number | undefined;
}

/** Why the load allows no break now. */
export type LoadReason = 'rewarded' | 'grace' | 'adLoad';

/**
 * Kept as exposures of these owners, which nothing else has: numbers of others are hashes. Of breaks there are many; of the
 * others one each, the latest.
 */
export const LOAD_OWNERS = { breaks: 0, sessionStart: 1, question: 2, reward: 3 } as const;
/** The id of an exposure that the next one replaces. */
const LATEST = 0;

export const LOAD_LIMITS = {
  /** Breaks in an hour. So many of a listener are kept, the latest. */
  breaksPerHourMax: 60,
  /** As long as breaks are kept: an hour. */
  gapSecondsMax: 3_600,
} as const;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

/** After so long without a question for a break the next one begins a session; a grace is at most as long. */
export const SESSION_PAUSE_MINUTES = 30;
const SESSION_PAUSE_MS = SESSION_PAUSE_MINUTES * MINUTE_MS;

/** Why a listener with this history gets no break now; undefined where one keeps to the load. */
export function loadReason(
  load: AdLoad,
  history: AdHistory,
  { nowMs, hasGrace }: { readonly nowMs: number; readonly hasGrace: boolean },
): LoadReason | undefined {
  if (exposuresOf(history, LOAD_OWNERS.reward).some(({ ms }) => ms > nowMs)) return 'rewarded';
  const { graceMinutes = 0 } = load;
  if (hasGrace && nowMs < sessionStartMs(history, nowMs) + graceMinutes * MINUTE_MS) return 'grace';
  const breaks = exposuresOf(history, LOAD_OWNERS.breaks).map(({ ms }) => ms);
  return mayBreak(load, breaks, nowMs) ? undefined : 'adLoad';
}

/**
 * Whether one more break keeps to the load: no 60 minutes have more, and none is closer to it. Breaks of an episode are fetched
 * ahead, so some may come later.
 */
export function mayBreak(
  { breaksPerHour = Infinity, gapSeconds = 0 }: AdLoad,
  breakTimesMs: readonly number[],
  atMs: number,
): boolean {
  if (breakTimesMs.some((ms) => Math.abs(atMs - ms) < gapSeconds * SECOND_MS)) return false;
  const near = [...breakTimesMs, atMs].filter((ms) => Math.abs(atMs - ms) < HOUR_MS).sort((a, b) => a - b);
  return near.every((ms, place) => (near[place + breaksPerHour] ?? Infinity) - ms >= HOUR_MS);
}

/** A break as a whole, at its beginning. It is kept for the load of any policy, as breaks of all placements count together. */
export function breakExposure(id: number, atMs: number): NewExposure {
  const latestMax = LOAD_LIMITS.breaksPerHourMax;
  return { id, owners: [LOAD_OWNERS.breaks], keepMs: HOUR_MS, untilMs: atMs, hasPlayed: true, latestMax };
}

/** A question for a break: the session goes on, or begins. */
export function questionExposures(history: AdHistory, nowMs: number): readonly NewExposure[] {
  const latest = (owner: number): NewExposure => ({
    id: LATEST,
    owners: [owner],
    keepMs: SESSION_PAUSE_MS,
    untilMs: nowMs,
    hasPlayed: true,
  });
  const question = latest(LOAD_OWNERS.question);
  return sessionStartMs(history, nowMs) === nowMs ? [latest(LOAD_OWNERS.sessionStart), question] : [question];
}

/** Notes that a listener gets no breaks until then. Undefined where they get none for as long anyway. */
export function withReward(history: AdHistory, untilMs: number): AdHistory | undefined {
  if (exposuresOf(history, LOAD_OWNERS.reward).some(({ ms }) => ms >= untilMs)) return undefined;
  return withServed(history, [{ id: LATEST, owners: [LOAD_OWNERS.reward], keepMs: 0, untilMs }]);
}

/** When the session of a question at this moment began; -Infinity where that is longer ago than any grace. */
function sessionStartMs(history: AdHistory, nowMs: number): number {
  const isNew = exposuresOf(history, LOAD_OWNERS.question).every(({ ms }) => ms <= nowMs - SESSION_PAUSE_MS);
  if (isNew) return nowMs;
  return Math.max(...exposuresOf(history, LOAD_OWNERS.sessionStart).map(({ ms }) => ms));
}
