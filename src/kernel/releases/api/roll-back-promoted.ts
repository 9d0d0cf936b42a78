import type { Refusal } from '#kernel/base/failures.ts';
import { releaseRefusal } from '#kernel/releases/refusals.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { displacing, type Step } from '../engine/advance.ts';
import type { CommandRequest } from '../engine/command.ts';
import { planHash } from '../engine/form.ts';
import { lookAt, requireKeptSide } from '../engine/look.ts';
import { createRelease, noting, releaseName, writeStep } from '../engine/release-writes.ts';
import { pinning, withNamespaces, writingBack } from '../engine/restore.ts';
import { sameSide } from '../engine/same-side.ts';
import { Release } from '../kinds/release.ts';
import type { Carried, ReleaseSpec } from '../kinds/release-spec.ts';
import type { PlannedRelease } from '../kinds/target.ts';

/** Objects that a refusal names. */
const NAMED_MAX = 3;

interface Parts {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
}

/** The write that takes back what everybody has: everything that a release changed, in one step, with pins. */
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
    ...pinning(spec, { release: name, by: by.name, because }, store, { kinds, nowMs }),
    noting(name, { takenBack: { how: 'rolledBack', by: by.name, because } }),
    ...createRelease({ name: backName, spec: back }, firstStep(because), { nowMs, by: by.name }),
    ...displacements(store, back.objects, backName, { nowMs, by: by.name }),
    ...(await declaredBack(parts, back.objects)),
  ];
}

function requireUnchanged({ store, kinds }: Parts, { name, spec }: PlannedRelease): void {
  if (spec.rollbackOf !== undefined) {
    throw noRollback(name, `it took back ${spec.rollbackOf} itself`, 'Let go of the pins and apply the change again.');
  }
  const look = lookAt(store, kinds);
  const changed = spec.objects.filter((one) => !sameSide(one.to, look(one).live?.object));
  if (changed.length === 0) return;
  const titles = changed.slice(0, NAMED_MAX).map((one) => `${kinds.byId(one.kind).kind} "${one.name}"`);
  throw noRollback(name, `${titles.join(', ')} has changed since`, 'Roll back first what came after it.');
}

function noRollback(name: string, why: string, remedy: string): Refusal {
  const message = `Release "${name}" cannot be rolled back: ${why}.`;
  return releaseRefusal('no-rollback', message, { subject: name, remedy });
}

/** The release that goes the other way round: last things first, in no stages, and by nobody's approval. Pure. */
export function specOfRollback(
  { name, spec }: PlannedRelease,
  number: number,
  authors: readonly string[],
): ReleaseSpec {
  const objects = spec.objects.toReversed().map(({ kind, name: object, from, to }): Carried => ({
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

/** What is left of a policy: which people it notifies, and in which order targets go, which is turned round. */
function policyOfRollback({ policy }: ReleaseSpec): ReleaseSpec['policy'] {
  if (policy === undefined || (policy.spec.notify === undefined && policy.spec.before === undefined)) return undefined;
  const { approvals: _approvals, ...spec } = policy.spec;
  return { name: policy.name, spec: { ...spec, stages: [], guardrails: [] } };
}

function firstStep(message: string): Step {
  const state = { at: 'waiting', for: 'turn' } as const;
  return { standing: { state, approvals: [] }, effects: [], tell: [], phase: 'Waiting', message };
}

/** The open releases that carry any of the objects give place. */
function displacements(
  store: Store<Operation>,
  objects: readonly Carried[],
  backName: string,
  { nowMs, by }: { readonly nowMs: number; readonly by: string },
): Operation[] {
  const carriers = objects.flatMap(({ kind, name }) => store.find(Release, 'openObject', `${kind} ${name}`));
  const displaced = new Map(carriers.map((entry) => [entry.name, entry.object()] as const));
  return [...displaced.values()].flatMap((object) => {
    const status = Release.status(object);
    if (status === undefined || status.standing.state.at === 'retracting') return [];
    const step = displacing(status.standing, `Release ${backName} takes its place.`, by);
    return writeStep(object, step, { verdicts: new Map(), nowMs, by });
  });
}

/** What was live before is declared again, so that the next change starts from it. */
async function declaredBack({ store, kinds }: Parts, objects: readonly Carried[]): Promise<Operation[]> {
  const operations = await Promise.all(
    objects.map(async ({ kind: kindId, name, from, to }) => {
      const kind = kinds.byId(kindId);
      const wanted = await requireKeptSide(store, kind, name, to);
      return writingBack({ kind, name }, { expected: from, wanted: wanted?.object }, store);
    }),
  );
  return withNamespaces(operations.flat(), store);
}
