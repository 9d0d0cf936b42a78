/** How long after a stage was seen its answers count: every node has followed by then. */
const SETTLE_MS = 2_000;

/** What is to be measured of a guardrail, as far as time tells. */
export interface Schedule {
  readonly grainMs: number;
  readonly everyMs: number;
  /** When the cohort of the stage was seen to have it. */
  readonly seenMs: number;
  /** The end of the last window that was measured, in whatever stage. */
  readonly lastToMs: number | undefined;
}

/** How long windows are at least: what the policy says, in whole grains of the source. */
export function windowMs({ grainMs, everyMs }: Pick<Schedule, 'grainMs' | 'everyMs'>): number {
  return Math.ceil(everyMs / grainMs) * grainMs;
}

/**
 * From when on the stage is measured: after the last window, and never before the stage, so that no window spans two. A
 * part of a grain at the start of a stage is left out.
 */
export function measuredFrom({ grainMs, seenMs, lastToMs = 0 }: Schedule): number {
  return Math.max(lastToMs, Math.ceil((seenMs + SETTLE_MS) / grainMs) * grainMs);
}

/** The next window when all before `untilMs` is there; undefined while it would be too short. */
export function dueWindow(
  schedule: Schedule,
  untilMs: number,
): { readonly fromMs: number; readonly toMs: number } | undefined {
  const fromMs = measuredFrom(schedule);
  const toMs = Math.floor(untilMs / schedule.grainMs) * schedule.grainMs;
  return toMs - fromMs < windowMs(schedule) ? undefined : { fromMs, toMs };
}
