import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { atOnce } from '#kernel/base/turns.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { compileMembership, type CohortSubject, type Membership, type Track } from './cohort-membership.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import { Overlay, type LiveObjects } from './live-objects.ts';
import type { DecisionModule } from './module.ts';

/** Tables that are kept for one module: with six releases under way at once all worlds there are. */
export const WORLDS_MAX = 64;

/** What one release makes of somebody. */
interface Tracked {
  readonly release: ExposingRelease;
  readonly track: Track;
}

/** What somebody is answered from. */
export interface Seen<Table> {
  readonly table: Table;
  /** The releases whose candidates are in the table, by name. */
  readonly releases: readonly ExposingRelease[];
  /** All releases that make something of the subject. */
  readonly tracks: readonly Tracked[];
  /** True when the world that the subject should see does not compile, and the table is that of everybody. */
  readonly isBroken: boolean;
}

interface OneWorld<Table> {
  readonly table: Table;
  readonly isBroken: boolean;
}

/** What the worlds of all modules are made of. */
export interface WorldSource {
  readonly kinds: KindRegistry;
  /** What everybody gets. */
  readonly world: LiveObjects;
  readonly audiences: AudienceTable;
  /** Told when a world does not compile. */
  readonly broken: (module: string, releases: readonly ExposingRelease[], error: unknown) => void;
}

/**
 * The tables of one module while releases are under way that carry something of its kinds: what everybody gets, and what
 * those get who see the candidates of some releases, compiled when somebody first sees them. Releases that are under way
 * at once change different objects, and none changes what another relies on (others wait), so that it does not matter in
 * which order their candidates are laid over the world.
 */
export class ModuleWorlds<Table> {
  /** Changes whenever what somebody sees may change, though nothing changes for everybody. */
  readonly tag: string;
  readonly #module: DecisionModule<Table>;
  readonly #base: Table;
  readonly #source: WorldSource;
  readonly #releases: readonly { readonly release: ExposingRelease; membership: Membership | undefined }[];
  /** By the keys of the releases seen; those asked for last at the end. */
  readonly #compiled: Map<string, OneWorld<Table>>;
  #isFrozen = false;

  /** What was compiled `before` is kept where it is what would be compiled now. */
  constructor(
    module: DecisionModule<Table>,
    base: Table,
    releases: readonly ExposingRelease[],
    source: WorldSource,
    before: ModuleWorlds<Table> | undefined,
  ) {
    this.#module = module;
    this.#base = base;
    this.#source = source;
    this.#releases = releases.map((release) => ({ release, membership: undefined }));
    this.#compiled = before !== undefined && before.#base === base ? before.#compiled : new Map();
    this.tag = contentHash(releases.map(({ name, revision, cohort }) => [name, revision, cohort])).slice(0, 12);
  }

  /** The one world that the subject is answered from. */
  see(subject: CohortSubject, nowMs: number): Seen<Table> {
    const tracks: Tracked[] = [];
    const releases: ExposingRelease[] = [];
    for (const one of this.#releases) {
      one.membership ??= compileMembership(one.release.cohort, this.#source.audiences);
      const track = one.membership(subject, nowMs);
      if (track === undefined) continue;
      tracks.push({ release: one.release, track });
      if (track !== 'stable') releases.push(one.release);
    }
    if (releases.length === 0) return { table: this.#base, releases, tracks, isBroken: false };
    const found = this.#worldOf(releases);
    // It cannot be made any more: nobody is compared by what they did not get.
    if (found === undefined) return { table: this.#base, releases: [], tracks: [], isBroken: false };
    if (found.isBroken) return { ...found, releases: [], tracks };
    return { ...found, releases, tracks };
  }

  /** To be called before the world of everybody changes: from then on only what is compiled already can be seen. */
  freeze(): void {
    this.#isFrozen = true;
  }

  #worldOf(releases: readonly ExposingRelease[]): OneWorld<Table> | undefined {
    const key = releases.map(({ name, revision }) => `${name}@${revision}`).join(' ');
    const known = this.#compiled.get(key);
    if (known === undefined && this.#isFrozen) return undefined;
    const found = known ?? this.#compile(releases);
    this.#compiled.delete(key);
    this.#compiled.set(key, found);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > WORLDS_MAX && oldest !== undefined) this.#compiled.delete(oldest);
    return found;
  }

  /** A world that does not compile is a bug; it must not take the answers away. */
  #compile(releases: readonly ExposingRelease[]): OneWorld<Table> {
    const { kinds, world, broken } = this.#source;
    const ids = new Set(this.#module.kinds.map(({ id }) => id));
    try {
      const overlay = new Overlay(world, kinds);
      const changed = releases.flatMap(({ candidates }) => candidates.filter(({ kind }) => ids.has(kind)));
      for (const { kind, name, object } of changed) overlay.put(kind, name, object);
      const audiences = atOnce(this.#source.audiences.update(overlay, changed));
      return { table: atOnce(this.#module.update(this.#base, overlay, changed, audiences)), isBroken: false };
    } catch (error) {
      broken(this.#module.name, releases, error);
      return { table: this.#base, isBroken: true };
    }
  }
}

/** Whether a release carries something of a module's kinds. */
export function concerns({ candidates }: ExposingRelease, { kinds }: Pick<DecisionModule<unknown>, 'kinds'>): boolean {
  return candidates.some(({ kind }) => kinds.some(({ id }) => id === kind));
}
