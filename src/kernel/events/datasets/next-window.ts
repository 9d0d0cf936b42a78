import type { Progress } from './manifest.ts';

/** A range of transactions that is rolled at once. */
interface NextWindow {
  /** The progress after it is rolled. */
  readonly after: Progress;
  /** How many transactions it has. */
  readonly span: bigint;
  /** Whether it reaches the end of the log. */
  readonly isWhole: boolean;
}

/**
 * The next window: the whole log, or `spanMax` transactions of it, which do not advance `completeUntil`.
 *
 * @param seen every transaction below `xmin` has ended; all events received before `complete` are below it
 */
export function nextWindow(
  before: Progress,
  seen: { readonly xmin: bigint; readonly complete: Temporal.Instant | undefined },
  spanMax: bigint | undefined,
): NextWindow {
  const isWhole = spanMax === undefined || before.untilTx + spanMax >= seen.xmin;
  const after = isWhole
    ? { untilTx: seen.xmin, completeUntil: later(before.completeUntil, seen.complete) }
    : { untilTx: before.untilTx + spanMax, completeUntil: before.completeUntil };
  return { after, span: after.untilTx - before.untilTx, isWhole };
}

function later(before: Temporal.Instant, after: Temporal.Instant | undefined): Temporal.Instant {
  return after === undefined || Temporal.Instant.compare(before, after) > 0 ? before : after;
}
