import type { Context, Matcher } from '#kernel/audiences/language/language.ts';

const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

export const AUDIENCE_LIMITS = {
  /** With fewer breaks in a week than this for the listeners of an ad set, it hardly delivers. */
  weeklyBreaksMin: 1_000,
} as const;

/** Breaks at one placement on one day (UTC), with an even sample of them. */
export interface BreakDay {
  readonly fromMs: number;
  readonly placement: string;
  readonly breaks: number;
  /** Attributes of their listeners that audiences may read; undefined: unknown. */
  readonly contexts: readonly (Context | undefined)[];
}

export interface WeekOfBreaks {
  /** When it was read. */
  readonly nowMs: number;
  readonly days: readonly BreakDay[];
}

/** The part of an ad set that decides which breaks it matches. */
export interface BreakMatch {
  /** Undefined: all. */
  readonly placements: ReadonlySet<string> | undefined;
  /** Undefined: everybody. */
  readonly matches: Matcher | undefined;
}

/**
 * The most breaks that listeners of an ad set can have in a week, by the whole days that are known, with 95 % confidence; undefined
 * where less than one is known, or a placement had no break. A listener with unknown attributes counts as one of them, so it is
 * never too low. Infinity where there are enough.
 */
export function weeklyBreaksAtMost(
  { nowMs, days }: WeekOfBreaks,
  { placements, matches }: BreakMatch,
): number | undefined {
  const firstMs = days.reduce((first, { fromMs }) => Math.min(first, fromMs), Infinity);
  // The first day is not known as a whole.
  const known = days.filter(
    ({ fromMs, placement }) =>
      fromMs > firstMs && fromMs >= nowMs - WEEK_DAYS * DAY_MS && placements?.has(placement) !== false,
  );
  const [fromMs] = known.map((one) => one.fromMs).toSorted((a, b) => a - b);
  if (fromMs === undefined || nowMs - fromMs < DAY_MS) return undefined;
  const seen = new Set(known.map(({ placement }) => placement));
  if (placements !== undefined && seen.size < placements.size) return undefined;
  const scale = (WEEK_DAYS * DAY_MS) / (nowMs - fromMs);
  let [total, matched, weightMax] = [0, 0, 0];
  for (const { breaks, contexts } of known) {
    if (matches === undefined) {
      total += breaks;
      continue;
    }
    if (contexts.length === 0) return undefined;
    const weight = breaks / contexts.length;
    const count = contexts.filter((context) => context === undefined || matches(context, nowMs) !== false).length;
    matched += count;
    total += weight * count;
    weightMax = Math.max(weightMax, weight);
    if (total * scale >= AUDIENCE_LIMITS.weeklyBreaksMin) return Infinity;
  }
  // At least the upper limit of the mean of a Poisson distribution of which `matched` were seen: 3.0 for none, 4.7 for one, 17 for ten.
  const unseen = weightMax > 1 ? (3 + 2 * Math.sqrt(matched)) * weightMax : 0;
  return (total + unseen) * scale;
}
