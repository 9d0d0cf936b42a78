import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { VirtualKind } from '#kernel/api/handler.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import { notFound } from '#kernel/store/rules/write.ts';
import { displacing, untilText, type Step } from '../engine/advance.ts';
import { command, notNow } from '../engine/command.ts';
import { planHash } from '../engine/form.ts';
import { lookAt, requireKeptSide } from '../engine/look.ts';
import { reckonFreezes } from '../engine/reckon-freezes.ts';
import { createRelease, noting, releaseName, writeStep } from '../engine/release-writes.ts';
import { pinOperation, pinning, unpinOperation, withNamespaces, writingBack } from '../engine/restore.ts';
import { sameSide } from '../engine/same-side.ts';
import { countApprovals, type Person } from '../engine/approvals.ts';
import type { MayApprove } from '../engine/carry-releases.ts';
import { pinsOf } from '../engine/guard.ts';
import { Pin, BY_HAND, pinName } from '../kinds/pin.ts';
import { RELEASE_COMMANDS, ReleaseCommand, type CommandSpec, type CommandVerb } from '../kinds/release-command.ts';
import { STOP_NAME, Stop } from '../kinds/stop.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { Phase, ReleaseStanding } from '../kinds/release-status.ts';

/** A command is tried so often on what somebody else changes at the same time. */
const TRIES_MAX = 10;

/**
 * How posted commands are carried out, by `Kind.id/subresource`: what they come to is written at once, under the name of
 * whoever asked, and the engine does the rest. With `dryRun` nothing is written.
 */
export function releaseCommands(parts: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly mayApprove: MayApprove;
  readonly clock: Clock;
}): ReadonlyMap<string, VirtualKind> {
  const { store, kinds, mayApprove, clock } = parts;
  const freezes = reckonFreezes({ store, kinds });
  return new Map(RELEASE_COMMANDS.map((verb) => [`${Release.id}/${verb}`, answerTo(verb)]));

  function answerTo(verb: CommandVerb): VirtualKind {
    return async (given, { user, author, dryRun, name = '' }) => {
      const spec = ReleaseCommand.spec(given) ?? {};
      for (let tries = 1; ; tries += 1) {
        await store.fresh();
        const entry = store.get(Release, '', name);
        if (entry === undefined) throw notFound(Release, name);
        const object = entry.object();
        const operations = await operationsOf(verb, spec, user, object);
        try {
          if (operations.length > 0) await store.write(operations, by(author), { dryRun });
          return store.get(Release, '', name)?.object() ?? object;
        } catch (error) {
          // The engine was faster: what was asked is decided anew.
          if (!(error instanceof Refusal && error.code === 'resources/conflict') || tries >= TRIES_MAX) throw error;
        }
      }
    };
  }

  async function operationsOf(
    verb: CommandVerb,
    given: CommandSpec,
    user: Person,
    object: ResourceObject,
  ): Promise<Operation[]> {
    const { name } = object.metadata;
    const spec = Release.spec(object);
    const status = Release.status(object);
    if (status === undefined) throw notFound(Release, name);
    const { standing } = status;
    const nowMs = clock().epochMilliseconds;
    if (verb === 'pin') {
      // On what a release is under way with it would only hold up that release.
      if (spec.open) throw notNow(name, 'it is under way', 'Abort it, or roll it back, which pins as well.');
      return pinned(spec, given, user.name, name);
    }
    if (verb === 'unpin') return unpinned(spec, name);
    if (verb === 'rollback' && standing.state.at === 'promoted') return rolledBack(name, spec, given, user, nowMs);
    if (verb === 'promote' && standing.state.at === 'exposing') requireFree(name, spec, nowMs);
    const next = command(verb, given, user, name, spec, standing, nowMs);
    const withoutRight = new Set(
      next.approvals
        .filter(({ user: approver, uid, groups }) => !mayApprove({ name: approver, uid, groups }, name))
        .map((one) => one.user),
    );
    const { needed, given: approvals } = countApprovals(spec, next.approvals, { nowMs, withoutRight });
    const step = { ...stepOf(next, verb, given, status.phase), approvals: { needed, given: approvals } };
    return writeStep(object, step, new Map(), nowMs, user.name);
  }

  /** What is asked while all is stopped or frozen would act later, when whoever asked does not look. */
  function requireFree(name: string, spec: ReleaseSpec, nowMs: number): void {
    const stop = store.get(Stop, '', STOP_NAME);
    if (stop !== undefined) {
      const why = `every release is stopped: ${Stop.spec(stop.object()).reason}`;
      throw notNow(name, why, 'Promote it when that is over: backline release resume-all.');
    }
    const frozen = freezes.holding(spec, nowMs);
    if (frozen === undefined) return;
    const until = untilText(frozen.untilMs);
    const remedy = `Promote it then. What cannot wait: who answers for the freeze ends it: kubectl delete freeze ${frozen.name}.`;
    throw notNow(name, `freeze ${frozen.name} holds it until ${until}: ${frozen.because}`, remedy);
  }

  /** A release that takes back one that everybody has: everything that it changed, in one step, with pins. */
  async function rolledBack(
    name: string,
    spec: ReleaseSpec,
    given: CommandSpec,
    { name: by, mintedBy = [] }: Person,
    nowMs: number,
  ): Promise<Operation[]> {
    const refuse = (why: string, remedy: string) =>
      new Refusal('releases/no-rollback', 'Conflict', `Release "${name}" cannot be rolled back: ${why}.`, {
        subject: name,
        remedy,
      });
    if (spec.rollbackOf !== undefined) {
      throw refuse(`it took back ${spec.rollbackOf} itself`, 'Let go of the pins and apply the change again.');
    }
    const look = lookAt(store, kinds);
    const changed = spec.objects.filter((one) => !sameSide(one.to, look(one).live?.object));
    if (changed.length > 0) {
      const what = changed
        .slice(0, 3)
        .map(({ kind, name: one }) => `${kinds.byId(kind).kind} "${one}"`)
        .join(', ');
      throw refuse(`${what} has changed since`, 'Roll back first what came after it.');
    }
    const because = given.reason ?? `Release ${name} is rolled back; no reason was given.`;
    const objects = spec.objects.toReversed().map(({ kind, name: one, from, to }) => ({
      kind,
      name: one,
      ...(to === undefined ? {} : { from: to }),
      ...(from === undefined ? {} : { to: from }),
    }));
    const notify = spec.policy?.spec.notify;
    const policy =
      spec.policy === undefined || notify === undefined
        ? undefined
        : { name: spec.policy.name, spec: { ...withoutApprovals(spec.policy.spec), stages: [], guardrails: [] } };
    const back: ReleaseSpec = {
      number: store.version() + 1,
      authors: [by, ...mintedBy],
      changeSet: `rollback of ${name}`,
      ...(policy === undefined ? {} : { policy }),
      objects,
      planHash: planHash(objects, []),
      rollbackOf: name,
      open: true,
    };
    const displaced = new Map(
      objects.flatMap(({ kind, name: one }) =>
        store.find(Release, 'openObject', `${kind} ${one}`).map((entry) => [entry.name, entry] as const),
      ),
    );
    const backName = releaseName({ ...back, objects: spec.objects }, 'back-');
    const displacements = [...displaced.values()].flatMap((entry) => {
      const other = entry.object();
      const status = Release.status(other);
      if (status === undefined || status.standing.state.at === 'retracting') return [];
      return writeStep(
        other,
        displacing(status.standing, `Release ${backName} takes its place.`, by),
        new Map(),
        nowMs,
        by,
      );
    });
    const state = { at: 'waiting', for: 'turn' } as const;
    const step: Step = {
      standing: { state, approvals: [] },
      effects: [],
      tell: [],
      phase: 'Waiting',
      message: because,
    };
    return [
      ...pinning(spec, { release: name, by, because }, store, kinds, nowMs),
      noting(name, { takenBack: { how: 'rolledBack', by, because } }),
      ...createRelease(backName, back, step, nowMs, by),
      ...displacements,
      ...(await declaredBack(objects)),
    ];
  }

  /** What was live before is declared again, so that the next change starts from it. */
  async function declaredBack(objects: ReleaseSpec['objects']): Promise<Operation[]> {
    const operations = await Promise.all(
      objects.map(async ({ kind: kindId, name, from, to }) => {
        const kind = kinds.byId(kindId);
        const wanted = await requireKeptSide(store, kind, name, to);
        return writingBack(kind, name, from, wanted?.object, store);
      }),
    );
    return withNamespaces(operations.flat(), store);
  }

  function pinned({ objects }: ReleaseSpec, given: CommandSpec, by: string, name: string): Operation[] {
    const { reason = 'No reason was given.', until } = given;
    return objects.map(({ kind, name: one }) =>
      pinOperation(pinName(kinds.byId(kind), one, BY_HAND), {
        object: { kind, name: one },
        release: name,
        by,
        reason,
        ...(until === undefined ? {} : { until }),
      }),
    );
  }

  /** Lets go of what was pinned for a release, by its rollback or by hand; what others pinned stays so. */
  function unpinned({ objects, rollbackOf }: ReleaseSpec, name: string): Operation[] {
    const pins = objects.flatMap(({ kind, name: one }) => pinsOf(store, kinds.byId(kind), one));
    const release = rollbackOf ?? name;
    const own = pins.filter((pin) => Pin.spec(pin.object()).release === release);
    if (own.length > 0) return own.map((pin) => unpinOperation(pin.name));
    const [other] = pins;
    const why = other === undefined ? '' : ` by it; ${other.name} is a pin of something that it changed`;
    throw new Refusal('releases/not-pinned', 'Conflict', `Nothing that release "${name}" changed is pinned${why}.`, {
      subject: name,
      ...(other === undefined ? {} : { remedy: `Let go of it: kubectl delete pin ${other.name}.` }),
    });
  }
}

function withoutApprovals<Spec extends { approvals?: unknown }>({
  approvals: _approvals,
  ...spec
}: Spec): Omit<Spec, 'approvals'> {
  return spec;
}

/** Who asked may do this: it was settled where the command was let through, and no rule about the kinds stands in the way. */
function by({ user, requestId }: Author): Author {
  return { user, requestId };
}

const SAID: Readonly<Record<Exclude<CommandVerb, 'pin' | 'unpin'>, string>> = {
  approve: 'approved it',
  pause: 'paused it',
  resume: 'lets it go on',
  promote: 'lets it go on from this stage',
  abort: 'aborted it',
  rollback: 'rolls it back',
  seal: 'sealed it',
};

/** What the release looks like until the engine has looked at it. */
function stepOf(standing: ReleaseStanding, verb: keyof typeof SAID, { reason }: CommandSpec, before: Phase): Step {
  const { state, paused } = standing;
  const isBack = state.at === 'retracting';
  const isPause = verb === 'pause' && paused !== undefined;
  const said = isPause
    ? `Paused by ${paused.by}: ${paused.because}`
    : `${SAID[verb]}${reason === undefined ? '' : `: ${reason}`}`;
  const going = before === 'Paused' ? 'Waiting' : before;
  const phase = isBack ? 'RollingBack' : paused === undefined ? going : 'Paused';
  const tell: Step['tell'] = isPause ? ['paused'] : verb === 'resume' && before === 'Paused' ? ['resumed'] : [];
  return { standing, effects: [], tell, phase, message: isBack ? state.because : said };
}
