import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import { notFoundRefusal } from '#kernel/store/rules/write.ts';
import { untilText, type ReleaseStep } from '../engine/advance.ts';
import { countApprovals, usersWithoutRight, type MayApprove } from '../engine/approvals.ts';
import { command, notNow, type CommandRequest, type ProgressVerb } from '../engine/command.ts';
import { evaluateFreezes, type FreezeStates } from '../engine/evaluate-freezes.ts';
import { writeStep } from '../engine/release-writes.ts';
import { retiredKindText, unknownKindText } from '../engine/unknown-kinds.ts';
import { RELEASE_COMMANDS, ReleaseCommand, type CommandSpec, type CommandVerb } from '../kinds/release-command.ts';
import { STOP_NAME, Stop } from '../kinds/stop.ts';
import { Release } from '../kinds/release.ts';
import type { Phase, ReleaseEngineState } from '../kinds/release-status.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import { pinRelease, unpinRelease } from './pin-release.ts';
import { rollBackPromoted } from './roll-back-promoted.ts';

/** Retries of a command after concurrent writes. */
const TRIES_MAX = 10;

interface Parts {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly mayApprove: MayApprove;
  readonly clock: Clock;
}

/**
 * Handles posted commands, by `Kind.id/subresource`. The result is written at once under the name of the caller; the engine does
 * the rest. With `dryRun` nothing is written.
 */
export function releaseCommands(parts: Parts): ReadonlyMap<string, VirtualKind> {
  const { store, kinds } = parts;
  const freezes = evaluateFreezes({ store, kinds });
  return new Map(RELEASE_COMMANDS.map((verb) => [`${Release.id}/${verb}`, answerTo(verb, { ...parts, freezes })]));
}

function answerTo(verb: CommandVerb, parts: Parts & { readonly freezes: FreezeStates }): VirtualKind {
  const { store, clock } = parts;
  return async (given, { user, author, dryRun, limit, name = '' }) => {
    const spec = ReleaseCommand.spec(given) ?? {};
    for (let tries = 1; ; tries += 1) {
      await store.fresh();
      const entry = store.get(Release, '', name);
      if (entry === undefined) throw notFoundRefusal(Release, name);
      const object = entry.object();
      const request = { verb, given: spec, by: user, nowMs: clock().epochMilliseconds };
      const operations = await operationsOf(parts, request, object);
      try {
        if (operations.length > 0) await store.write(operations, withoutCaller(author), { dryRun, limit });
        return store.get(Release, '', name)?.object() ?? object;
      } catch (error) {
        // The engine wrote first: decide again.
        if (!(error instanceof Refusal && error.code === 'resources/conflict') || tries >= TRIES_MAX) throw error;
      }
    }
  };
}

/** Operations of a command. */
async function operationsOf(
  parts: Parts & { readonly freezes: FreezeStates },
  request: CommandRequest,
  object: ResourceObject,
): Promise<Operation[]> {
  const { store, kinds, mayApprove } = parts;
  const { verb, given, by, nowMs } = request;
  const { name } = object.metadata;
  const status = Release.status(object);
  if (status === undefined) throw notFoundRefusal(Release, name);
  const { standing, phase } = status;
  const release = { name, spec: Release.spec(object), standing };
  const isOfPromoted = verb === 'rollback' && standing.state.at === 'promoted';
  const needsKinds = isOfPromoted || verb === 'pin' || verb === 'unpin' || verb === 'promote';
  const unknown = needsKinds ? unknownKindText(release.spec, kinds) : undefined;
  if (unknown !== undefined) throw notNow(name, 'it has objects of unknown kinds', unknown);
  const retired = needsKinds ? retiredKindText(release.spec, kinds) : undefined;
  if (retired !== undefined) throw notNow(name, 'it has objects that are not released', retired);
  if (verb === 'pin') {
    // A pin on an object of an open release would only hold up that release.
    if (release.spec.open) throw notNow(name, 'it is in progress', 'Abort it, or roll it back, which pins as well.');
    return pinRelease(release, given, by.name, kinds);
  }
  if (verb === 'unpin') return unpinRelease(release, store, kinds);
  if (isOfPromoted) return rollBackPromoted(parts, release, request);
  if (verb === 'promote' && standing.state.at === 'exposing') requireFree(parts, release, nowMs);
  const next = command({ ...request, verb }, release);
  const withoutRight = usersWithoutRight(next.approvals, name, mayApprove);
  const { needed, given: approvals } = countApprovals(release.spec, next.approvals, { nowMs, withoutRight });
  const step = { ...stepOf(next, verb, given, phase), approvals: { needed, given: approvals } };
  return writeStep(object, step, { verdicts: new Map(), nowMs, by: by.name });
}

/** A promotion that is requested during a stop or a freeze would act later, unattended. */
function requireFree(
  { store, freezes }: { readonly store: Parts['store']; readonly freezes: FreezeStates },
  { name, spec }: PlannedRelease,
  nowMs: number,
): void {
  const stop = store.get(Stop, '', STOP_NAME);
  if (stop !== undefined) {
    const why = `every release is stopped: ${Stop.spec(stop.object()).reason}`;
    throw notNow(name, why, 'Promote it when that is over: backline release resume-all.');
  }
  const frozen = freezes.holding(spec, nowMs);
  if (frozen === undefined) return;
  const until = untilText(frozen.untilMs);
  const remedy = `Promote it then. If it cannot wait, ask the owner of the freeze to end it: kubectl delete freeze ${frozen.name}.`;
  throw notNow(name, `freeze ${frozen.name} holds it until ${until}: ${frozen.because}`, remedy);
}

/** The command itself was authorized; the rules of the kinds it writes do not apply to the caller. */
function withoutCaller({ user, requestId }: Author): Author {
  return { user, requestId };
}

const DONE_TEXT: Readonly<Record<ProgressVerb, string>> = {
  approve: 'approved it',
  pause: 'paused it',
  resume: 'resumed it',
  promote: 'promoted it from this stage',
  abort: 'aborted it',
  rollback: 'rolled it back',
  seal: 'sealed it',
};

/** The status of the release until the engine processes it. */
function stepOf(standing: ReleaseEngineState, verb: ProgressVerb, { reason }: CommandSpec, before: Phase): ReleaseStep {
  const { state, paused } = standing;
  const isBack = state.at === 'retracting';
  const isPause = verb === 'pause' && paused !== undefined;
  const text = isPause
    ? `Paused by ${paused.by}: ${paused.because}`
    : `${DONE_TEXT[verb]}${reason === undefined ? '' : `: ${reason}`}`;
  const going = before === 'Paused' ? 'Waiting' : before;
  const phase = isBack ? 'RollingBack' : paused === undefined ? going : 'Paused';
  const tell: ReleaseStep['tell'] = isPause ? ['paused'] : verb === 'resume' && before === 'Paused' ? ['resumed'] : [];
  return { standing, effects: [], tell, phase, message: isBack ? state.because : text };
}
