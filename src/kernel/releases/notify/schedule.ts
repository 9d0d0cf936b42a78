import { jittered } from '#kernel/base/time.ts';
import type { NotificationStatus } from '../kinds/notification.ts';

const LIMITS = {
  retryMsFirst: 2_000,
  retryMsMax: 600_000,
  /** A receiver that asks for more patience than this is asked again all the same. */
  retryAfterMsMax: 3_600_000,
  /** What nobody took for so long is news no more. */
  giveUpMs: 24 * 3_600_000,
  deliveredKeptMs: 7 * 24 * 3_600_000,
  /** What was given up is kept longer: somebody may want to know why. */
  givenUpKeptMs: 30 * 24 * 3_600_000,
} as const;

/** When to try again after so many attempts; never before the receiver wants it. */
export function retryMs(attempts: number, retryAfterMs: number | undefined, random: () => number): number {
  const backOff = Math.min(LIMITS.retryMsFirst * 2 ** Math.min(attempts - 1, 30), LIMITS.retryMsMax);
  return Math.max(jittered(backOff, random), Math.min(retryAfterMs ?? 0, LIMITS.retryAfterMsMax));
}

/** How long a receiver wants to be left alone: seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

interface Standing {
  /** When it happened. */
  readonly atMs: number;
  readonly deliveredMs: number | undefined;
}

type NextStep =
  /** Too late to send it; with a status where none says so yet. */
  | { readonly at: 'givenUp'; readonly status?: object }
  | { readonly at: 'waiting'; readonly afterMs: number }
  | { readonly at: 'due' };

/** What to do with what happened at a time and was not delivered yet. */
export function nextStep(atMs: number, before: NotificationStatus, nowMs: number): NextStep {
  const { attempts, problem = 'never tried', nextAt, givenUpAt } = before;
  if (givenUpAt !== undefined) return { at: 'givenUp' };
  if (nowMs >= atMs + LIMITS.giveUpMs) {
    // The status of before had no time of that.
    if (nextAt === undefined && attempts > 0) return { at: 'givenUp' };
    return { at: 'givenUp', status: givenUp({ attempts, problem }, nowMs) };
  }
  const afterMs = nextAt === undefined ? 0 : Date.parse(nextAt) - nowMs;
  return afterMs > 0 ? { at: 'waiting', afterMs } : { at: 'due' };
}

/** The status of what is not sent any more. */
export function givenUp(
  { attempts, problem }: Pick<NotificationStatus, 'attempts' | 'problem'>,
  nowMs: number,
): object {
  const givenUpAt = Temporal.Instant.fromEpochMilliseconds(nowMs).toString();
  return { attempts, problem: `Given up: ${problem}`, nextAt: null, givenUpAt };
}

/** Whether it need not be kept any longer. */
export function isOutdated({ atMs, deliveredMs }: Standing, nowMs: number): boolean {
  return deliveredMs === undefined
    ? nowMs >= atMs + LIMITS.givenUpKeptMs
    : nowMs >= deliveredMs + LIMITS.deliveredKeptMs;
}
