import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { isBegun, isFinished, type Effect, type ReleaseStep } from './advance.ts';
import type { TargetObservation } from './progress.ts';

const LOOK_AGAIN_MS = {
  /** For effects that are not visible yet. */
  unseen: 1_000,
  /** For unknown or failed places, and for targets that send no notifications. */
  unknown: 5_000,
} as const;

/**
 * Delay until the next look after a step without actions, in milliseconds; undefined: at the next change. Pure.
 *
 * @param isFollowed whether one of its targets follows Heads asynchronously
 */
export function lookAgainMs(
  { policy }: ReleaseSpec,
  { standing: { state }, wakeAtMs }: ReleaseStep,
  targets: readonly TargetObservation[],
  { nowMs, isFollowed }: { readonly nowMs: number; readonly isFollowed: boolean },
): number | undefined {
  if (isFinished(state)) return undefined;
  const afterMs = Math.min(
    wakeAtMs === undefined ? Infinity : wakeAtMs - nowMs,
    state.at === 'exposing' ? judgedEveryMs(policy) : Infinity,
    isBegun(state) ? placesMs(targets, isFollowed) : Infinity,
  );
  return Number.isFinite(afterMs) ? Math.max(1, afterMs) : undefined;
}

/** Delay until the next look after actions: asynchronous targets need time. Pure. */
export function lookAfterMs(
  effects: readonly Effect[],
  before: readonly TargetObservation[],
  after: readonly TargetObservation[],
): number {
  const intentsIn = (targets: readonly TargetObservation[]) => JSON.stringify(targets.map(({ intent }) => intent));
  const isSlow = intentsIn(before) === intentsIn(after) && effects.some((effect) => effect.do !== 'restore');
  return isSlow ? LOOK_AGAIN_MS.unseen : 0;
}

/** When a target may have news: asynchronous targets send no notification. */
function placesMs(targets: readonly TargetObservation[], isFollowed: boolean): number {
  const states = new Set(targets.flatMap(({ places }) => places.map(({ state }) => state)));
  if (states.has('progressing')) return LOOK_AGAIN_MS.unseen;
  return isFollowed || states.has('unknown') || states.has('failed') ? LOOK_AGAIN_MS.unknown : Infinity;
}

/** When the next judgement is due. */
function judgedEveryMs(policy: ReleaseSpec['policy']): number {
  const { guardrails = [], judging } = policy?.spec ?? {};
  return judging !== undefined && guardrails.length > 0 ? durationMs(judging.every) : Infinity;
}
