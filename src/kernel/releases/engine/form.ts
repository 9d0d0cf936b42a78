import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { GROUP_LABEL } from '../kinds/identity.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import {
  namespacesOf,
  type ReleaseItem,
  type NamedPolicy,
  type ReleaseSpec,
  type Side,
} from '../kinds/release-spec.ts';
import type { ReleaseEngineState } from '../kinds/release-status.ts';
import type { Targets } from '../kinds/targets.ts';
import { dependenciesOf } from '../rules/policy-refs.ts';
import { policiesOf, selectPolicies, type SelectorSubject } from '../rules/choose-policy.ts';
import type { Trail } from './declarations.ts';
import { sameSide, type State } from './same-side.ts';
import { unknownKindText } from './unknown-kinds.ts';

/** The write of a declaration. Its versions are the server's own: request ids come from callers. */
export interface Origin {
  /** The version of its first change: equal for all objects that were declared together. */
  readonly write: number;
  readonly user: string;
  readonly version: number;
}

/** Inputs of `formRelease`. */
export interface World {
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly policies: readonly NamedPolicy[];
  readonly look: Look;
  readonly trail: (one: PendingChange, to: State | undefined) => Trail;
}

/** An object whose declared state is not live, or not the one of its release. */
export interface PendingChange {
  readonly kind: Kind;
  readonly name: string;
  /** The declared state; undefined for a deletion. */
  readonly wanted: { readonly object: LiveObject; readonly generation: number } | undefined;
  readonly live: { readonly object: LiveObject; readonly generation: number } | undefined;
}

/** The present declared and live state of an object. */
export type Look = (one: { readonly kind: string; readonly name: string }) => PendingChange;

export interface OpenRelease {
  readonly name: string;
  readonly spec: ReleaseSpec;
  readonly standing: ReleaseEngineState;
}

/** Effect of a write on releases. */
export interface FormationResult {
  /** A new release, and the releases that it supersedes. */
  readonly begin?: { readonly spec: ReleaseSpec; readonly collects: boolean };
  readonly displaced: readonly OpenRelease[];
  /** Releases that still collect, with their new specs. */
  readonly collecting: readonly { readonly name: string; readonly spec: ReleaseSpec }[];
}

/**
 * Computes the release of one write. Pure.
 *
 * Objects that several policies select are released by one policy, together. A change to an object of an open release supersedes
 * that release and takes over its other objects, unless its policy queues changes, or it has kinds that are unknown. An object that is declared as it is live leaves
 * its release, and one that leaves its group leaves the collecting release.
 */
export function formRelease(
  origin: Origin,
  changed: readonly PendingChange[],
  open: readonly OpenRelease[],
  world: World,
): FormationResult {
  const groups = changed.flatMap((one) => groupOf(one, world.trail(one, one.wanted?.object)) ?? []);
  const group = groups[0]?.name;
  const collector = collectorOf(groups, changed, open);
  const left = open
    .filter((one) => one !== collector && isCollecting(one) && changed.some((object) => carries(one, object)))
    .map((one) => ({ one, objects: one.spec.objects.filter((kept) => !changed.some((object) => isOf(object, kept))) }));
  const collecting = left
    .filter(({ objects }) => objects.length > 0)
    .map(({ one: { name, spec }, objects }) => ({
      name,
      spec: specOf(originIn(spec), objects, world, { group: spec.group, earlier: [spec] }),
    }));
  const emptied = left.filter(({ objects }) => objects.length === 0).map(({ one }) => one);
  if (group !== undefined && collector !== undefined) {
    const { name, spec } = collector;
    const grown = { name, spec: specOf(origin, mergeItems(spec.objects, changed), world, { group, earlier: [spec] }) };
    return { displaced: emptied, collecting: [...collecting, grown] };
  }
  const others = open.filter((one) => !isCollecting(one) && changed.some((object) => carries(one, object)));
  const taken = others.filter(
    ({ spec, standing }) => mayTakePlace(spec, standing) && unknownKindText(spec, world.kinds) === undefined,
  );
  const queues = others.length > taken.length;
  const objects = new Map(changed.map((object) => [liveKey(object.kind.id, object.name), object]));
  for (const { spec } of taken) {
    for (const { kind, name } of spec.objects) {
      const key = liveKey(kind, name);
      const now = objects.has(key) ? undefined : world.look({ kind, name });
      if (now !== undefined) objects.set(key, now);
    }
  }
  const displaced = [...taken, ...emptied];
  // Behind another release the live state may change first: there, even a change back is a change. It becomes one by itself when
  // that release ends; until then there is nothing to approve.
  const carried = [...objects.values()].filter((object) => queues || !isLive(object));
  if (carried.every(isLive)) return { displaced, collecting };
  const earlier = open.map((one) => one.spec);
  const spec = specOf(origin, carried.map(releaseItemOf), world, { group, earlier });
  return { displaced, collecting, begin: { spec, collects: group !== undefined } };
}

/**
 * The release that collects a change. A group belongs to the namespaces that were written together: a writer of another namespace
 * joins no release of this one.
 */
function collectorOf(
  groups: readonly Group[],
  changed: readonly PendingChange[],
  open: readonly OpenRelease[],
): OpenRelease | undefined {
  const name = groups[0]?.name;
  const collectors = open.filter((one) => isCollecting(one) && one.spec.group === name);
  const namespaces = new Set(groups.filter((one) => one.name === name).map(({ namespace }) => namespace));
  return (
    collectors.find((one) => changed.some((object) => carries(one, object))) ??
    collectors.find(({ spec }) => namespacesOf(spec).some((namespace) => namespaces.has(namespace)))
  );
}

function isCollecting({ standing }: OpenRelease): boolean {
  return standing.state.at === 'collecting';
}

function carries({ spec }: OpenRelease, object: PendingChange): boolean {
  return spec.objects.some((one) => isOf(object, one));
}

/** The write that a release started from. */
export function originIn({ number, authors: [user = 'unknown'], changeSet }: ReleaseSpec): Origin {
  return { write: Number(changeSet), user, version: number };
}

/**
 * Whether a later change supersedes a release, or waits for it. Rollbacks are waited for; so are releases whose policy rejects
 * changes, by changes that were declared before they began.
 */
function mayTakePlace({ policy, rollbackOf }: ReleaseSpec, { state }: ReleaseEngineState): boolean {
  if (rollbackOf !== undefined) return false;
  return state.at !== 'retracting' && state.at !== 'promoting' && (policy?.spec.queue ?? 'supersede') === 'supersede';
}

/**
 * The spec of a release of these objects. Its authors are all users who declared any of it since the live state. Its policies are
 * all that select any state since then, including the live one: removing a label or changing the namespace evades no policy. Where
 * the history does not reach back, authors and policies of `earlier` releases stay.
 */
export function specOf(
  { write, user, version }: Origin,
  objects: readonly ReleaseItem[],
  { kinds, targets, policies, look, trail }: World,
  { group, earlier = [] }: { readonly group?: string | undefined; readonly earlier?: readonly ReleaseSpec[] } = {},
): ReleaseSpec {
  const selected: SelectorSubject[] = [];
  const authors = new Set<string>();
  const inherited = new Set<string>();
  let unattended = false;
  for (const { kind: kindId, name, from, to } of objects) {
    const kind = kinds.byId(kindId);
    const { steps, isWhole } = trail(look({ kind: kindId, name }), to);
    for (const state of [from, to, ...steps.map((step) => step.state)]) {
      if (state !== undefined) selected.push({ kind, namespace: state.namespace, labels: state.labels });
    }
    for (const writer of steps.flatMap(({ writers }) => writers)) authors.add(writer);
    unattended ||= steps.some((step) => step.isUnattended);
    if (isWhole) continue;
    for (const known of earlier.filter((one) =>
      one.objects.some((object) => object.kind === kindId && object.name === name),
    )) {
      for (const author of known.authors) authors.add(author);
      unattended ||= known.unattended === true;
      for (const policy of policiesOf(known)) inherited.add(policy.name);
    }
  }
  const [policy, ...others] = selectPolicies(policies, selected, inherited);
  const relies =
    policy === undefined
      ? []
      : dependenciesOf(policy.spec, targets, (kind, name) => {
          const object = look({ kind, name });
          return object.live === undefined ? undefined : { kind: object.kind, object: object.live.object };
        });
  const sorted = objects.toSorted((a, b) => (liveKey(a.kind, a.name) < liveKey(b.kind, b.name) ? -1 : 1));
  return {
    number: version,
    authors: authors.size === 0 ? [user] : [...authors].sort(),
    ...(unattended ? { unattended } : {}),
    changeSet: String(write),
    ...(group === undefined ? {} : { group }),
    ...(policy === undefined ? {} : { policy }),
    ...(others.length === 0 ? {} : { otherPolicies: others }),
    objects: sorted,
    ...(relies.length === 0 ? {} : { relies: [...relies] }),
    planHash: planHash(sorted, policy === undefined ? [] : [policy, ...others]),
    open: true,
  };
}

/** Hash of the plan that approvals refer to: the changes and all policies, without notifications. */
export function planHash(objects: readonly ReleaseItem[], policies: readonly NamedPolicy[]): string {
  const sides = objects.map(({ kind, name, from, to }) => [kind, name, identityOf(from), identityOf(to)]);
  return contentHash([sides, policies.map(({ name, spec: { notify: _notify, ...spec } }) => [name, spec])]);
}

function identityOf(side: State | undefined): unknown {
  return side === undefined ? null : [side.revision, side.namespace, side.labels];
}

export function releaseItemOf({ kind, name, wanted, live }: PendingChange): ReleaseItem {
  return {
    kind: kind.id,
    name,
    ...(live === undefined ? {} : { from: sideOf(kind, live) }),
    ...(wanted === undefined ? {} : { to: sideOf(kind, wanted) }),
  };
}

function sideOf(kind: Kind, { object, generation }: NonNullable<PendingChange['wanted']>): Side {
  const { revision, namespace, labels, spec } = object;
  const refs = (kind.refs?.(spec, namespace) ?? []).map((ref) => liveKey(ref.kind, ref.name));
  return { revision, generation, namespace, labels, refs: [...new Set(refs)].sort() };
}

export function isLive({ wanted, live }: PendingChange): boolean {
  return sameSide(wanted?.object, live?.object);
}

function mergeItems(before: readonly ReleaseItem[], changed: readonly PendingChange[]): ReleaseItem[] {
  const kept = before.filter((one) => !changed.some((object) => isOf(object, one)));
  return [...kept, ...changed.filter((object) => !isLive(object)).map(releaseItemOf)];
}

function isOf({ kind, name }: PendingChange, one: Pick<ReleaseItem, 'kind' | 'name'>): boolean {
  return kind.id === one.kind && name === one.name;
}

export interface Group {
  readonly name: string;
  readonly namespace: string;
}

/** The group of an object; for a deletion, the group of its last declaration, or of the live state. */
export function groupOf({ wanted, live }: PendingChange, { steps }: Trail): Group | undefined {
  if (wanted !== undefined) return groupIn(wanted.object);
  const last = steps.findLast(({ state }) => state !== undefined)?.state;
  return groupIn(last) ?? groupIn(live?.object);
}

function groupIn(state: Pick<State, 'namespace' | 'labels'> | undefined): Group | undefined {
  const name = state?.labels[GROUP_LABEL];
  return state === undefined || name === undefined ? undefined : { name, namespace: state.namespace };
}

/** The keys that a release locks: its objects, and their references before and after. */
export interface Footprint {
  readonly objects: ReadonlySet<LiveKey>;
  readonly refs: ReadonlySet<LiveKey>;
}
