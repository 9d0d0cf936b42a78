import type { Stretch } from '../kinds/release-status.ts';

/** How long after a stage was seen its answers count: every node has followed by then. */
const SETTLE_MS = 2_000;

/** What is to be measured of a guardrail, as far as time tells. */
export interface Schedule {
  readonly grainMs: number;
  readonly everyMs: number;
  /** In the order of time; the last one may go on. */
  readonly stretches: readonly Stretch[];
  /** The end of the last window that was measured, in whatever stage. */
  readonly lastToMs: number | undefined;
}

export interface DueWindow {
  readonly stage: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** How long windows are at least: what the policy says, in whole grains of the source. */
export function windowMs({ grainMs, everyMs }: Pick<Schedule, 'grainMs' | 'everyMs'>): number {
  return Math.ceil(everyMs / grainMs) * grainMs;
}

/**
 * What is measured next, and from when on: after the last window, and never before its stage, so that no window spans two. A
 * part of a grain at the start or the end of a stage is left out. Undefined when there is nothing left.
 */
export function nextStretch({ grainMs, stretches, lastToMs = 0 }: Schedule): (Stretch & DueStart) | undefined {
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
 * The next window when all before `completeMs` is there; undefined while it would be too short. The end of a stage that is
 * over is measured however short it is: its last moments are looked at as well.
 */
export function dueWindow(schedule: Schedule, completeMs: number): DueWindow | undefined {
  const next = nextStretch(schedule);
  if (next === undefined) return undefined;
  const { stage, fromMs, untilMs = Infinity } = next;
  const toMs = Math.min(Math.floor(completeMs / schedule.grainMs) * schedule.grainMs, untilMs);
  return toMs === untilMs || toMs - fromMs >= windowMs(schedule) ? { stage, fromMs, toMs } : undefined;
}
