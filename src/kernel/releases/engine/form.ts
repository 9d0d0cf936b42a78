import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { GROUP_LABEL } from '../kinds/identity.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { namespacesOf, type Carried, type NamedPolicy, type ReleaseSpec, type Side } from '../kinds/release-spec.ts';
import type { ReleaseStanding } from '../kinds/release-status.ts';
import type { Targets } from '../kinds/targets.ts';
import { reliedOn } from '../rules/policy-refs.ts';
import { policiesOf, selectPolicies, type Selected } from '../rules/choose-policy.ts';
import type { Trail } from './declarations.ts';
import { sameSide, type State } from './same-side.ts';

/** The write that declared something. Its versions are the server's own: ids of requests are the caller's. */
export interface Origin {
  /** The version of its first change: the same for all that was declared together. */
  readonly write: number;
  readonly user: string;
  readonly version: number;
}

/** What forming a release asks about the world. */
export interface World {
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly policies: readonly NamedPolicy[];
  readonly look: Look;
  readonly trail: (one: Changed, to: State | undefined) => Trail;
}

/** An object whose declared state is not what is live, or not what a release carries. */
export interface Changed {
  readonly kind: Kind;
  readonly name: string;
  /** What is declared; undefined for an object that was deleted. */
  readonly wanted: { readonly object: LiveObject; readonly generation: number } | undefined;
  readonly live: { readonly object: LiveObject; readonly generation: number } | undefined;
}

/** How an object is declared and how it is live, at this moment. */
export type Look = (one: { readonly kind: string; readonly name: string }) => Changed;

export interface OpenRelease {
  readonly name: string;
  readonly spec: ReleaseSpec;
  readonly standing: ReleaseStanding;
}

/** What a write comes to. */
export interface Formed {
  /** A new release, and those whose place it takes. */
  readonly begin?: { readonly spec: ReleaseSpec; readonly collects: boolean };
  readonly displaced: readonly OpenRelease[];
  /** Releases that still collect, as they are then. */
  readonly collecting: readonly { readonly name: string; readonly spec: ReleaseSpec }[];
}

/**
 * From one write to its release. Pure.
 *
 * What several policies select goes by one of them, together. A change to something that a release is under way with
 * takes that release's place, and all it carries along, unless its policy has changes queue. What is declared again as it
 * is live leaves its release, and what is no longer of a group leaves the release that collects it.
 */
export function formRelease(
  origin: Origin,
  changed: readonly Changed[],
  open: readonly OpenRelease[],
  world: World,
): Formed {
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
    const grown = { name, spec: specOf(origin, merged(spec.objects, changed), world, { group, earlier: [spec] }) };
    return { displaced: emptied, collecting: [...collecting, grown] };
  }
  const others = open.filter((one) => !isCollecting(one) && changed.some((object) => carries(one, object)));
  const taken = others.filter(({ spec, standing }) => mayTakePlace(spec, standing));
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
  // Behind another release what is live now may not be what is live then: with others even a change back is one. By itself
  // it is one when that release has ended: until then there is nothing that anybody could approve.
  const carried = [...objects.values()].filter((object) => queues || !isLive(object));
  if (carried.every(isLive)) return { displaced, collecting };
  const earlier = open.map((one) => one.spec);
  const spec = specOf(origin, carried.map(carriedOf), world, { group, earlier });
  return { displaced, collecting, begin: { spec, collects: group !== undefined } };
}

/**
 * The release that collects a change. A group is of the namespaces that were written together: who may write in another
 * namespace only joins no release of this one.
 */
function collectorOf(
  groups: readonly Group[],
  changed: readonly Changed[],
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

function carries({ spec }: OpenRelease, object: Changed): boolean {
  return spec.objects.some((one) => isOf(object, one));
}

/** The write that a release goes back to. */
export function originIn({ number, authors: [user = 'unknown'], changeSet }: ReleaseSpec): Origin {
  return { write: Number(changeSet), user, version: number };
}

/**
 * Whether a later change takes the place of a release, or waits for it. What takes back is waited for; so is one whose
 * policy rejects changes, by what was declared before it began.
 */
function mayTakePlace({ policy, rollbackOf }: ReleaseSpec, { state }: ReleaseStanding): boolean {
  if (rollbackOf !== undefined) return false;
  return state.at !== 'retracting' && state.at !== 'promoting' && (policy?.spec.queue ?? 'supersede') === 'supersede';
}

/**
 * The spec of a release of these objects. Its authors are all who declared something of it since what is live, and its
 * policies all that select any state since then, what is live included: taking a label off or moving to another
 * namespace leads past nothing. Where the history does not lead back that far, what `earlier` releases knew holds on.
 */
export function specOf(
  { write, user, version }: Origin,
  objects: readonly Carried[],
  { kinds, targets, policies, look, trail }: World,
  { group, earlier = [] }: { readonly group?: string | undefined; readonly earlier?: readonly ReleaseSpec[] } = {},
): ReleaseSpec {
  const selected: Selected[] = [];
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
      : reliedOn(policy.spec, targets, (kind, name) => {
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

/** What approvals are for: what changes, and everything by which it spreads. Who is notified is nothing of that. */
export function planHash(objects: readonly Carried[], policies: readonly NamedPolicy[]): string {
  const sides = objects.map(({ kind, name, from, to }) => [kind, name, identityOf(from), identityOf(to)]);
  return contentHash([sides, policies.map(({ name, spec: { notify: _notify, ...spec } }) => [name, spec])]);
}

function identityOf(side: State | undefined): unknown {
  return side === undefined ? null : [side.revision, side.namespace, side.labels];
}

export function carriedOf({ kind, name, wanted, live }: Changed): Carried {
  return {
    kind: kind.id,
    name,
    ...(live === undefined ? {} : { from: sideOf(kind, live) }),
    ...(wanted === undefined ? {} : { to: sideOf(kind, wanted) }),
  };
}

function sideOf(kind: Kind, { object, generation }: NonNullable<Changed['wanted']>): Side {
  const { revision, namespace, labels, spec } = object;
  const refs = (kind.refs?.(spec, namespace) ?? []).map((ref) => liveKey(ref.kind, ref.name));
  return { revision, generation, namespace, labels, refs: [...new Set(refs)].sort() };
}

export function isLive({ wanted, live }: Changed): boolean {
  return sameSide(wanted?.object, live?.object);
}

function merged(before: readonly Carried[], changed: readonly Changed[]): Carried[] {
  const kept = before.filter((one) => !changed.some((object) => isOf(object, one)));
  return [...kept, ...changed.filter((object) => !isLive(object)).map(carriedOf)];
}

function isOf({ kind, name }: Changed, one: Pick<Carried, 'kind' | 'name'>): boolean {
  return kind.id === one.kind && name === one.name;
}

export interface Group {
  readonly name: string;
  readonly namespace: string;
}

/** The group of an object: of one that was deleted, the group that it was last declared in, or that is live. */
export function groupOf({ wanted, live }: Changed, { steps }: Trail): Group | undefined {
  if (wanted !== undefined) return groupIn(wanted.object);
  const last = steps.findLast(({ state }) => state !== undefined)?.state;
  return groupIn(last) ?? groupIn(live?.object);
}

function groupIn(state: Pick<State, 'namespace' | 'labels'> | undefined): Group | undefined {
  const name = state?.labels[GROUP_LABEL];
  return state === undefined || name === undefined ? undefined : { name, namespace: state.namespace };
}

/** The keys that a release holds: what it changes, and what that refers to before and after. */
export interface Footprint {
  readonly objects: ReadonlySet<LiveKey>;
  readonly refs: ReadonlySet<LiveKey>;
}
