import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { isBegun, isFinished, type Effect, type Step } from './advance.ts';
import type { TargetSeen } from './progress.ts';

const LOOK_AGAIN_MS = {
  /** For what does not show yet. */
  unseen: 1_000,
  /** For what is unknown or has failed, and for targets that tell nobody what they saw. */
  unknown: 5_000,
} as const;

/**
 * How soon a release is looked at again after a step that left nothing to do, in milliseconds; undefined: when something
 * changes. Pure.
 *
 * @param isFollowed whether a target of it follows Heads by and by
 */
export function lookAgainMs(
  { policy }: ReleaseSpec,
  { standing: { state }, wakeAtMs }: Step,
  targets: readonly TargetSeen[],
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

/** How soon a release is looked at again after effects were carried out: what is asked of others takes its time to show. Pure. */
export function lookAfterMs(
  effects: readonly Effect[],
  before: readonly TargetSeen[],
  after: readonly TargetSeen[],
): number {
  const intentsIn = (targets: readonly TargetSeen[]) => JSON.stringify(targets.map(({ intent }) => intent));
  const isSlow = intentsIn(before) === intentsIn(after) && effects.some((effect) => effect.do !== 'restore');
  return isSlow ? LOOK_AGAIN_MS.unseen : 0;
}

/** How soon a target may have something new to tell: those that follow Heads by and by tell nobody of it. */
function placesMs(targets: readonly TargetSeen[], isFollowed: boolean): number {
  const states = new Set(targets.flatMap(({ places }) => places.map(({ state }) => state)));
  if (states.has('progressing')) return LOOK_AGAIN_MS.unseen;
  return isFollowed || states.has('unknown') || states.has('failed') ? LOOK_AGAIN_MS.unknown : Infinity;
}

/** How soon there is something new to judge. */
function judgedEveryMs(policy: ReleaseSpec['policy']): number {
  const { guardrails = [], judging } = policy?.spec ?? {};
  return judging !== undefined && guardrails.length > 0 ? durationMs(judging.every) : Infinity;
}
