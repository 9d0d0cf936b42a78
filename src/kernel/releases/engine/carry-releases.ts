import { isDeepStrictEqual } from 'node:util';
import { fieldPath } from '#kernel/base/failures.ts';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '#kernel/access/kinds/rbac.ts';
import { ServiceAccount } from '#kernel/access/kinds/service-account.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { runController, type ControllerMetrics, type Requeue } from '#kernel/controllers/controller.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Store } from '#kernel/store/contract.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Evidence, GuardrailVerdict } from '../evidence.ts';
import { ROLLBACK_USER, pinOn } from './guard.ts';
import { isThere } from '../live.ts';
import { Pin } from '../kinds/pin.ts';
import { Release } from '../kinds/release.ts';
import { RELEASE_POLICY } from '../kinds/release-policy.ts';
import { PrometheusSource } from '../kinds/prometheus-source.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { REMAINDERS_MAX, type ReleaseStanding, type ReleaseState, type Remainder } from '../kinds/release-status.ts';
import { stagesOf } from '../kinds/stages-of.ts';
import { STOP_NAME, Stop } from '../kinds/stop.ts';
import { followFreezes } from './follow-freezes.ts';
import { couplingProblem } from '../rules/coupling.ts';
import { policyRefs } from '../rules/policy-refs.ts';
import { splitIn } from '../kinds/splits.ts';
import type { CarriedRelease } from '../kinds/target.ts';
import type { ReleasePart, Targets } from '../kinds/targets.ts';
import type { Intents } from './intent.ts';
import type { TargetSeen } from './progress.ts';
import { ENGINE, advance, displacing, isBegun, isFinished, type Effect, type Seen } from './advance.ts';
import { policiesIn, policiesOf } from '../rules/choose-policy.ts';
import { bringsBack } from './brings-back.ts';
import type { Declarations } from './declarations.ts';
import { carriedOf, originIn, specOf, type Look, type OpenRelease, type World } from './form.ts';
import { withSentences } from './describe-release.ts';
import { withFailures } from './known-verdicts.ts';
import { lookAt } from './look.ts';
import { footprintOf, type OpenReleases, type TrackedRelease } from './open-releases.ts';
import { rolledBack, writeStep } from './release-writes.ts';
import { pinning, restoring } from './restore.ts';
import { sameSide } from './same-side.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'carry-releases' };
const RESTORER: Author = { user: ROLLBACK_USER, requestId: 'carry-releases' };

const LIMITS = {
  /** Releases in work at a time: enough to share commits. */
  workers: 256,
  /** A step that failed so often in a row is told to people. */
  failuresMax: 3,
  /** How soon it is looked again for what cannot be told now, and for what does not show yet. */
  unknownMs: 5_000,
  /** By how much a clock may go forward by itself. */
  leapMs: 5_000,
  lookAgainMs: 1_000,
  /** What fails is tried again at the latest after this. */
  retryMsMax: 30_000,
} as const;

/** Asks the rules in force whether somebody may approve a release. */
export type MayApprove = (
  user: { readonly name: string; readonly uid: string | undefined; readonly groups: readonly string[] },
  release: string,
) => boolean;

export interface Carrying {
  /** Looks at a release now. */
  readonly look: (name: string) => void;
  readonly stop: () => Promise<void>;
}

/**
 * Carries every open release on: sees, lets `advance` decide, writes what was decided, and only then does it. Goes by what
 * is stored alone, so that it may be killed at any moment, and another goes on from there.
 */
export function carryReleases(options: {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
  /** Whether somebody may approve a release, by the rules in force now. */
  readonly mayApprove: MayApprove;
  readonly targets: Targets;
  readonly intents: Intents;
  readonly evidence: Evidence;
  /** Called when a release has come to its end. */
  readonly ended: (spec: ReleaseSpec) => void;
  readonly awakeSinceMs: number;
  readonly asleepSinceMs: number;
  readonly clock: Clock;
  /** Time that passes, whatever the clock shows. */
  readonly steadyMs: () => number;
  readonly time: Time;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}): Carrying {
  const { store, live, kinds, open, declarations, mayApprove, targets, intents, evidence, clock, steadyMs, time, log } =
    options;
  let { awakeSinceMs, asleepSinceMs } = options;
  let clockAheadMs = clock().epochMilliseconds - steadyMs();
  const failures = new Map<string, { readonly count: number; readonly because: string }>();
  /** Each open release has its own, so that what it has looked at is dropped with it. */
  const looks = new Map<string, Look>();
  const controller = runController({
    name: 'releases',
    watches: [],
    reconcile,
    workers: LIMITS.workers,
    time,
    random: options.random,
    limits: { retryMsFirst: 100, retryMsMax: LIMITS.retryMsMax, retriesPerSecond: 1_000, retriesAtOnce: 1_000 },
    log,
    metrics: options.metrics,
  });
  for (const { name } of open.all()) controller.add(name);
  const freezes = followFreezes({
    store,
    kinds,
    atEdge: () => {
      for (const { name } of open.all()) controller.add(name);
    },
    clock,
    time,
    log,
  });
  const unsubscribe = store.subscribe(follow);
  return {
    look: controller.add,
    stop: async () => {
      unsubscribe();
      await Promise.all([controller.stop(), freezes.stop()]);
    },
  };

  function follow(changes: readonly Change[]): void {
    let all = false;
    let world = false;
    for (const { entry, type } of changes) {
      world ||= entry.kind.id === RELEASE_POLICY;
      switch (entry.kind) {
        case Release: {
          const before = open.get(entry.name);
          if (type === 'DELETED') open.forget(entry.name);
          else open.track(entry);
          if (open.get(entry.name) !== undefined) controller.add(entry.name);
          else if (before !== undefined) hasEnded(before);
          break;
        }
        case Stop:
        case Pin:
          all = true;
          break;
        case PrometheusSource:
        case Head:
        // Whose approval counts may be another question now.
        case Role:
        case ClusterRole:
        case RoleBinding:
        case ClusterRoleBinding:
        case ServiceAccount:
          world = true;
      }
    }
    if (!all && !world) return;
    for (const { name, standing } of open.all()) {
      // Whoever waits for its turn is told by those that it waits for.
      if (all || (standing.state.at === 'waiting' && standing.state.for !== 'turn')) controller.add(name);
    }
  }

  /** What it held is free: others may go. */
  function hasEnded({ name, spec }: OpenRelease): void {
    drop(name);
    const { certain, possible } = open.waiting.inTheWay(name, footprintOf(spec));
    for (const other of [...certain, ...possible]) controller.add(other);
    options.ended(spec);
  }

  function drop(name: string): void {
    failures.delete(name);
    looks.delete(name);
  }

  async function reconcile(name: string): Promise<Requeue | void> {
    const release = open.get(name);
    if (release === undefined) return drop(name);
    const { spec, object, standing, uid, version } = release;
    const { state } = standing;
    const isRebased = state.at === 'waiting' && spec.rollbackOf === undefined;
    if (isRebased) {
      await loadDeclarations(release);
      const operations = rebased(release);
      if (operations.length > 0) return void (await store.write(operations, AUTHOR));
    }
    const seenVersion = store.version();
    const parts = intents.parts(spec);
    const { beside, behind: behindBefore } = open.before(release);
    const needsPlan = state.at === 'waiting' || state.at === 'promoting';
    const { problems: alone, remains } = needsPlan ? await planned(release, parts) : NOTHING_PLANNED;
    const others = beside.flatMap((other) => open.get(other) ?? []);
    // What goes out target by target is in several worlds one after the other: nothing goes beside it.
    const isMixed = [release, ...others].some((one) => intents.parts(one.spec).length > 1);
    const needsOthers = needsPlan && alone.length === 0 && others.length > 0;
    const together = needsOthers && !isMixed ? await intents.problems(release, others) : [];
    const judged =
      state.at === 'exposing' && state.seenMs !== undefined && (spec.policy?.spec.guardrails.length ?? 0) > 0
        ? await evidence.verdicts(
            {
              name,
              uid,
              spec,
              stage: state.stage,
              splits: splitsOf(spec),
              seenMs: state.seenMs,
              earlier: state.earlier ?? [],
            },
            clock().epochMilliseconds,
          )
        : NOTHING_JUDGED;

    noticeLeap();
    // From here to the claim nothing is awaited: what is seen is what is decided upon.
    if (store.get(Release, '', name)?.version !== version) return { afterMs: 0 };
    const { behind, beside: besideNow } = open.before(release);
    const isSeen = store.version() === seenVersion && behind.length === behindBefore.length;
    if (isRebased && !isSeen && rebased(release).length > 0) return { afterMs: 0 };
    if (state.at === 'waiting' && besideNow.some((other) => !beside.includes(other))) return { afterMs: 0 };
    const nowMs = clock().epochMilliseconds;
    const verdicts = withFailures(judged, Release.status(object)?.guardrails);
    const failure = failures.get(name);
    const isStuckRollback = spec.rollbackOf !== undefined && alone.length > 0;
    const failing = isStuckRollback
      ? alone.join('; ')
      : (failure?.count ?? 0) >= LIMITS.failuresMax
        ? failure?.because
        : undefined;
    const stop = store.get(Stop, '', STOP_NAME);
    const frozen = mayBeHeld(spec, state) ? freezes.holding(spec, nowMs) : undefined;
    const seen: Seen = {
      nowMs,
      targets: targetsNow(name, parts),
      remains,
      problems: [...alone, ...pinsOn(spec), ...(state.at === 'waiting' ? missingIn(spec) : [])],
      bringsBack: state.at === 'waiting' ? broughtBack(release) : [],
      withoutRight: new Set(
        standing.approvals
          .filter(({ user, uid, groups }) => !mayApprove({ name: user, uid, groups }, name))
          .map(({ user }) => user),
      ),
      behind:
        together.length > 0 || (isMixed && besideNow.length > 0)
          ? [...new Set([...behind, ...besideNow])].sort()
          : behind,
      ...(stop === undefined ? {} : { stopped: { because: Stop.spec(stop.object()).reason } }),
      ...(frozen === undefined ? {} : { frozen }),
      verdicts,
      restored: isRestored(release, standing, nowMs),
      ...(failing === undefined ? {} : { failure: failing }),
      awakeSinceMs,
      asleepSinceMs,
    };
    const decided = advance(spec, standing, seen);
    const share = shareIn(spec, decided.standing.state);
    const step = share === undefined ? decided : { ...decided, share };
    const begins = isBegun(step.standing.state) && !isBegun(state);
    if (begins) open.claim(name, spec, step.standing);
    const operations = writeStep(object, step, verdicts, nowMs);
    if (spec.rollbackOf !== undefined && step.standing.state.at === 'promoted') {
      const taken = store.get(Release, '', spec.rollbackOf);
      if (taken !== undefined) operations.push(...rolledBack(taken.object(), name, nowMs));
    }
    if (operations.length > 0) {
      try {
        await store.write(operations, AUTHOR);
      } catch (error) {
        if (begins) open.reload(name);
        throw error;
      }
      // The step is done from what was written: a decision that did not last is not carried out.
      if (step.effects.length > 0) return { afterMs: 0 };
    } else {
      for (const effect of step.effects) await carryOut(release, effect, nowMs);
      // What is asked of others takes its time to show.
      const intentsOf = (some: readonly TargetSeen[]): string => JSON.stringify(some.map(({ intent }) => intent));
      const isSame = intentsOf(targetsNow(name, parts)) === intentsOf(seen.targets);
      const isSlow = isSame && step.effects.some((effect) => effect.do !== 'restore');
      if (step.effects.length > 0) return { afterMs: isSlow ? LIMITS.lookAgainMs : 0 };
    }
    if (isFinished(step.standing.state)) return;
    const waits = [
      step.wakeAtMs === undefined ? Infinity : step.wakeAtMs - nowMs,
      judgedEveryMs(spec, step.standing.state.at === 'exposing'),
      isBegun(step.standing.state) ? lookAgainMs(seen.targets, parts) : Infinity,
    ];
    const afterMs = Math.min(...waits);
    return Number.isFinite(afterMs) ? { afterMs: Math.max(1, afterMs) } : undefined;
  }

  /** What keeps a release from being shown at all, in sentences, and what taking it back would leave behind. */
  async function planned(release: TrackedRelease, parts: readonly ReleasePart[]): Promise<typeof NOTHING_PLANNED> {
    const { name, spec } = release;
    const order = parts.map(({ target }) => target);
    const coupling =
      spec.policy === undefined || spec.rollbackOf !== undefined ? undefined : couplingProblem(spec.policy, order);
    if (coupling !== undefined) return { problems: [coupling], remains: [] };
    const plans = await Promise.all(
      parts.map(async ({ target, objects }) => {
        const plan = await intents.opened(target.name).plan({ name, objects });
        return { target: target.name, ...plan };
      }),
    );
    const remains = plans.flatMap(({ target, actions }) =>
      actions.flatMap(({ kind, name: object, undo, remains: says = '' }): Remainder[] =>
        undo === 'exact' ? [] : [{ target, kind, name: object, undo, says }],
      ),
    );
    const problems = [...(await intents.problems(release, [])), ...plans.flatMap((plan) => plan.problems)];
    return { problems, remains: remains.slice(0, REMAINDERS_MAX) };
  }

  function targetsNow(name: string, parts: readonly ReleasePart[]): TargetSeen[] {
    return parts.map((part) => ({
      name: part.target.name,
      intent: intents.of(name, part),
      places: intents.opened(part.target.name).observe({ name, objects: part.objects }),
    }));
  }

  /** In per cent. */
  function shareIn({ policy }: ReleaseSpec, state: ReleaseState): number | undefined {
    if (policy === undefined || state.at !== 'exposing') return undefined;
    const split = splitIn(policy.spec, state.stage, targets);
    return split === undefined ? undefined : Number((split.share * 100).toFixed(4));
  }

  function splitsOf({ policy }: ReleaseSpec) {
    if (policy === undefined) return [];
    return stagesOf(policy.spec).map((_, stage) => splitIn(policy.spec, stage, targets));
  }

  /** A clock that leaps forward, as after a suspension, is as if no engine had run meanwhile. */
  function noticeLeap(): void {
    const nowMs = clock().epochMilliseconds;
    const aheadMs = nowMs - steadyMs();
    const leapMs = aheadMs - clockAheadMs;
    clockAheadMs = aheadMs;
    if (leapMs < LIMITS.leapMs) return;
    awakeSinceMs = nowMs;
    asleepSinceMs = nowMs - leapMs;
    for (const { name } of open.all()) controller.add(name);
  }

  async function carryOut(release: CarriedRelease, effect: Effect, nowMs: number): Promise<void> {
    const { name } = release;
    try {
      await act(release, effect, nowMs);
      failures.delete(name);
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error);
      failures.set(name, { count: (failures.get(name)?.count ?? 0) + 1, because });
      throw error;
    }
  }

  async function act(release: CarriedRelease, effect: Effect, nowMs: number): Promise<void> {
    switch (effect.do) {
      case 'expose':
        return intents.expose(release, effect.target, effect.stage);
      case 'promote':
        return intents.promote(release);
      case 'retract':
        return intents.retract(release, effect.target);
      case 'restore':
        return void (await store.write(restorations(release, effect.pin, nowMs), RESTORER));
      default:
        return effect satisfies never;
    }
  }

  function restorations({ name, spec, object }: CarriedRelease, pin: boolean, nowMs: number): Operation[] {
    const state = Release.status(object)?.standing.state;
    const { by = ENGINE, because = '' } = state?.at === 'retracting' ? state : {};
    return [
      ...(pin ? pinning(spec, { release: name, by, because }, store, kinds, nowMs) : []),
      ...restoring(spec, store, live.get, kinds),
    ];
  }

  function isRestored(release: CarriedRelease, { state }: ReleaseStanding, nowMs: number): boolean {
    return state.at !== 'retracting' || restorations(release, state.end === 'rolledBack', nowMs).length === 0;
  }

  /** What its stages and guardrails go by and is not there: nobody would be reached, and nothing judged. */
  function missingIn({ policy }: ReleaseSpec): string[] {
    if (policy === undefined) return [];
    const missing = policyRefs(policy.spec, targets).filter(
      ({ kind, name, isShadow }) => !isShadow && !isThere(store, live, kinds, kind, name),
    );
    return missing.map(
      ({ kind, name, path }) =>
        `policy ${policy.name}, ${fieldPath(path)}: there is no ${kinds.byId(kind).released ? 'live ' : ''}${kinds.byId(kind).kind} "${name}"`,
    );
  }

  /** What authors, policies and rollbacks are told by. */
  async function loadDeclarations({ name: release, spec }: TrackedRelease): Promise<void> {
    const { look } = worldNow(release);
    for (const one of spec.objects) {
      const { kind, name, live: now } = look(one);
      await declarations.load(kind, name, now?.object, one.to);
    }
  }

  function worldNow(release: string): World {
    const look = looks.get(release) ?? lookAt(store, kinds);
    looks.set(release, look);
    return {
      kinds,
      targets,
      policies: policiesIn(store, kinds),
      look,
      trail: ({ kind, name, live: now }, to) => declarations.between(kind.id, name, now?.object, to),
    };
  }

  function broughtBack({ name: release, spec: { objects, rollbackOf } }: TrackedRelease): string[] {
    if (rollbackOf !== undefined) return [];
    const { look, trail } = worldNow(release);
    return objects.flatMap((one) => {
      const { kind, name } = look(one);
      return bringsBack(store, kind, name, one.to, trail(look(one), one.to));
    });
  }

  /** What was declared before it was pinned does not go live either. */
  function pinsOn({ objects, rollbackOf }: ReleaseSpec): string[] {
    if (rollbackOf !== undefined) return [];
    return objects.flatMap(({ kind, name, to }) => {
      const pinned = pinOn(store, kinds.byId(kind), name, to, clock());
      return pinned === undefined ? [] : [pinned.because];
    });
  }

  /**
   * What has not begun goes by what is live and by the policies of now: a release that is ahead may have ended, and a
   * policy may have been edited. What has been approved is then another plan.
   */
  function rebased({ name, spec, standing, object }: TrackedRelease): Operation[] {
    const world = worldNow(name);
    const origin = originIn(spec);
    const { group } = spec;
    const objects = spec.objects.map((one) => {
      const { from: _before, ...kept } = one;
      const from = carriedOf(world.look(one)).from;
      return { ...kept, ...(from === undefined ? {} : { from }) };
    });
    // Behind another release it is not yet what will be live then.
    const isFirst = open.before({ name, spec }).behind.length === 0;
    const changing = isFirst ? objects.filter(({ from, to }) => !sameSide(from, to)) : objects;
    if (changing.every(({ from, to }) => sameSide(from, to))) {
      const because = 'What it brings is live already.';
      return writeStep(object, displacing(standing, because, ENGINE), new Map(), clock().epochMilliseconds);
    }
    const next = specOf(origin, changing, group, world, [spec]);
    if (
      next.planHash === spec.planHash &&
      isDeepStrictEqual(next.relies, spec.relies) &&
      isDeepStrictEqual(next.authors, spec.authors) &&
      next.unattended === spec.unattended &&
      isDeepStrictEqual(policiesOf(next), policiesOf(spec))
    )
      return [];
    return [
      {
        verb: 'update',
        kind: Release.id,
        namespace: '',
        name,
        part: 'main',
        object: { ...object, spec: withSentences(name, next, world.look, live, kinds, clock()) },
        fieldValidation: 'Ignore',
      },
    ];
  }
}

/** What is taken back is held by nothing, and what keeps a freeze from being reckoned with does not concern it. */
function mayBeHeld({ rollbackOf }: ReleaseSpec, { at }: ReleaseState): boolean {
  return rollbackOf === undefined && (at === 'waiting' || at === 'exposing' || at === 'promoting');
}

/** How soon a target may have something new to tell: those that follow Heads by and by tell nobody of it. */
function lookAgainMs(seen: readonly TargetSeen[], parts: readonly ReleasePart[]): number {
  const states = new Set(seen.flatMap(({ places }) => places.map(({ state }) => state)));
  if (states.has('progressing')) return LIMITS.lookAgainMs;
  const isFollowed = parts.some(({ target }) => target.follow !== undefined);
  return isFollowed || states.has('unknown') || states.has('failed') ? LIMITS.unknownMs : Infinity;
}

/** How soon there is something new to judge. */
function judgedEveryMs({ policy }: ReleaseSpec, isExposing: boolean): number {
  const { guardrails = [], judging } = policy?.spec ?? {};
  return isExposing && judging !== undefined && guardrails.length > 0 ? durationMs(judging.every) : Infinity;
}

const NOTHING_PLANNED: { readonly problems: readonly string[]; readonly remains: readonly Remainder[] } = {
  problems: [],
  remains: [],
};

const NOTHING_JUDGED: ReadonlyMap<string, GuardrailVerdict> = new Map();
