import { isInWindow, type WeeklyWindow } from '#kernel/audiences/language/compile-time.ts';

const MINUTE_MS = 60_000;
/** Length of the periods that traffic is counted in, and in which the rest of a budget is spread anew. */
export const QUARTER_MS = 900_000;
export const QUARTERS_OF_WEEK = 672;
const WEEK_MS = QUARTERS_OF_WEEK * QUARTER_MS;
/** A budget that fell behind catches up at most so many times as fast as it would be spent evenly. */
const CATCH_UP = 3;
/** A quarter of an hour without a break so far is expected to have so many of the mean: something is released for it. */
const LEAST_SHARE = 0.02;
/** Bisections of a time span: a year to the millisecond. */
const STEPS = 36;

/** Expected breaks between two moments, in any unit. */
export type TrafficCurve = (fromMs: number, untilMs: number) => number;

/** The same traffic at any time. */
export const FLAT: TrafficCurve = (fromMs, untilMs) => Math.max(0, untilMs - fromMs);

/**
 * The curve of a week, by the mean of each quarter of an hour in UTC, repeated. Flat without any traffic. With `shares` only so much of
 * each quarter counts.
 */
export function weeklyCurve(means: Float64Array, shares?: Float64Array): TrafficCurve {
  const all = means.reduce((sum, mean) => sum + mean, 0);
  if (all === 0 && shares === undefined) return FLAT;
  const least = all === 0 ? 1 : (LEAST_SHARE * all) / QUARTERS_OF_WEEK;
  const sums = new Float64Array(QUARTERS_OF_WEEK + 1);
  for (let quarter = 0; quarter < QUARTERS_OF_WEEK; quarter += 1)
    sums[quarter + 1] = (sums[quarter] as number) + Math.max(least, means[quarter] ?? 0) * (shares?.[quarter] ?? 1);
  const week = sums[QUARTERS_OF_WEEK] as number;
  return (fromMs, untilMs) => Math.max(0, since(untilMs) - since(fromMs));

  function since(ms: number): number {
    const weeks = Math.floor(ms / WEEK_MS);
    const quarters = (ms - weeks * WEEK_MS) / QUARTER_MS;
    const whole = Math.floor(quarters);
    const before = sums[whole] as number;
    return weeks * week + before + (quarters - whole) * ((sums[whole + 1] as number) - before);
  }
}

/** The share of each quarter of the week in UTC that has parts of the week by a clock, which is so far from UTC. */
export function sharesOf(parts: readonly WeeklyWindow[], offsetMs: number): Float64Array {
  return Float64Array.from({ length: QUARTERS_OF_WEEK }, (_, quarter) => {
    let minutes = 0;
    for (let ms = quarter * QUARTER_MS; ms < (quarter + 1) * QUARTER_MS; ms += MINUTE_MS)
      if (parts.some((part) => isInWindow(part, ms + offsetMs))) minutes += 1;
    return (minutes * MINUTE_MS) / QUARTER_MS;
  });
}

/** The quarter of the week in UTC that a moment is in: 0 to 671, from the weekday of the epoch on. */
export function quarterOfWeek(ms: number): number {
  return Math.floor((((ms % WEEK_MS) + WEEK_MS) % WEEK_MS) / QUARTER_MS);
}

/** A budget that is spread over a time. */
export interface Spread {
  /** The whole budget of the time. */
  readonly limit: number;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Units that were released at a moment within the time: the rest is spread from there. */
  readonly base: { readonly released: number; readonly atMs: number };
}

/**
 * Units that may be used up to a moment. The rest of the budget is spread over the rest of the time as traffic is expected:
 * feed-forward by the curve, feedback by the use at the base (`rebase`). What was missed before comes back over the rest, never at
 * more than three times the even rate.
 */
export function releasedAt(nowMs: number, { limit, fromMs, untilMs, base }: Spread, curve: TrafficCurve): number {
  const rest = limit - base.released;
  if (rest <= 0) return limit;
  const ahead = curve(base.atMs, untilMs);
  const share = ahead === 0 ? 0 : curve(base.atMs, Math.min(nowMs, untilMs)) / ahead;
  const whole = curve(fromMs, untilMs);
  const most = whole === 0 ? 1 : (CATCH_UP * limit * ahead) / whole;
  return base.released + Math.floor(Math.min(rest, most) * share);
}

/**
 * The base of the next period, by the use at its beginning. Of what was released and not used a little stays, so that small
 * budgets get to their next unit: as much as a quarter of an hour releases, or `least`. The rest is spread anew.
 */
export function rebase(
  spread: Spread,
  curve: TrafficCurve,
  at: { readonly ms: number; readonly used: number; readonly least: number },
): Spread['base'] {
  const unused = releasedAt(at.ms, spread, curve) - at.used;
  const quarter =
    releasedAt(at.ms + QUARTER_MS, { ...spread, base: { released: at.used, atMs: at.ms } }, curve) - at.used;
  return { atMs: at.ms, released: at.used + Math.max(0, Math.min(unused, Math.max(at.least, quarter))) };
}

/** When so many units may be used; undefined where that is never within the time. */
export function findRelease(units: number, spread: Spread, curve: TrafficCurve): number | undefined {
  let [early, late] = [spread.base.atMs, spread.untilMs];
  if (releasedAt(late, spread, curve) < units) return undefined;
  for (let step = 0; step < STEPS && late - early > 1; step += 1) {
    const middle = (early + late) / 2;
    if (releasedAt(middle, spread, curve) < units) early = middle;
    else late = middle;
  }
  return late;
}
