import { jitter } from '#kernel/base/time.ts';
import type { NotificationStatus } from '../kinds/notification.ts';

const LIMITS = {
  retryMsFirst: 2_000,
  retryMsMax: 600_000,
  /** A longer Retry-After of a receiver is cut to this. */
  retryAfterMsMax: 3_600_000,
  /** Delivery is given up after this time. */
  giveUpMs: 24 * 3_600_000,
  deliveredKeptMs: 7 * 24 * 3_600_000,
  /** Undelivered ones are kept longer, for diagnosis. */
  givenUpKeptMs: 30 * 24 * 3_600_000,
} as const;

/** Back-off after this many attempts; at least the Retry-After of the receiver. */
export function retryMs(attempts: number, retryAfterMs: number | undefined, random: () => number): number {
  const backOff = Math.min(LIMITS.retryMsFirst * 2 ** Math.min(attempts - 1, 30), LIMITS.retryMsMax);
  return Math.max(jitter(backOff, random), Math.min(retryAfterMs ?? 0, LIMITS.retryAfterMsMax));
}

/** Reads a Retry-After header: seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

interface DeliveryTimes {
  /** Time of the event. */
  readonly atMs: number;
  readonly deliveredMs: number | undefined;
}

type NextStep =
  /** Too late to send; with a status where none is stored. */
  | { readonly at: 'givenUp'; readonly status?: object }
  | { readonly at: 'waiting'; readonly afterMs: number }
  | { readonly at: 'due' };

/** Next action for an undelivered notification. */
export function nextStep(atMs: number, before: NotificationStatus, nowMs: number): NextStep {
  const { attempts, problem = 'never tried', nextAt, givenUpAt } = before;
  if (givenUpAt !== undefined) return { at: 'givenUp' };
  if (nowMs >= atMs + LIMITS.giveUpMs) {
    // An earlier version stored no time of giving up.
    if (nextAt === undefined && attempts > 0) return { at: 'givenUp' };
    return { at: 'givenUp', status: givenUp({ attempts, problem }, nowMs) };
  }
  const afterMs = nextAt === undefined ? 0 : Date.parse(nextAt) - nowMs;
  return afterMs > 0 ? { at: 'waiting', afterMs } : { at: 'due' };
}

/** The status of a notification that is given up. */
export function givenUp(
  { attempts, problem }: Pick<NotificationStatus, 'attempts' | 'problem'>,
  nowMs: number,
): object {
  const givenUpAt = Temporal.Instant.fromEpochMilliseconds(nowMs).toString();
  return { attempts, problem: `Given up: ${problem}`, nextAt: null, givenUpAt };
}

/** Whether it may be deleted. */
export function isOutdated({ atMs, deliveredMs }: DeliveryTimes, nowMs: number): boolean {
  return deliveredMs === undefined
    ? nowMs >= atMs + LIMITS.givenUpKeptMs
    : nowMs >= deliveredMs + LIMITS.deliveredKeptMs;
}
