import { audienceKinds } from '#kernel/audiences/kinds.ts';
import type { Log } from '#kernel/base/log.ts';
import { eachOf, type Steps } from '#kernel/base/turns.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { compileApart } from './compile-apart.ts';
import { ExposingReleases, type ExposingRelease } from './exposing-releases.ts';
import { isSameLive, type HeadBatch, type HeadState } from './head-state.ts';
import { liveKey, LiveObjects, Overlay, type LiveKey } from './live-objects.ts';
import type { ChangedObject, DecisionModule } from './module.ts';
import { compileTables, exposeWorlds, updateTables, type Snapshot } from './snapshot.ts';

/** The object that everyone gets under a name from now on; undefined for none. */
interface NextLive extends ChangedObject {
  readonly object: LiveObject | undefined;
}

/** The changes that a batch makes in the snapshot, and its version. */
interface BatchChanges {
  readonly changed: readonly NextLive[];
  readonly version: string;
}

/** One object that is live in another form than before, or no longer. */
export interface LiveChange extends NextLive {
  readonly before: LiveObject | undefined;
}

/** Called with each snapshot but the first; without changes, everything may have changed. */
export type SwapListener = (snapshot: Snapshot, changes: readonly LiveChange[] | undefined) => void;

/** Heads that are listed page by page. */
export interface Beginning {
  readonly take: (heads: Iterable<HeadState>) => Steps<void>;
  /** Compiles and shows them. */
  readonly finish: (version: string) => Steps<void>;
}

/** Tables of one world. */
interface Compilation {
  readonly world: LiveObjects;
  readonly tables: Snapshot['tables'];
}

/** One snapshot, brought up to date with what Heads say. One `begin` or `apply` at a time. */
export class LiveSnapshot {
  readonly #kinds: KindRegistry;
  readonly #modules: readonly DecisionModule<unknown>[];
  readonly #log: Log;
  readonly #onBrokenWorld: () => void;
  /** `Kind.id`s of what is compiled. */
  readonly #known: ReadonlySet<string>;
  /** Changes that do not compile: answers go on from what was before, and later changes try them again. */
  readonly #leftOut = new Map<LiveKey, NextLive>();
  readonly #listeners = new Set<SwapListener>();
  readonly #compiled = Promise.withResolvers<void>();
  #snapshot: Snapshot | undefined;
  #world: LiveObjects;
  /** The same, or the overlay with the changes that are still being taken over. */
  #seen: World;
  #exposing = new ExposingReleases();
  #problem: string | undefined = 'nothing has been compiled yet';

  constructor(options: {
    readonly kinds: KindRegistry;
    readonly modules: readonly DecisionModule<unknown>[];
    readonly log: Log;
    /** Called when the candidates of a release do not compile. */
    readonly onBrokenWorld: () => void;
  }) {
    this.#kinds = options.kinds;
    this.#modules = options.modules;
    this.#log = options.log;
    this.#onBrokenWorld = options.onBrokenWorld;
    this.#known = new Set([...audienceKinds, ...options.modules.flatMap(({ kinds }) => kinds)].map(({ id }) => id));
    this.#world = new LiveObjects(options.kinds);
    this.#seen = this.#world;
  }

  /** Undefined while there is none. */
  get current(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** The live objects of the kinds that the modules compile. */
  get world(): World | undefined {
    return this.#snapshot === undefined ? undefined : this.#seen;
  }

  /** Resolves at the first snapshot. */
  get compiled(): Promise<void> {
    return this.#compiled.promise;
  }

  get leftOut(): number {
    return this.#leftOut.size;
  }

  /** Why there is no snapshot, or only an old one. */
  get problem(): string | undefined {
    return this.#problem;
  }

  onSwap(listener: SwapListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes all Heads of one version, and when it has them, shows them instead of what there was. */
  begin(): Beginning {
    const exposing = new ExposingReleases();
    const listed = new LiveObjects(this.#kinds);
    const take = (head: HeadState): void => {
      exposing.take(head);
      if (head.everyone !== undefined && this.#known.has(head.kind)) listed.set(head.everyone);
    };
    return { take: (heads) => eachOf(heads, take), finish: (version) => this.#show(listed, exposing, version) };
  }

  *#show(listed: LiveObjects, exposing: ExposingReleases, version: string): Steps<void> {
    this.#leftOut.clear();
    const { world, tables } = yield* this.#compileWhole(listed, version);
    this.#exposing = exposing;
    const worlds = yield* this.#expose(tables, world, undefined);
    this.#world = world;
    this.#seen = world;
    this.#swap({ version, tables, worlds }, undefined);
  }

  /** Takes batches of changes: all at once, or, where that does not compile, each by itself. */
  *apply(batches: readonly HeadBatch[]): Steps<void> {
    const taken: BatchChanges[] = [];
    const changedNow = new Set<LiveKey>();
    let isExposedAnew = false;
    for (const { changes, version } of batches) {
      const changed: NextLive[] = [];
      for (const head of changes) {
        const { kind, name, everyone: object } = head;
        const key = liveKey(kind, name);
        if (this.#exposing.take(head)) isExposedAnew = true;
        this.#leftOut.delete(key);
        // A batch before may have changed it: what is as it was in the snapshot is a change then.
        if (this.#known.has(kind) && (changedNow.has(key) || !isSameLive(this.#world.get(kind, name), object))) {
          changed.push({ kind, name, object });
          changedNow.add(key);
        }
        yield;
      }
      taken.push({ changed, version });
    }
    const version = batches.at(-1)?.version ?? '';
    const waiting = [...this.#leftOut.values()];
    if (changedNow.size > 0 || isExposedAnew) yield* this.#takeAll(taken, version);
    if (waiting.length > 0) yield* this.#take(waiting, version);
  }

  *#takeAll(taken: readonly BatchChanges[], version: string): Steps<void> {
    if (taken.length > 1) {
      const last = new Map(
        taken.flatMap(({ changed }) => changed.map((each) => [liveKey(each.kind, each.name), each])),
      );
      if (yield* this.#take([...last.values()], version, 'ifItCompiles')) return;
    }
    for (const each of taken) yield* this.#take(each.changed, each.version);
  }

  /** A state that does not compile is a bug: what does compile is answered from. */
  *#compileWhole(world: LiveObjects, version: string): Steps<Compilation> {
    try {
      return { world, tables: yield* compileTables(this.#modules, world) };
    } catch (error) {
      this.#log.error({ err: error, version }, 'snapshot: compile failed; looking for the objects that fail');
    }
    this.#problem = `version ${version} does not compile`;
    const objects = [...this.#known].flatMap((kind) => [...world.list(kind)]);
    const apart = compileApart(this.#modules, this.#kinds, objects);
    for (const [object, error] of apart.leftOut) {
      const { kind, name } = object;
      this.#leaveOut({ kind, name, object }, version, error);
    }
    return apart;
  }

  #leaveOut({ kind, name, object }: NextLive, version: string, error: unknown): void {
    const key = liveKey(kind, name);
    if (!this.#leftOut.has(key)) {
      this.#log.error(
        { err: error, kind, name, version },
        'snapshot: object left out, it does not compile; answering from its previous version',
      );
    }
    this.#leftOut.set(key, { kind, name, object });
  }

  /**
   * Takes changes that belong together into the snapshot, or leaves them out together. Until all of them are compiled,
   * answers are those of the snapshot before.
   * @param how `ifItCompiles`: otherwise nothing is done, and false returned
   */
  *#take(changed: readonly NextLive[], version: string, how?: 'ifItCompiles'): Steps<boolean> {
    const before = this.#snapshot;
    if (before === undefined) throw new Error('changes came before there was a snapshot');
    const next = new Overlay(this.#world, this.#kinds);
    let { tables } = before;
    let shown = changed;
    try {
      for (const { kind, name, object } of changed) {
        next.put(kind, name, object);
        yield;
      }
      tables = yield* updateTables(before.tables, this.#modules, next, changed);
      for (const { kind, name } of changed) this.#leftOut.delete(liveKey(kind, name));
    } catch (error) {
      if (how === 'ifItCompiles') return false;
      for (const change of changed) this.#leaveOut(change, version, error);
      shown = [];
    }
    // Cohorts change even where nothing compiles: a release that is rolled back must not go on.
    const worlds = yield* this.#expose(tables, shown.length > 0 ? next : this.#world, shown);
    const changes: LiveChange[] = [];
    for (const change of shown) {
      changes.push({ ...change, before: this.#world.get(change.kind, change.name) });
      yield;
    }
    // Their world changes next.
    before.worlds.forEach((each) => each.freeze());
    this.#seen = next;
    this.#swap({ version, tables, worlds }, changes);
    // The overlay hides how far this is.
    for (const { kind, name, object } of shown) {
      if (object === undefined) this.#world.delete(kind, name);
      else this.#world.set(object);
      yield;
    }
    this.#seen = this.#world;
    return true;
  }

  /** @param changed what is not as in the snapshot before; undefined where everything may be */
  *#expose(
    tables: Snapshot['tables'],
    world: World,
    changed: readonly ChangedObject[] | undefined,
  ): Steps<Snapshot['worlds']> {
    const exposed = {
      modules: this.#modules,
      kinds: this.#kinds,
      tables,
      world,
      releases: yield* this.#exposing.list(),
      onBrokenWorld: this.#tellBroken,
    };
    return yield* exposeWorlds(exposed, { worlds: this.#snapshot?.worlds, changed });
  }

  #swap(snapshot: Snapshot, changes: readonly LiveChange[] | undefined): void {
    this.#snapshot = snapshot;
    this.#problem = undefined;
    this.#compiled.resolve();
    for (const listener of this.#listeners) {
      try {
        listener(snapshot, changes);
      } catch (error) {
        this.#log.error({ err: error, version: snapshot.version }, 'snapshot: a subscriber failed');
      }
    }
  }

  #tellBroken = (module: string, releases: readonly ExposingRelease[], error: unknown): void => {
    this.#onBrokenWorld();
    const names = releases.map(({ name }) => name);
    this.#log.error(
      { err: error, module, releases: names },
      'snapshot: release does not compile; answering its cohort as everyone else',
    );
  };
}
