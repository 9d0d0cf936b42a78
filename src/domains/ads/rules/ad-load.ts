/** How often a listener gets breaks. */
export interface AdLoad {
  readonly breaksPerHour?: number | undefined;
  readonly gapSeconds?: number | undefined;
}

/** Breaks are kept as exposures of this owner, which nothing else has: numbers of others are hashes. */
export const BREAKS = 0;

const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;

/** How long a break counts. */
export function loadWindowMs({ breaksPerHour, gapSeconds = 0 }: AdLoad): number {
  return Math.max(breaksPerHour === undefined ? 0 : HOUR_MS, gapSeconds * SECOND_MS);
}

/** Whether one more break now keeps to the load: the hour rolls, and the gap begins when a break is answered. */
export function mayBreak(
  { breaksPerHour = Infinity, gapSeconds = 0 }: AdLoad,
  breakTimesMs: readonly number[],
  nowMs: number,
): boolean {
  const inHour = breakTimesMs.filter((ms) => ms > nowMs - HOUR_MS).length;
  return inHour < breaksPerHour && breakTimesMs.every((ms) => ms <= nowMs - gapSeconds * SECOND_MS);
}
