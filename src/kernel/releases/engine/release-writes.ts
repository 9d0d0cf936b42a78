import { isDeepStrictEqual } from 'node:util';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Reader } from '#kernel/store/contract.ts';
import { Notification } from '../kinds/notification.ts';
import type { PolicyEvent } from '../kinds/policy-spec.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import {
  guardrailStatus,
  HISTORY_MAX,
  type GuardrailStatus,
  type HistoryEntry,
  type ReleaseEngineState,
  type ReleaseStatus,
} from '../kinds/release-status.ts';
import { stagesOf } from '../kinds/release-stages.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import { endsIncident } from '../notify/message.ts';
import { ENGINE, isFinished, type ReleaseStep } from './advance.ts';
import type { EffectiveVerdicts } from './effective-verdicts.ts';
import { targetStatuses } from './target-status.ts';
import { timeText } from './time-text.ts';

/** Characters of an object's name in the name of a release. */
const NAME_PART_MAX = 60;
const MESSAGE_MAX = 4_000;

/** The name of a release: its first object and its unique number. */
export function releaseName({ number, objects, group }: ReleaseSpec, prefix = ''): string {
  const about = group ?? objects[0]?.name ?? 'change';
  const safe = about
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, NAME_PART_MAX);
  return `${prefix}${safe.replaceAll(/^-+|-+$/g, '') || 'change'}-${number}`;
}

/** A free name for a release: one write may go live in parts, when some of it is held. */
export function freeReleaseName(read: Pick<Reader, 'get'>, name: string): string {
  for (let part = 1; ; part += 1) {
    const free = part === 1 ? name : `${name}-${part}`;
    if (read.get(Release, '', free) === undefined) return free;
  }
}

/** Context of a step: verdicts, and time and author; absent: the engine. */
interface StepContext {
  readonly verdicts?: EffectiveVerdicts;
  readonly nowMs: number;
  readonly by?: string;
}

const NO_VERDICTS: EffectiveVerdicts = new Map();

/** Creates a release at a step, with notifications, in one write. */
export function createRelease(
  { name, spec }: PlannedRelease,
  step: ReleaseStep,
  when: Pick<StepContext, 'nowMs' | 'by'>,
): Operation[] {
  const object = { apiVersion: Release.apiVersion, kind: Release.kind, metadata: { name }, spec };
  const status = statusOf(undefined, spec, step, when);
  return [
    {
      verb: 'create',
      kind: Release.id,
      namespace: '',
      name,
      object,
      uid: crypto.randomUUID(),
      fieldValidation: 'Ignore',
    },
    {
      verb: 'patch',
      kind: Release.id,
      namespace: '',
      name,
      part: 'status',
      patchType: 'merge',
      patch: { status },
      fieldValidation: 'Ignore',
    },
    ...notifications({ name, spec }, step, when.nowMs),
  ];
}

/**
 * Writes the effect of a step on a release; refused when somebody else has written it since it was read. None when it is up to
 * date.
 */
export function writeStep(object: ResourceObject, step: ReleaseStep, context: StepContext): Operation[] {
  const spec = Release.spec(object);
  const before = Release.status(object);
  const status = statusOf(before, spec, step, context);
  const { name } = object.metadata;
  const target = { kind: Release.id, namespace: '', name, fieldValidation: 'Ignore' } as const;
  const operations: Operation[] = [];
  // As stored: undefined fields are absent.
  if (!isDeepStrictEqual(before, status)) {
    operations.push({ ...target, verb: 'update', part: 'status', object: { ...object, status } });
  }
  if (spec.open && isFinished(step.standing.state)) operations.push(closeRecord(name, takenBackBy(before, step)));
  return operations.length === 0 ? [] : [...operations, ...notifications({ name, spec }, step, context.nowMs)];
}

/** Replaces the spec of a release; refused when somebody else has written it since it was read. */
export function replaceSpec(object: ResourceObject, spec: ReleaseSpec): Operation {
  const { name } = object.metadata;
  const target = { kind: Release.id, namespace: '', name };
  return { ...target, verb: 'update', part: 'main', object: { ...object, spec }, fieldValidation: 'Ignore' };
}

/** Records on a promoted release that another one rolled it back. */
export function rolledBack(object: ResourceObject, by: string, nowMs: number): Operation[] {
  const status = Release.status(object);
  if (status?.phase !== 'Promoted' || status.rolledBackBy === by) return [];
  const message = `It was promoted, and rolled back by ${by}.`;
  const conditions = [...status.conditions, ...remainderCondition(status.standing, nowMs)];
  return [
    {
      verb: 'patch',
      kind: Release.id,
      namespace: '',
      name: object.metadata.name,
      part: 'status',
      patchType: 'merge',
      patch: { status: { message, rolledBackBy: by, conditions } },
      fieldValidation: 'Ignore',
    },
  ];
}

/** Who ended a release after exposure. A superseded release continues in the other one. */
function takenBackBy(
  before: ReleaseStatus | undefined,
  { standing: { state } }: ReleaseStep,
): ReleaseSpec['takenBack'] {
  const was = before?.standing.state;
  if (was?.at !== 'retracting' || !was.shown || (state.at !== 'aborted' && state.at !== 'rolledBack')) return undefined;
  return { how: state.at, by: state.by, because: state.because };
}

function closeRecord(name: string, takenBack: ReleaseSpec['takenBack']): Operation {
  return patchRecord(name, { open: false, ...(takenBack === undefined ? {} : { takenBack }) });
}

/** Patches the record of a release, independently of other writes. */
export function patchRecord(name: string, spec: Partial<Pick<ReleaseSpec, 'open' | 'takenBack'>>): Operation {
  return {
    verb: 'patch',
    kind: Release.id,
    namespace: '',
    name,
    part: 'main',
    patchType: 'merge',
    patch: { spec },
    fieldValidation: 'Ignore',
  };
}

function statusOf(
  before: ReleaseStatus | undefined,
  spec: ReleaseSpec,
  { standing, phase, message, held, approvals, wakeAtMs, share: shareNow, targets: seen, isOfUnknownKind }: ReleaseStep,
  { verdicts = NO_VERDICTS, nowMs, by = ENGINE }: StepContext,
): ReleaseStatus {
  const stages = spec.policy === undefined ? [] : stagesOf(spec.policy.spec);
  const stage = standing.state.at === 'exposing' ? stages[standing.state.stage] : undefined;
  const shown = message.slice(0, MESSAGE_MAX);
  const share = shareNow ?? (before?.stage === stage?.name ? before?.share : undefined);
  const names = stages.map(({ name }) => name);
  const targets = seen === undefined ? before?.targets : targetStatuses(before?.targets, seen, names, nowMs);
  // Actions of people are always recorded.
  const isNews = before?.phase !== phase || before.stage !== stage?.name || by !== ENGINE;
  const moment = (): HistoryEntry => ({
    at: timeText(nowMs),
    phase,
    by,
    message: stage === undefined ? shown : `${stage.name}: ${shown}`,
  });
  const guardrails = (spec.policy?.spec.guardrails ?? []).flatMap((guardrail): GuardrailStatus[] => {
    const verdict = verdicts.get(guardrail.name);
    const known = before?.guardrails?.find((one) => one.name === guardrail.name);
    if (verdict === undefined) return known === undefined ? [] : [known];
    return [guardrailStatus(guardrail, verdict)];
  });
  const isEnd = isFinished(standing.state);
  const shownApprovals = approvals ?? before?.approvals;
  const condition = (
    type: 'Promoted' | 'Finished' | 'KindUnknown',
    isTrue: boolean,
  ): ReleaseStatus['conditions'][number] => {
    const known = before?.conditions.find((one) => one.type === type);
    const status = isTrue ? 'True' : 'False';
    const lastTransitionTime = known?.status === status ? known.lastTransitionTime : timeText(nowMs);
    return { type, status, reason: phase, message: shown, lastTransitionTime };
  };
  return {
    phase,
    message: shown,
    ...(stage === undefined ? {} : { stage: stage.name, ...(share === undefined ? {} : { share }) }),
    ...(targets === undefined ? {} : { targets }),
    ...(held === undefined ? {} : { held: held.slice(0, MESSAGE_MAX) }),
    ...(shownApprovals === undefined ? {} : { approvals: shownApprovals }),
    ...(guardrails.length === 0 ? {} : { guardrails }),
    ...(wakeAtMs === undefined ? {} : { nextAt: timeText(wakeAtMs) }),
    ...(standing.remains === undefined ? {} : { remains: standing.remains }),
    standing,
    history: isNews ? [...(before?.history ?? []), moment()].slice(-HISTORY_MAX) : before.history,
    conditions: [
      condition('Promoted', phase === 'Promoted'),
      condition('Finished', isEnd),
      ...(isOfUnknownKind === true ? [condition('KindUnknown', true)] : []),
      ...(isEnd && phase !== 'Promoted' ? remainderCondition(standing, nowMs) : []),
    ],
  };
}

/** The condition for remainders of a rollback; none without remainders. */
function remainderCondition(
  { begun = [], remains = [] }: ReleaseEngineState,
  nowMs: number,
): ReleaseStatus['conditions'] {
  const left = remains.filter(({ target }) => begun.includes(target));
  if (left.length === 0) return [];
  const message = left
    .map(({ says }) => says)
    .join(' ')
    .slice(0, MESSAGE_MAX);
  const reason = left.some(({ undo }) => undo === 'none') ? 'NotUndone' : 'Kept';
  return [{ type: 'Remainder', status: 'True', reason, message, lastTransitionTime: timeText(nowMs) }];
}

/** One for each channel that subscribes to the event. */
function notifications(
  { name: release, spec: { policy } }: PlannedRelease,
  { tell, phase, message, standing }: ReleaseStep,
  nowMs: number,
): Operation[] {
  const notify = (
    what: PolicyEvent,
    channel: NonNullable<NonNullable<ReleaseSpec['policy']>['spec']['notify']>[number],
    index: number,
  ): Operation => {
    const stage = standing.state.at === 'exposing' ? `-${standing.state.stage}` : '';
    // The same event gets the same name, also after a crash, so that it is sent once.
    const name = `${release}-${what.toLowerCase()}${stage}-${index}-${nowMs.toString(36)}`;
    const spec = { release, event: what, phase, message: message.slice(0, MESSAGE_MAX), at: timeText(nowMs), channel };
    const object = { apiVersion: Notification.apiVersion, kind: Notification.kind, metadata: { name }, spec };
    return { verb: 'apply', kind: Notification.id, namespace: '', name, object, uid: crypto.randomUUID() };
  };
  return tell.flatMap((what) =>
    (policy?.spec.notify ?? []).flatMap((channel, index) =>
      channel.on.includes(what) || endsIncident(channel, what) ? [notify(what, channel, index)] : [],
    ),
  );
}
