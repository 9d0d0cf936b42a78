import { isDeepStrictEqual } from 'node:util';
import { kubernetesTime } from '#kernel/base/clock.ts';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import { newEvent } from '#kernel/controllers/record-event.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import { Head, headName, headOf } from '#kernel/kinds/builtin/head.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { LIVE_CONDITION, liveCondition, releasedStatus } from '#kernel/kinds/released-status.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { HoldReasons } from '../settle.ts';
import type { ObjectRef } from './object-ref.ts';

/** The write that makes the declared state of an object live for everyone, or removes the object. */
export function headOperation(
  kind: Kind,
  name: string,
  wanted: LiveObject | undefined,
  entry: Entry | undefined,
): Operation {
  const target = { kind: Head.id, namespace: '', name: headName(kind, name) };
  if (wanted === undefined || entry === undefined) return { ...target, verb: 'delete' };
  const generation = entry.object().metadata.generation ?? 1;
  return {
    ...target,
    verb: 'apply',
    object: headOf(kind, name, { object: wanted, generation }),
    uid: crypto.randomUUID(),
  };
}

/** Status of an object: live, included in a release, or held. */
export type ObjectStatus =
  /** With problems where an earlier version of the program accepted it, and this one would not. */
  | { readonly is: 'live'; readonly problems?: HoldReasons }
  | { readonly is: 'carried'; readonly release: string }
  | { readonly is: 'held'; readonly reasons: HoldReasons };

/** The write of an object's status; none when it is up to date. Other conditions stay. */
export function statusOperation(
  entry: Entry,
  liveNow: LiveObject | undefined,
  standing: ObjectStatus,
  now: Temporal.Instant,
): Operation[] {
  const object = entry.object();
  const { generation = 1 } = object.metadata;
  const { liveRevision: _was, ...before } = releasedStatus(object);
  const live = liveCondition(object);
  const reported = conditionOf(standing);
  const lastTransitionTime = live?.status === reported.status ? live.lastTransitionTime : kubernetesTime(now);
  const others = (before.conditions ?? []).filter((condition) => condition !== live);
  const report = {
    observedGeneration: generation,
    ...(liveNow === undefined ? {} : { liveRevision: liveNow.revision }),
    ...(standing.is === 'carried' ? { release: standing.release } : {}),
    conditions: [{ type: LIVE_CONDITION, ...reported, observedGeneration: generation, lastTransitionTime }, ...others],
  };
  if (isDeepStrictEqual(object.status, { ...before, ...report })) return [];
  return [statusPatch(entry.kind, entry.namespace, entry.name, { liveRevision: null, ...report })];
}

/** Whether the declared state is live and the status shows it: nothing has to be done. */
export function isSettled(entry: Entry, liveNow: LiveObject | undefined): boolean {
  if (liveNow === undefined || liveNow.namespace !== entry.namespace) return false;
  if (!isDeepStrictEqual(liveNow.labels, entry.labels)) return false;
  return isReportedLive(entry, liveNow.revision);
}

function isReportedLive(entry: Entry, revision: string): boolean {
  const { before = '', after = '' } = entry.aroundSpec() ?? {};
  const inText = LIVE_STATUS.exec(after)?.groups;
  const declared = GENERATION.exec(before)?.[1];
  if (inText !== undefined && declared !== undefined) {
    return inText['revision'] === revision && inText['generation'] === declared;
  }
  const object = entry.outline();
  const reported = liveCondition(object);
  const { liveRevision, observedGeneration } = releasedStatus(object);
  const { generation = 1 } = object.metadata;
  const isReported = reported?.status === 'True' && reported.reason === LIVE.reason;
  return isReported && observedGeneration === generation && liveRevision === revision;
}

/**
 * The text after the spec of nearly every object, as `statusOperation` writes it without further conditions. A start reads it in a
 * third of the time of parsing.
 */
const LIVE_STATUS =
  /^,"status":\{"liveRevision":"(?<revision>\w+)","observedGeneration":(?<generation>\d+),"conditions":\[\{"type":"Live","status":"True","reason":"Released","[^{}]*"\}\]\}\}$/;
/** In the text before the spec: quotes within strings are escaped, and no other field of this name is a number. */
const GENERATION = /"generation":(\d+)/;

/** A deleted object that must stay live: its Head has the reason, and an event in its namespace. */
export function heldOperation(
  store: Store<Operation>,
  { kind, name }: ObjectRef,
  standing: ObjectStatus,
  now: Temporal.Instant,
): Operation[] {
  const head = store.get(Head, '', headName(kind, name))?.object();
  const text = standing.is === 'live' ? undefined : conditionOf(standing).message;
  const before = head === undefined ? undefined : Head.status(head)?.held;
  if (head === undefined || text === undefined || text === before) return [];
  const reported = statusPatch(Head, '', headName(kind, name), { held: text });
  const { namespace } = Head.spec(head).object;
  const place = { namespace, name: readLiveName(kind, name).name };
  return standing.is === 'held' && namespace !== '' ? [reported, keptEvent(kind, place, text, now)] : [reported];
}

/** For `kubectl get events`: the object itself no longer exists. */
function keptEvent(
  { apiVersion, kind }: Kind,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  text: string,
  now: Temporal.Instant,
): Operation {
  const happening = {
    type: 'Warning',
    reason: 'KeptLive',
    message: `It was deleted and is kept live: ${text}`,
  } as const;
  const object = newEvent({ apiVersion, kind, name, namespace }, 'releases', happening, kubernetesTime(now));
  return { verb: 'apply', kind: Event.id, namespace, name: object.metadata.name, object, uid: crypto.randomUUID() };
}

const LIVE = { status: 'True', reason: 'Released', message: 'The declared spec is live.' } as const;

function conditionOf(standing: ObjectStatus): { status: 'True' | 'False'; reason: string; message: string } {
  switch (standing.is) {
    case 'live': {
      const { problems = [] } = standing;
      if (problems.length === 0) return LIVE;
      const message = `The declared spec is live but no longer valid; change it: ${textOf(problems)}`;
      return { status: 'True', reason: 'NoLongerAccepted', message };
    }
    case 'carried':
      return { status: 'False', reason: 'InRelease', message: `Included in release ${standing.release}.` };
    case 'held':
      return { status: 'False', ...heldCondition(standing.reasons) };
    default:
      return standing satisfies never;
  }
}

function heldCondition(reasons: HoldReasons): { reason: string; message: string } {
  const isMissing = reasons.every(({ reason }) => reason === 'FieldValueNotFound');
  const cause = reasons.find((one) => one.cause !== undefined)?.cause;
  return { reason: cause ?? (isMissing ? 'ReferenceNotFound' : 'CheckFailed'), message: textOf(reasons) };
}

export function textOf(problems: HoldReasons): string {
  return problems.map(problemText).join('; ');
}

function problemText({ path, detail }: Problem): string {
  return path.length === 0 ? detail : `${fieldPath(path)}: ${detail}`;
}

function statusPatch(kind: Kind, namespace: string, name: string, status: object): Operation {
  return {
    verb: 'patch',
    kind: kind.id,
    namespace,
    name,
    part: 'status',
    patchType: 'merge',
    patch: { status },
    fieldValidation: 'Ignore',
  };
}
