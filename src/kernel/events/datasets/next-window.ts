import type { Progress } from './manifest.ts';

/** A run of transactions that is rolled at once. */
interface NextWindow {
  /** The progress once it is rolled. */
  readonly after: Progress;
  /** How many transactions it has. */
  readonly span: bigint;
  /** Whether nothing is left behind it. */
  readonly isWhole: boolean;
}

/**
 * The window that follows: all that there is, or `spanMax` transactions of it, which say nothing about a time.
 *
 * @param seen every transaction below `xmin` has ended; what was received before `complete` is below it
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
