import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { compileMembership, type CohortSubject, type Membership, type Track } from './cohort-membership.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import { Overlay } from './live-objects.ts';
import type { ChangedObject, DecisionModule } from './module.ts';

/**
 * The releases with the most candidates, all worlds of which are compiled before anybody sees one: 15. A question waits at
 * most for what the smaller releases carry.
 */
export const READY_RELEASES_MAX = 4;
/** Further worlds that are kept for one module, those asked for last. */
export const WORLDS_MAX = 64;

/** The track of a subject in one release. */
interface ReleaseTrack {
  readonly release: ExposingRelease;
  readonly track: Track;
}

/** The view that a subject is answered from. */
export interface ReleaseView<Table> {
  readonly table: Table;
  /** The releases whose candidates are in the table, by name. */
  readonly releases: readonly ExposingRelease[];
  /** All releases that make something of the subject. */
  readonly tracks: readonly ReleaseTrack[];
  /** True when the world that the subject should see does not compile, and the table is that of everybody. */
  readonly isBroken: boolean;
}

/** The world of everyone with the candidates of some releases over it, compiled. */
interface OneWorld<Table> {
  readonly table: Table;
  readonly audiences: AudienceTable;
  readonly isBroken: boolean;
}

/** The parts that the worlds of all modules share. */
export interface WorldSource {
  readonly kinds: KindRegistry;
  /** The world of everyone. */
  readonly world: World;
  readonly audiences: AudienceTable;
  /** Called when a world does not compile. */
  readonly onBrokenWorld: (module: string, releases: readonly ExposingRelease[], error: unknown) => void;
}

/** The parts of the worlds of one module. */
export interface ModuleSource<Table> extends WorldSource {
  readonly module: DecisionModule<Table>;
  /** The table of everybody. */
  readonly base: Table;
  /** Those that carry something of the module's kinds. */
  readonly releases: readonly ExposingRelease[];
}

/** The worlds of before, and what has changed for everybody since; unknown where everything may have. */
export interface Previous<Table> {
  readonly worlds: ModuleWorlds<Table> | undefined;
  readonly changed: readonly ChangedObject[] | undefined;
}

/**
 * The tables of one module while releases are under way that carry something of its kinds: what everybody gets, and what
 * those get who see the candidates of some releases. Releases that are under way at once change different objects, and
 * none changes what another relies on (others wait), so that it does not matter in which order their candidates are laid
 * over the world.
 */
export class ModuleWorlds<Table> {
  /** Changes whenever what somebody sees may change, though nothing changes for everybody. */
  readonly tag: string;
  readonly #source: ModuleSource<Table>;
  readonly #memberships: readonly { readonly release: ExposingRelease; membership: Membership | undefined }[];
  /** The largest releases; by `keyOf` all worlds of them. */
  readonly #largest: ReadonlySet<ExposingRelease>;
  readonly #ready: ReadonlyMap<string, OneWorld<Table>>;
  /** Further ones, made when somebody first sees them; those asked for last at the end. */
  readonly #others: Map<string, OneWorld<Table>>;
  /** Those that questions wait for. They are made one after the other. */
  readonly #making = new Map<string, Promise<void>>();
  #isFrozen = false;

  private constructor(
    source: ModuleSource<Table>,
    ready: ReadonlyMap<string, OneWorld<Table>>,
    others: Map<string, OneWorld<Table>>,
  ) {
    const { releases } = source;
    this.#source = source;
    this.#memberships = releases.map((release) => ({ release, membership: undefined }));
    this.#largest = new Set(largestOf(source));
    this.#ready = ready;
    this.#others = others;
    this.tag = contentHash(releases.map(({ name, revision, cohort }) => [name, revision, cohort])).slice(0, 12);
  }

  /**
   * Compiles all worlds of the largest releases, and those that questions wait for. What was compiled before is kept, or
   * brought up to date.
   */
  static *expose<Table>(
    source: ModuleSource<Table>,
    { worlds: before, changed }: Previous<Table>,
  ): Steps<ModuleWorlds<Table>> {
    const isSame = before !== undefined && before.#source.base === source.base;
    const ready = new Map<string, OneWorld<Table>>();
    for (const releases of subsetsOf(largestOf(source))) {
      const key = keyOf(releases);
      const known = before === undefined ? undefined : before.#ready.get(key);
      if (known !== undefined && isSame) ready.set(key, known);
      else if (known?.isBroken === false && changed !== undefined) {
        ready.set(key, yield* compile(source, releases, known, changed));
      } else {
        const within = ready.get(keyOf(releases.slice(0, -1))) ?? everybodys(source);
        ready.set(key, yield* compile(source, releases, within, candidatesOf(source, releases.slice(-1))));
      }
    }
    const worlds = new ModuleWorlds(source, ready, isSame ? before.#others : new Map());
    // Otherwise frequent changes would make a question wait for ever. More may come to wait meanwhile.
    if (before !== undefined) for (const key of before.#making.keys()) yield* worlds.#makeAgain(key);
    return worlds;
  }

  /**
   * The view of a subject, from the one world that it is answered from. A promise where that is not compiled yet: the caller
   * looks again when it resolves, at the snapshot of then.
   */
  see(subject: CohortSubject, nowMs: number): ReleaseView<Table> | Promise<void> {
    const { audiences, base } = this.#source;
    const tracks: ReleaseTrack[] = [];
    const releases: ExposingRelease[] = [];
    for (const one of this.#memberships) {
      one.membership ??= compileMembership(one.release.cohort, audiences);
      const track = one.membership(subject, nowMs);
      if (track === undefined) continue;
      tracks.push({ release: one.release, track });
      if (track !== 'stable') releases.push(one.release);
    }
    if (releases.length === 0) return { table: base, releases, tracks, isBroken: false };
    const key = keyOf(releases);
    const found = this.#ready.get(key) ?? this.#others.get(key);
    if (found === undefined) return this.#make(key, releases);
    if (!this.#ready.has(key)) this.#keep(key, found);
    const { table, isBroken } = found;
    return { table, releases: isBroken ? [] : releases, tracks, isBroken };
  }

  /** To be called before the world of everybody changes: from then on nothing is compiled from it. */
  freeze(): void {
    this.#isFrozen = true;
  }

  #keep(key: string, world: OneWorld<Table>): void {
    this.#others.delete(key);
    this.#others.set(key, world);
    const [oldest] = this.#others.keys();
    if (this.#others.size > WORLDS_MAX && oldest !== undefined) this.#others.delete(oldest);
  }

  #make(key: string, releases: readonly ExposingRelease[]): Promise<void> {
    const known = this.#making.get(key);
    if (known !== undefined) return known;
    const [last = Promise.resolve()] = [...this.#making.values()].slice(-1);
    const begin = () => inTurns(this.#makeInSteps(key, releases));
    const making = last.then(begin, begin).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return making;
  }

  /** The largest releases are compiled already; the rest is at most as large as the smallest of them. */
  *#makeInSteps(key: string, releases: readonly ExposingRelease[]): Steps<void> {
    const largest = releases.filter((release) => this.#largest.has(release));
    const smaller = releases.filter((release) => !this.#largest.has(release));
    const within = this.#ready.get(keyOf(largest)) ?? everybodys(this.#source);
    const work = compile(this.#source, releases, within, candidatesOf(this.#source, smaller));
    while (!this.#isFrozen) {
      const step = work.next();
      if (step.done === true) return this.#keep(key, step.value);
      yield;
    }
  }

  /** Makes a world of that key, if all of its releases are still under way. */
  *#makeAgain(key: string): Steps<void> {
    const { releases } = this.#source;
    const parts = new Set(key.split(' '));
    const those = releases.filter((release) => parts.has(keyOf([release])));
    const isThere = this.#ready.has(key) || this.#others.has(key);
    if (those.length === parts.size && !isThere) yield* this.#makeInSteps(key, those);
  }
}

/** By name, as all are. */
function largestOf<Table>(source: ModuleSource<Table>): readonly ExposingRelease[] {
  const { releases } = source;
  if (releases.length <= READY_RELEASES_MAX) return releases;
  const sizes = new Map(releases.map((release) => [release, candidatesOf(source, [release]).length]));
  const bySize = releases.toSorted((a, b) => (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0));
  const largest = new Set(bySize.slice(0, READY_RELEASES_MAX));
  return releases.filter((release) => largest.has(release));
}

/** All of some but none, each behind the same without its last one. */
function subsetsOf<One>(all: readonly One[]): readonly (readonly One[])[] {
  const subsets: (readonly One[])[] = [[]];
  for (const one of all) subsets.push(...subsets.map((others) => [...others, one]));
  return subsets.slice(1);
}

function keyOf(releases: readonly ExposingRelease[]): string {
  return releases.map(({ name, revision }) => `${name}@${revision}`).join(' ');
}

function candidatesOf<Table>({ module }: ModuleSource<Table>, releases: readonly ExposingRelease[]) {
  const ids = new Set(module.kinds.map(({ id }) => id));
  return releases.flatMap(({ candidates }) => candidates.filter(({ kind }) => ids.has(kind)));
}

function everybodys<Table>({ base, audiences }: ModuleSource<Table>): OneWorld<Table> {
  return { table: base, audiences, isBroken: false };
}

/**
 * The world of some releases from another one and what `changed` between them. A world that does not compile is a bug; it
 * must not take the answers away, nor does one that has a broken one within.
 */
function* compile<Table>(
  source: ModuleSource<Table>,
  releases: readonly ExposingRelease[],
  within: OneWorld<Table>,
  changed: readonly ChangedObject[],
): Steps<OneWorld<Table>> {
  const { module, kinds, world, onBrokenWorld } = source;
  if (within.isBroken) return within;
  try {
    const overlay = new Overlay(world, kinds);
    for (const { kind, name, object } of candidatesOf(source, releases)) {
      overlay.put(kind, name, object);
      yield;
    }
    const relevant = changed.filter(({ kind }) => module.kinds.some(({ id }) => id === kind));
    const audiences = yield* within.audiences.update(overlay, relevant);
    return { table: yield* module.update(within.table, overlay, relevant, audiences), audiences, isBroken: false };
  } catch (error) {
    onBrokenWorld(module.name, releases, error);
    return { ...everybodys(source), isBroken: true };
  }
}

/** Whether a release carries something of a module's kinds. */
export function concerns({ candidates }: ExposingRelease, { kinds }: Pick<DecisionModule<unknown>, 'kinds'>): boolean {
  return candidates.some(({ kind }) => kinds.some(({ id }) => id === kind));
}
