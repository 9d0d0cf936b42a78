import type { Operation } from '#kernel/store/rules/operation.ts';
import { Release } from '../kinds/release.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import { supersedeStep, type ReleaseStep } from './advance.ts';
import type { QueuedObject } from './change-queue.ts';
import { withSentences } from './describe-release.ts';
import {
  formRelease,
  groupOf,
  type PendingChange,
  type FormationResult,
  type OpenRelease,
  type Origin,
} from './form.ts';
import type { WriteGroup } from './group-by-write.ts';
import { createRelease, freeReleaseName, releaseName, replaceSpec, writeStep } from './release-writes.ts';
import { isCarriedAsIs, statusInReleases } from './route-change.ts';
import { DISPATCH_AUTHOR, type DispatchPass } from './dispatch-state.ts';
import { unknownKindText } from './unknown-kinds.ts';
import { statusOf, writeStatuses } from './write-statuses.ts';

/** Puts the changes of a write into a release, and records the release in the status of each object. */
export async function beginRelease(
  pass: DispatchPass,
  { origin, items }: Pick<WriteGroup<QueuedObject>, 'origin' | 'items'>,
): Promise<void> {
  const { store, kinds, open, view } = pass;
  // Superseded releases pass their other objects on.
  const carriers = new Set(items.flatMap(({ kind, name }) => open.carriersOf(kind, name)));
  for (const one of [...carriers].flatMap(({ spec }) => spec.objects)) {
    if (!kinds.isKnown(one.kind)) continue;
    const changed = view.look(one);
    await view.load(changed, changed.wanted?.object);
  }
  const fresh = items.map(view.look).filter((one) => !isCarriedAsIs(one, view.carriers(one)));
  if (fresh.length > 0) {
    const touched = touchedBy(fresh, pass);
    requireKnownGroups(touched, pass);
    const formed = formRelease(origin, fresh, touched, view.world());
    const operations = formedOperations(formed, origin, pass);
    if (operations.length > 0) await store.write(operations, DISPATCH_AUTHOR);
  }
  const statuses = items.map(view.look).flatMap((changed) => {
    const standing = statusInReleases(changed, view.carriers(changed));
    return standing === undefined ? [] : statusOf(pass, changed, changed.live?.object, standing);
  });
  await writeStatuses(pass, statuses);
}

/** A release that still collects changes with each of them, which takes all of its kinds. */
function requireKnownGroups(touched: readonly OpenRelease[], { kinds }: DispatchPass): void {
  for (const { name, spec, standing } of touched) {
    const unknown = standing.state.at === 'collecting' ? unknownKindText(spec, kinds) : undefined;
    if (unknown !== undefined) throw new Error(`release ${name} cannot collect it: ${unknown}`);
  }
}

/** The open releases that include any of the changes, or collect their group. */
function touchedBy(changes: readonly PendingChange[], { open, view }: DispatchPass): readonly OpenRelease[] {
  const touched = new Map<string, OpenRelease>();
  for (const one of changes) {
    for (const release of view.carriers(one)) touched.set(release.name, release);
  }
  const group = changes
    .map((one) => groupOf(one, view.trail(one, one.wanted?.object)))
    .find((one) => one !== undefined);
  for (const collector of open.collectorsOf(group?.name)) touched.set(collector.name, collector);
  return [...touched.values()];
}

/** The write that creates and supersedes releases. */
function formedOperations(formed: FormationResult, { user: by }: Origin, pass: DispatchPass): Operation[] {
  const { store, view, clock } = pass;
  const nowMs = clock().epochMilliseconds;
  const operations: Operation[] = [];
  const describe = (release: PlannedRelease) => withSentences(release, view.look, pass, clock());
  const objectOf = (name: string) => {
    const entry = store.get(Release, '', name);
    if (entry === undefined) throw new Error(`release ${name} is gone`);
    return entry.object();
  };
  let because = 'The live state was declared again.';
  if (formed.begin !== undefined) {
    const { spec, collects } = formed.begin;
    const name = freeReleaseName(store, releaseName(spec));
    because = `Release ${name} supersedes it.`;
    operations.push(...createRelease({ name, spec: describe({ name, spec }) }, firstStep(collects), { nowMs, by }));
  }
  for (const { name, standing } of formed.displaced) {
    operations.push(...writeStep(objectOf(name), supersedeStep(standing, because, by), { nowMs, by }));
  }
  for (const { name, spec } of formed.collecting) {
    operations.push(replaceSpec(objectOf(name), describe({ name, spec })));
  }
  return operations;
}

function firstStep(collects: boolean): ReleaseStep {
  const state = collects ? ({ at: 'collecting' } as const) : ({ at: 'waiting', for: 'turn' } as const);
  return {
    standing: { state, approvals: [] },
    effects: [],
    tell: [],
    phase: collects ? 'Collecting' : 'Waiting',
    message: collects ? 'Collecting changes until it is sealed.' : 'Just created.',
  };
}
