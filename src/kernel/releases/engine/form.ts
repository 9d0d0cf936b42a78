import { isDeepStrictEqual } from 'node:util';
import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, LiveObject } from '#kernel/resources/kind.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { GROUP_LABEL } from '../kinds/identity.ts';
import type { Carried, ReleaseSpec, Side } from '../kinds/release-spec.ts';
import type { ReleaseStanding } from '../kinds/release-status.ts';
import { reliedOn } from '../rules/policy-refs.ts';
import { choosePolicy, type NamedPolicy } from './choose-policy.ts';

/** The write that declared something. Its version is ours to go by: clocks are not. */
export interface Origin {
  readonly requestId: string;
  readonly user: string;
  readonly version: number;
}

/** An object whose declared state is not what is live, or not what a release carries. */
export interface Changed {
  readonly kind: Kind;
  readonly name: string;
  /** What is declared; undefined for an object that was deleted. */
  readonly wanted: { readonly object: LiveObject; readonly generation: number } | undefined;
  readonly live: { readonly object: LiveObject; readonly generation: number } | undefined;
}

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
  policies: readonly NamedPolicy[],
  declared: (kind: string, name: string) => Changed | undefined,
): Formed {
  const group = changed.map(groupOf).find((name) => name !== undefined);
  const collector = open.find((one) => isCollecting(one) && one.spec.group === group);
  const left = open
    .filter((one) => one !== collector && isCollecting(one) && changed.some((object) => carries(one, object)))
    .map((one) => ({ one, objects: one.spec.objects.filter((kept) => !changed.some((object) => isOf(object, kept))) }));
  const collecting = left
    .filter(({ objects }) => objects.length > 0)
    .map(({ one: { name, spec }, objects }) => ({
      name,
      spec: specOf(originIn(spec), objects, spec.group, policies, declared),
    }));
  const emptied = left.filter(({ objects }) => objects.length === 0).map(({ one }) => one);
  if (group !== undefined && collector !== undefined) {
    const { name, spec } = collector;
    const grown = { name, spec: specOf(origin, merged(spec.objects, changed), group, policies, declared) };
    return { displaced: emptied, collecting: [...collecting, grown] };
  }
  const others = open.filter((one) => !isCollecting(one) && changed.some((object) => carries(one, object)));
  const taken = others.filter(({ spec, standing }) => mayTakePlace(spec, standing));
  const queues = others.length > taken.length;
  const objects = new Map(changed.map((object) => [liveKey(object.kind.id, object.name), object]));
  for (const { spec } of taken) {
    for (const { kind, name } of spec.objects) {
      const key = liveKey(kind, name);
      const now = objects.has(key) ? undefined : declared(kind, name);
      if (now !== undefined) objects.set(key, now);
    }
  }
  const displaced = [...taken, ...emptied];
  // Behind another release what is live now may not be what is live then: even a change back is one.
  const carried = [...objects.values()].filter((object) => queues || !isLive(object));
  if (carried.length === 0) return { displaced, collecting };
  const spec = specOf(origin, carried.map(carriedOf), group, policies, declared);
  return { displaced, collecting, begin: { spec, collects: group !== undefined } };
}

function isCollecting({ standing }: OpenRelease): boolean {
  return standing.state.at === 'collecting';
}

function carries({ spec }: OpenRelease, object: Changed): boolean {
  return spec.objects.some((one) => isOf(object, one));
}

/** The write that a release goes back to. */
export function originIn({ number, author, changeSet }: ReleaseSpec): Origin {
  return { requestId: changeSet, user: author, version: number };
}

/** Whether a later change takes the place of a release, or waits for it. What is being taken back is waited for. */
function mayTakePlace({ policy }: ReleaseSpec, { state }: ReleaseStanding): boolean {
  return state.at !== 'retracting' && state.at !== 'promoting' && policy?.spec.queue !== 'queue';
}

/** The spec of a release of these objects, with the policy that they come under. */
export function specOf(
  { requestId, user, version }: Origin,
  objects: readonly Carried[],
  group: string | undefined,
  policies: readonly NamedPolicy[],
  declared: (kind: string, name: string) => Changed | undefined,
): ReleaseSpec {
  const selected = objects.flatMap(({ kind, name }) => {
    const object = declared(kind, name);
    const shown = object?.wanted?.object ?? object?.live?.object;
    return object === undefined || shown === undefined
      ? []
      : [{ kind: object.kind, namespace: shown.namespace, labels: shown.labels }];
  });
  const policy = choosePolicy(policies, selected);
  const relies =
    policy === undefined
      ? []
      : reliedOn(policy.spec, (kind, name) => {
          const object = declared(kind, name);
          return object?.live === undefined ? undefined : { kind: object.kind, spec: object.live.object.spec };
        });
  const sorted = objects.toSorted((a, b) => (liveKey(a.kind, a.name) < liveKey(b.kind, b.name) ? -1 : 1));
  return {
    number: version,
    author: user,
    changeSet: requestId,
    ...(group === undefined ? {} : { group }),
    ...(policy === undefined ? {} : { policy }),
    objects: sorted,
    ...(relies.length === 0 ? {} : { relies: [...relies] }),
    planHash: planHash(sorted, policy),
    open: true,
  };
}

/** What approvals are for: what changes, and how it spreads. */
export function planHash(objects: readonly Carried[], policy: NamedPolicy | undefined): string {
  const sides = objects.map(({ kind, name, from, to }) => [kind, name, identityOf(from), identityOf(to)]);
  return contentHash([sides, policy?.spec.stages, policy?.spec.guardrails, policy?.spec.judging]);
}

/** What tells states of an object apart. */
type State = Pick<Side, 'revision' | 'namespace' | 'labels'>;

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
  const refs = (kind.refs?.(spec) ?? []).map((ref) => liveKey(ref.kind, ref.name));
  return { revision, generation, namespace, labels, refs: [...new Set(refs)].sort() };
}

/** Whether two states of an object are one: what it says, where it is, and how it is labelled. */
export function sameSide(a: State | undefined, b: State | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.revision === b.revision && a.namespace === b.namespace && isDeepStrictEqual(a.labels, b.labels);
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

export function groupOf({ wanted, live }: Changed): string | undefined {
  return (wanted ?? live)?.object.labels[GROUP_LABEL];
}

/** The keys that a release holds: what it changes, and what that refers to before and after. */
export interface Footprint {
  readonly objects: ReadonlySet<LiveKey>;
  readonly refs: ReadonlySet<LiveKey>;
}
