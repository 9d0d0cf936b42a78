import type { Clustering } from './cells.ts';
import type { TimeHistory } from './time-history.ts';

/** Counts of one track in one interval. */
export interface Counts {
  /** Requests, listeners or sessions: everything that could have had the event. */
  readonly units: number;
  /**
   * Events of the metric's kind: errors, slow requests, conversions. A unit may have several. Fractions are valid: some sources
   * compute counts from rates.
   */
  readonly bad: number;
}

export interface Track extends Counts {
  /** The sum of the measured values, where a mean is judged. */
  readonly total?: number;
  /** The value of a gauge, where a value is judged. */
  readonly value?: number;
}

/** One interval of observation of both tracks. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
  readonly candidate: Track;
  readonly stable: Track;
  /** The intended share of the candidate's units, 0 to 1. Without it the split is not checked. */
  readonly share?: number;
  /** The candidate's counts by pod or node, where the source has them. */
  readonly sources?: Readonly<Record<string, Counts>>;
  /**
   * The stage of the release, and the first stage with the same audience and markets: intervals from then on may count for safety.
   */
  readonly stage?: number;
  readonly scope?: number;
  /** How events of units cluster up to the end of the interval: since the release began, and since the scope did. */
  readonly clustering?: { readonly release: Clustering; readonly scope: Clustering };
  /** The time noise of a track, learned before the release. */
  readonly history?: TimeHistory;
}

/** The two tracks as compared: the suspect is `candidate`. */
export interface Pair {
  readonly candidate: Counts;
  readonly stable: Counts;
}

/** The fault of an interval, in a few words; undefined when it can be counted. */
export function faultOf({ fromMs, toMs, candidate, stable, share, sources }: Interval): string | undefined {
  if (!(Number.isFinite(fromMs) && Number.isFinite(toMs) && fromMs < toMs)) return 'its times are not in order';
  if (share !== undefined && !(share >= 0 && share <= 1)) return `its share is ${share}`;
  for (const [name, track] of [['candidate', candidate] as const, ['stable', stable] as const]) {
    const fault = faultOfTrack(track);
    if (fault !== undefined) return `${name} ${fault}`;
  }
  for (const [name, counts] of Object.entries(sources ?? {})) {
    const fault = faultOfTrack(counts);
    if (fault !== undefined) return `${name} ${fault}`;
  }
  return undefined;
}

/** The counts of a track. Without any unit, a value that is not a number is 0/0: nothing happened. */
export function countsOf({ units, bad }: Counts): Counts {
  return units === 0 ? { units, bad: 0 } : { units, bad };
}

export function sumOf(a: Counts, b: Counts): Counts {
  return { units: a.units + b.units, bad: a.bad + b.bad };
}

export const NOTHING: Counts = { units: 0, bad: 0 };

function faultOfTrack({ units, bad, total, value }: Track): string | undefined {
  if (!isCount(units)) return `has ${units} units`;
  if (units === 0) return bad > 0 ? `has ${bad} events of no units` : undefined;
  if (!isCount(bad)) return `has ${bad} events`;
  if (total !== undefined && !isCount(Math.abs(total))) return `has a total of ${total}`;
  if (value !== undefined && !Number.isFinite(value)) return `has a value of ${value}`;
  return undefined;
}

/** A larger count is a fault: sums would overflow to infinity and blind all later intervals. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** Whether a value is possible as a count. */
export function isCount(value: number): boolean {
  return value >= 0 && value <= COUNT_MAX;
}
