import type { StageInterval } from '../kinds/release-status.ts';

/** Delay after the observation of a stage before its answers count: every node has followed by then. */
const SETTLE_MS = 2_000;

/** The measuring schedule of a guardrail. */
export interface Schedule {
  readonly grainMs: number;
  readonly everyMs: number;
  /** In the order of time; the last one may be open. */
  readonly stretches: readonly StageInterval[];
  /** The end of the last measured window, in any stage. */
  readonly lastToMs: number | undefined;
}

export interface DueWindow {
  readonly stage: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Minimum length of windows: the interval of the policy, rounded up to whole grains of the source. */
export function windowMs({ grainMs, everyMs }: Pick<Schedule, 'grainMs' | 'everyMs'>): number {
  return Math.ceil(everyMs / grainMs) * grainMs;
}

/**
 * The next interval to measure, with its start: after the last window, and never before its stage, so that no window spans two. A
 * part of a grain at the start or the end of a stage is skipped. undefined when nothing is left.
 */
export function nextStageInterval({
  grainMs,
  stretches,
  lastToMs = 0,
}: Schedule): (StageInterval & DueStart) | undefined {
  for (const stretch of stretches) {
    const fromMs = Math.max(lastToMs, Math.ceil((stretch.seenMs + SETTLE_MS) / grainMs) * grainMs);
    if (stretch.untilMs === undefined) return { ...stretch, fromMs };
    const untilMs = Math.floor(stretch.untilMs / grainMs) * grainMs;
    if (fromMs < untilMs) return { ...stretch, fromMs, untilMs };
  }
  return undefined;
}

interface DueStart {
  readonly fromMs: number;
}

/**
 * The next window when all data before `completeMs` has arrived; undefined while it would be too short. The end of a finished stage
 * is measured however short it is, so that its last moments count too.
 */
export function dueWindow(schedule: Schedule, completeMs: number): DueWindow | undefined {
  const next = nextStageInterval(schedule);
  if (next === undefined) return undefined;
  const { stage, fromMs, untilMs = Infinity } = next;
  const toMs = Math.min(Math.floor(completeMs / schedule.grainMs) * schedule.grainMs, untilMs);
  return toMs === untilMs || toMs - fromMs >= windowMs(schedule) ? { stage, fromMs, toMs } : undefined;
}
