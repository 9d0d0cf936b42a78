import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseStanding } from '../kinds/release-status.ts';
import { isBegun } from './advance.ts';
import type { Footprint, OpenRelease } from './form.ts';
import { Underway } from './underway.ts';

/** What a release holds. */
export function footprintOf({ objects, relies = [] }: Pick<ReleaseSpec, 'objects' | 'relies'>): Footprint {
  return {
    objects: new Set(objects.map(({ kind, name }) => liveKey(kind, name))),
    refs: new Set([...objects.flatMap(({ from, to }) => [...(from?.refs ?? []), ...(to?.refs ?? [])]), ...relies]),
  };
}

/** An open release with the version of its object that it was read from. */
export interface TrackedRelease extends OpenRelease {
  readonly object: ResourceObject;
  readonly uid: string;
  readonly version: number;
}

/**
 * The releases that have not come to their end, as the store has them, and what each of them holds. A release claims what
 * it holds before its beginning is written, and gives it back when that fails.
 */
export class OpenReleases {
  readonly #store: Store<Operation>;
  readonly #all = new Map<string, TrackedRelease>();
  readonly #carriers = new Map<LiveKey, Set<string>>();
  /** What those hold that somebody has got. */
  readonly begun = new Underway();
  /** What those would hold that wait. */
  readonly waiting = new Underway();

  constructor(store: Store<Operation>) {
    this.#store = store;
    for (const entry of store.find(Release, 'open', 'true')) this.track(entry);
  }

  get(name: string): TrackedRelease | undefined {
    return this.#all.get(name);
  }

  all(): Iterable<OpenRelease> {
    return this.#all.values();
  }

  get size(): number {
    return this.#all.size;
  }

  /** Those that carry an object. */
  carriersOf(kind: string, name: string): readonly OpenRelease[] {
    if (this.#carriers.size === 0) return [];
    return [...(this.#carriers.get(liveKey(kind, name)) ?? [])].flatMap((release) => this.#all.get(release) ?? []);
  }

  /** Those that collect a group of that name, each in namespaces of its own. */
  collectorsOf(group: string | undefined): readonly OpenRelease[] {
    if (group === undefined) return [];
    return [...this.#all.values()].filter(
      ({ spec, standing }) => spec.group === group && standing.state.at === 'collecting',
    );
  }

  /** Takes in what the store has of a release now. */
  track(entry: Entry): void {
    const object = entry.object();
    const spec = Release.spec(object);
    const standing = Release.status(object)?.standing;
    const { name, uid, version } = entry;
    // Within the write that makes it there is a moment without a status, which nobody sees.
    if (!spec.open || standing === undefined) return this.forget(name);
    const tracked = { name, spec, standing, object, uid, version };
    const before = this.#all.get(name);
    if (before !== undefined && holdsTheSame(before, tracked)) return void this.#all.set(name, tracked);
    this.forget(name);
    this.#all.set(name, tracked);
    for (const one of spec.objects) {
      const key = liveKey(one.kind, one.name);
      this.#carriers.set(key, (this.#carriers.get(key) ?? new Set()).add(name));
    }
    this.claim(name, spec, standing);
  }

  /** Says again what the store has, after a write that failed. */
  reload(name: string): void {
    // What it claimed for a standing that was not written goes with it.
    this.forget(name);
    const entry = this.#store.get(Release, '', name);
    if (entry !== undefined) this.track(entry);
  }

  forget(name: string): void {
    const known = this.#all.get(name);
    for (const { kind, name: object } of known?.spec.objects ?? []) {
      const key = liveKey(kind, object);
      const carriers = this.#carriers.get(key);
      carriers?.delete(name);
      if (carriers?.size === 0) this.#carriers.delete(key);
    }
    this.#all.delete(name);
    this.begun.free(name);
    this.waiting.free(name);
  }

  /** Holds what a release of that standing holds. */
  claim(name: string, spec: ReleaseSpec, { state }: ReleaseStanding): void {
    const footprint = footprintOf(spec);
    if (isBegun(state)) {
      this.waiting.free(name);
      this.begun.claim(name, footprint);
    } else if (state.at === 'waiting') this.waiting.claim(name, footprint);
  }

  /**
   * What a release has to wait for: whatever holds what it needs, and what has come before it to something that both
   * change. Of those that rely on the same as it, some may go beside it: `beside`.
   */
  before({ name, spec }: Pick<OpenRelease, 'name' | 'spec'>): {
    readonly behind: readonly string[];
    readonly beside: readonly string[];
  } {
    const footprint = footprintOf(spec);
    const { certain, possible } = this.begun.inTheWay(name, footprint);
    const earlier = this.waiting
      .inTheWay(name, footprint)
      .certain.filter((other) => this.#goesFirst(other, spec, footprint));
    return { behind: [...certain, ...earlier].sort(), beside: possible };
  }

  #goesFirst(other: string, spec: ReleaseSpec, footprint: Footprint): boolean {
    const found = this.#all.get(other);
    if (found === undefined || spec.rollbackOf !== undefined) return false;
    const isOfSame = found.spec.objects.some(({ kind, name }) => footprint.objects.has(liveKey(kind, name)));
    // What is taken back goes before everything that was declared on top of it, and before what is declared since.
    if (found.spec.rollbackOf !== undefined && isOfSame) return true;
    if (found.spec.number >= spec.number) return false;
    // The order of changes to one object is kept, whatever the first of them waits for.
    if (isOfSame) return true;
    const { state } = found.standing;
    return state.at === 'waiting' && (state.for === 'turn' || state.for === 'release');
  }
}

/** Whether two versions of a release hold the same, in the same way. */
function holdsTheSame(a: TrackedRelease, b: TrackedRelease): boolean {
  const isSameSpec = a.uid === b.uid && a.object.metadata.generation === b.object.metadata.generation;
  return isSameSpec && isBegun(a.standing.state) === isBegun(b.standing.state) && isWaiting(a) === isWaiting(b);
}

function isWaiting({ standing }: OpenRelease): boolean {
  return standing.state.at === 'waiting';
}
