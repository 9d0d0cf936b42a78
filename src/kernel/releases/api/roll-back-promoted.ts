import type { Refusal } from '#kernel/base/failures.ts';
import { releaseRefusal } from '#kernel/releases/refusals.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { supersedeStep, type ReleaseStep } from '../engine/advance.ts';
import type { CommandRequest } from '../engine/command.ts';
import { planHash } from '../engine/form.ts';
import { lookAt, requireKeptSide } from '../engine/look.ts';
import { createRelease, patchRecord, releaseName, writeStep } from '../engine/release-writes.ts';
import { pinOperations, withNamespaces, redeclareOperations } from '../engine/restore.ts';
import { sameSide } from '../engine/same-side.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseItem, ReleaseSpec } from '../kinds/release-spec.ts';
import type { PlannedRelease } from '../kinds/target.ts';

/** Objects that a refusal names. */
const NAMED_MAX = 3;

interface Parts {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
}

/** The write that rolls back a promoted release: all its objects in one step, with pins. */
export async function rollBackPromoted(
  parts: Parts,
  release: PlannedRelease,
  { given, by, nowMs }: Omit<CommandRequest, 'verb'>,
): Promise<Operation[]> {
  const { store, kinds } = parts;
  const { name, spec } = release;
  requireUnchanged(parts, release);
  const because = given.reason ?? `Release ${name} is rolled back; no reason was given.`;
  const back = specOfRollback(release, store.version() + 1, [by.name, ...(by.mintedBy ?? [])]);
  const backName = releaseName({ ...back, objects: spec.objects }, 'back-');
  return [
    ...pinOperations(spec, { release: name, by: by.name, because }, store, { kinds, nowMs }),
    patchRecord(name, { takenBack: { how: 'rolledBack', by: by.name, because } }),
    ...createRelease({ name: backName, spec: back }, firstStep(because), { nowMs, by: by.name }),
    ...supersedeReleases(store, back.objects, backName, { nowMs, by: by.name }),
    ...(await declaredBack(parts, back.objects)),
  ];
}

function requireUnchanged({ store, kinds }: Parts, { name, spec }: PlannedRelease): void {
  if (spec.rollbackOf !== undefined) {
    throw noRollback(name, `it is itself the rollback of ${spec.rollbackOf}`, 'Unpin it and apply the change again.');
  }
  const look = lookAt(store, kinds);
  const changed = spec.objects.filter((one) => !sameSide(one.to, look(one).live?.object));
  if (changed.length === 0) return;
  const titles = changed.slice(0, NAMED_MAX).map((one) => `${kinds.byId(one.kind).kind} "${one.name}"`);
  throw noRollback(name, `${titles.join(', ')} has changed since`, 'Roll back the later release first.');
}

function noRollback(name: string, why: string, remedy: string): Refusal {
  const message = `Release "${name}" cannot be rolled back: ${why}.`;
  return releaseRefusal('no-rollback', message, { subject: name, remedy });
}

/** The release in the opposite direction: reverse order, no stages, no approvals. Pure. */
export function specOfRollback(
  { name, spec }: PlannedRelease,
  number: number,
  authors: readonly string[],
): ReleaseSpec {
  const objects = spec.objects.toReversed().map(({ kind, name: object, from, to }): ReleaseItem => ({
    kind,
    name: object,
    ...(to === undefined ? {} : { from: to }),
    ...(from === undefined ? {} : { to: from }),
  }));
  const policy = policyOfRollback(spec);
  return {
    number,
    authors: [...authors],
    changeSet: `rollback of ${name}`,
    ...(policy === undefined ? {} : { policy }),
    objects,
    planHash: planHash(objects, []),
    rollbackOf: name,
    open: true,
  };
}

/** The part of a policy that a rollback keeps: its notifications, and the order of targets, reversed. */
function policyOfRollback({ policy }: ReleaseSpec): ReleaseSpec['policy'] {
  if (policy === undefined || (policy.spec.notify === undefined && policy.spec.before === undefined)) return undefined;
  const { approvals: _approvals, ...spec } = policy.spec;
  return { name: policy.name, spec: { ...spec, stages: [], guardrails: [] } };
}

function firstStep(message: string): ReleaseStep {
  const state = { at: 'waiting', for: 'turn' } as const;
  return { standing: { state, approvals: [] }, effects: [], tell: [], phase: 'Waiting', message };
}

/** Supersedes open releases that change any of the objects. */
function supersedeReleases(
  store: Store<Operation>,
  objects: readonly ReleaseItem[],
  backName: string,
  { nowMs, by }: { readonly nowMs: number; readonly by: string },
): Operation[] {
  const carriers = objects.flatMap(({ kind, name }) => store.find(Release, 'openObject', `${kind} ${name}`));
  const displaced = new Map(carriers.map((entry) => [entry.name, entry.object()] as const));
  return [...displaced.values()].flatMap((object) => {
    const status = Release.status(object);
    if (status === undefined || status.standing.state.at === 'retracting') return [];
    const step = supersedeStep(status.standing, `Release ${backName} supersedes it.`, by);
    return writeStep(object, step, { verdicts: new Map(), nowMs, by });
  });
}

/** Declares the earlier live state again, so that the next change starts from it. */
async function declaredBack({ store, kinds }: Parts, objects: readonly ReleaseItem[]): Promise<Operation[]> {
  const operations = await Promise.all(
    objects.map(async ({ kind: kindId, name, from, to }) => {
      const kind = kinds.byId(kindId);
      const wanted = await requireKeptSide(store, kind, name, to);
      return redeclareOperations({ kind, name }, { expected: from, wanted: wanted?.object }, store);
    }),
  );
  return withNamespaces(operations.flat(), store);
}
