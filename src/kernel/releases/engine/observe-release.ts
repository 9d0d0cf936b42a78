import type { Clock } from '#kernel/base/clock.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Evidence, GuardrailVerdict } from '../evidence.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import { splitIn } from '../kinds/splits.ts';
import { stagesOf } from '../kinds/release-stages.ts';
import { STOP_NAME, Stop } from '../kinds/stop.ts';
import { isOverSeveralTargets, type ReleasePart, type Targets } from '../kinds/targets.ts';
import type { ReleaseObservation } from './advance.ts';
import { usersWithoutRight, type MayApprove } from './approvals.ts';
import type { ChangeView } from './change-view.ts';
import type { EngineTimes } from './engine-times.ts';
import type { FollowedFreezes } from './follow-freezes.ts';
import type { Intents } from './intent.ts';
import { withFailures } from './effective-verdicts.ts';
import type { OpenReleases, TrackedRelease } from './open-releases.ts';
import type { TargetObservation } from './progress.ts';
import {
  NOTHING_PLANNED,
  missingReferences,
  pinReasons,
  planRelease,
  takenBackReasons,
  type ReleasePlan,
} from './release-problems.ts';
import { releasesAhead } from './releases-ahead.ts';
import type { StepEffects } from './step-effects.ts';

interface Parts {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly intents: Intents;
  readonly evidence: Evidence;
  readonly freezes: FollowedFreezes;
  readonly effects: StepEffects;
  readonly times: EngineTimes;
  readonly mayApprove: MayApprove;
  readonly clock: Clock;
}

/** Slow information about a release. */
export interface ReleaseInquiry {
  readonly parts: readonly ReleasePart[];
  /** The version of the store and the neighbouring releases, at the start of the inquiry. */
  readonly version: number;
  readonly behind: readonly string[];
  readonly beside: readonly string[];
  readonly plan: ReleasePlan;
  /** Whether it or a neighbour advances target by target. */
  readonly isMixed: boolean;
  /** Conflicts with its neighbours. */
  readonly conflicts: readonly string[];
  readonly verdicts: ReadonlyMap<string, GuardrailVerdict>;
}

/** Asks targets, checks and the judge about a release. */
export async function inquire(
  { store, kinds, open, intents, evidence, targets, clock }: Parts,
  release: TrackedRelease,
): Promise<ReleaseInquiry> {
  const { spec, standing } = release;
  const { at } = standing.state;
  const version = store.version();
  const parts = intents.parts(spec);
  const { beside, behind } = open.before(release);
  const needsPlan = at === 'waiting' || at === 'promoting';
  const plan = needsPlan ? await planRelease(release, parts, intents) : NOTHING_PLANNED;
  const others = beside.flatMap((other) => open.get(other) ?? []);
  // A release over several targets passes through several intermediate states: nothing runs beside it.
  const isMixed = [release, ...others].some((one) => isOverSeveralTargets(one.spec, kinds));
  const needsOthers = needsPlan && plan.problems.length === 0 && others.length > 0 && !isMixed;
  const conflicts = needsOthers ? await intents.problems(release, others) : [];
  const verdicts = await judge(evidence, release, targets, clock().epochMilliseconds);
  await inTurns(intents.read(spec));
  return { parts, version, behind, beside, plan, isMixed, conflicts, verdicts };
}

/** The observation of a release now, without waiting: from the inquiry and from stored state. */
export function observe(
  { store, live, kinds, targets, open, intents, freezes, effects, times, mayApprove, clock }: Parts,
  release: TrackedRelease,
  inquiry: ReleaseInquiry,
  view: ChangeView,
): ReleaseObservation {
  const { name, spec, object, standing } = release;
  const { state } = standing;
  const { plan, isMixed, conflicts } = inquiry;
  const now = clock();
  const nowMs = now.epochMilliseconds;
  const stop = store.get(Stop, '', STOP_NAME);
  const frozen = mayBeHeld(spec, state) ? freezes.holding(spec, nowMs) : undefined;
  const failure =
    spec.rollbackOf !== undefined && plan.problems.length > 0 ? plan.problems.join('; ') : effects.failureOf(name);
  const isWaiting = state.at === 'waiting';
  const world = { store, live, kinds, targets };
  return {
    nowMs,
    targets: observeTargets(intents, name, inquiry.parts),
    remains: plan.remains,
    problems: [...plan.problems, ...pinReasons(spec, world, now), ...(isWaiting ? missingReferences(spec, world) : [])],
    takenBackChanges: isWaiting ? takenBackReasons(spec, world, view) : [],
    withoutRight: usersWithoutRight(standing.approvals, name, mayApprove),
    behind: releasesAhead(open.before(release), { isMixed, conflicts }),
    ...(stop === undefined ? {} : { stopped: { because: Stop.spec(stop.object()).reason } }),
    ...(frozen === undefined ? {} : { frozen }),
    verdicts: withFailures(inquiry.verdicts, Release.status(object)?.guardrails),
    restored: effects.isRestored(release, standing, nowMs),
    ...(failure === undefined ? {} : { failure }),
    ...times.now,
  };
}

/** The intent for each target, and the state of its places. */
export function observeTargets(intents: Intents, release: string, parts: readonly ReleasePart[]): TargetObservation[] {
  return parts.map((part) => ({
    name: part.target.name,
    intent: intents.of(release, part),
    places: intents.targetOf(part.target.name).observe({ name: release, objects: part.objects }),
  }));
}

const NOTHING_JUDGED: ReadonlyMap<string, GuardrailVerdict> = new Map();

async function judge(
  evidence: Evidence,
  { name, uid, spec, standing: { state } }: TrackedRelease,
  targets: Targets,
  nowMs: number,
): Promise<ReadonlyMap<string, GuardrailVerdict>> {
  const { policy } = spec;
  if (policy === undefined || policy.spec.guardrails.length === 0) return NOTHING_JUDGED;
  if (state.at !== 'exposing' || state.seenMs === undefined) return NOTHING_JUDGED;
  const { stage, seenMs, earlier = [] } = state;
  const splits = stagesOf(policy.spec).map((_, at) => splitIn(policy.spec, at, targets));
  return evidence.verdicts({ name, uid, spec, stage, splits, seenMs, earlier }, nowMs);
}

/** Holds do not apply to a rollback, and neither does a freeze that cannot be evaluated. */
function mayBeHeld({ rollbackOf }: ReleaseSpec, { at }: ReleaseState): boolean {
  return rollbackOf === undefined && (at === 'waiting' || at === 'exposing' || at === 'promoting');
}
