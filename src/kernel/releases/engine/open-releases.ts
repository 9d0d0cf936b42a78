import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseEngineState } from '../kinds/release-status.ts';
import { isBegun } from './advance.ts';
import type { Footprint, OpenRelease } from './form.ts';
import { LockedKeys } from './locked-keys.ts';

type FootprintSource = Pick<ReleaseSpec, 'objects' | 'relies'>;

/** A look at a release needs its footprint several times. */
const footprints = new WeakMap<FootprintSource, Footprint>();

/** The keys that a release locks. Its spec must not change afterwards. */
export function footprintOf(spec: FootprintSource): Footprint {
  const { objects, relies = [] } = spec;
  const footprint = footprints.get(spec) ?? {
    objects: new Set(objects.map(({ kind, name }) => liveKey(kind, name))),
    refs: new Set([...objects.flatMap(({ from, to }) => [...(from?.refs ?? []), ...(to?.refs ?? [])]), ...relies]),
  };
  footprints.set(spec, footprint);
  return footprint;
}

/** An open release with the stored object it was read from. */
export interface TrackedRelease extends OpenRelease {
  readonly object: ResourceObject;
  readonly uid: string;
  readonly version: number;
}

/**
 * The open releases in the store, and the keys that each of them locks. A release claims its keys before its start is written, and
 * frees them when that fails.
 */
export class OpenReleases {
  readonly #store: Store<Operation>;
  readonly #all = new Map<string, TrackedRelease>();
  readonly #carriers = new Map<LiveKey, Set<string>>();
  /** Keys of exposed releases. */
  readonly begun = new LockedKeys();
  /** Keys of waiting releases. */
  readonly waiting = new LockedKeys();

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

  /** Releases that include an object. */
  carriersOf(kind: string, name: string): readonly OpenRelease[] {
    if (this.#carriers.size === 0) return [];
    return [...(this.#carriers.get(liveKey(kind, name)) ?? [])].flatMap((release) => this.#all.get(release) ?? []);
  }

  /** Releases that collect a group of that name, each for its own namespaces. */
  collectorsOf(group: string | undefined): readonly OpenRelease[] {
    if (group === undefined) return [];
    return [...this.#all.values()].filter(
      ({ spec, standing }) => spec.group === group && standing.state.at === 'collecting',
    );
  }

  /** Updates a release from the store. */
  track(entry: Entry): void {
    const object = entry.object();
    const spec = Release.spec(object);
    const standing = Release.status(object)?.standing;
    const { name, uid, version } = entry;
    // Within the write that creates it there is a moment without a status, which no reader sees.
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

  /** Resets a release from the store, after a failed write. */
  reload(name: string): void {
    // This drops claims for a standing that was not written.
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

  /** Locks the keys of a release, by its standing. */
  claim(name: string, spec: ReleaseSpec, { state }: ReleaseEngineState): void {
    const footprint = footprintOf(spec);
    if (isBegun(state)) {
      this.waiting.free(name);
      this.begun.claim(name, footprint);
    } else if (state.at === 'waiting') this.waiting.claim(name, footprint);
  }

  /**
   * The releases that go first: holders of a needed key, and earlier ones that change the same object. Releases that share only
   * dependencies may run beside it: `beside`.
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
    // A rollback goes before every change on top of it, and before every later one.
    if (found.spec.rollbackOf !== undefined && isOfSame) return true;
    if (found.spec.number >= spec.number) return false;
    // Changes to one object keep their order, whatever the first of them waits for.
    if (isOfSame) return true;
    const { state } = found.standing;
    return state.at === 'waiting' && (state.for === 'turn' || state.for === 'release');
  }
}

/** Whether two versions of a release lock the same keys in the same way. */
function holdsTheSame(a: TrackedRelease, b: TrackedRelease): boolean {
  const isSameSpec = a.uid === b.uid && a.object.metadata.generation === b.object.metadata.generation;
  return isSameSpec && isBegun(a.standing.state) === isBegun(b.standing.state) && isWaiting(a) === isWaiting(b);
}

function isWaiting({ standing }: OpenRelease): boolean {
  return standing.state.at === 'waiting';
}
