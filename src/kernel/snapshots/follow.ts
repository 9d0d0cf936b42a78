import { isDeepStrictEqual } from 'node:util';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { jittered, pause, systemTime } from '#kernel/base/time.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { eachOf, inTurns, type Steps } from '#kernel/base/turns.ts';
import { Head, headName, liveObjectOf, placeIn } from '#kernel/kinds/builtin/head.ts';
import type { Batch, ResourceClient } from '#kernel/api/client/contract.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { ExposingReleases, type ExposingRelease } from './exposing-releases.ts';
import { KeptObject } from './kept-object.ts';
import { LiveObjects, Overlay } from './live-objects.ts';
import type { ChangedObject, DecisionModule } from './module.ts';
import { compileApart } from './compile-apart.ts';
import { compileTables, exposeWorlds, updateTables, type Snapshot } from './snapshot.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 3_000;
/** What was heard of so long ago is followed: at least every three seconds there is a sign of life. */
const FOLLOWED_MS_MAX = 6_000;

/** One object that is live in another form than before, or no longer. */
export interface LiveChange extends ChangedObject {
  readonly before: LiveObject | undefined;
  readonly object: LiveObject | undefined;
}

/** A change of one Head. */
interface HeadChange extends Omit<LiveChange, 'before'> {
  readonly head: string;
}

export interface Follower {
  /** The snapshot that answers come from now. */
  readonly snapshot: () => Snapshot;
  /** The same, or undefined while there is none. */
  readonly current: () => Snapshot | undefined;
  /** What is live, of the kinds that the modules compile; undefined before the first snapshot. */
  readonly world: () => World | undefined;
  /**
   * Calls back with each later snapshot and what changed in it for everybody; without changes, everything may have. Until
   * the returned function is called.
   */
  readonly onSwap: (listener: (snapshot: Snapshot, changes: readonly LiveChange[] | undefined) => void) => () => void;
  /** Resolves at the first snapshot. */
  readonly compiled: Promise<void>;
  /** Milliseconds since the control plane was last heard of, and so was the snapshot current; 0 while it is followed. */
  readonly ageMs: () => number;
  /** How many live objects are answered as they were before, because their newest change does not compile. */
  readonly leftOut: () => number;
  /** Why answers cannot be given, or are of an old snapshot because the newest does not compile. */
  readonly problem: () => string | undefined;
  readonly stop: () => Promise<void>;
}

/**
 * Keeps one snapshot up to date with what is live: lists, watches, compiles what changed, swaps. When the control plane
 * is away the last snapshot stays, its age grows, and following resumes by itself.
 */
export function followHeads(options: {
  readonly client: ResourceClient;
  readonly kinds: KindRegistry;
  readonly modules: readonly DecisionModule<unknown>[];
  readonly log: Log;
  /** What is live as another part of this process has it: where it is the same it is kept once. */
  readonly shared?: World['get'] | undefined;
  /** Told when what a release shows to its cohort does not compile. */
  readonly worldBroken?: () => void;
  /** Milliseconds that only move forward. */
  readonly monotonicMs?: () => number;
}): Follower {
  const { client, kinds, shared, log, worldBroken = () => {}, monotonicMs = () => performance.now() } = options;
  const { modules } = options;
  const stopping = new AbortController();
  const known = new Set([...audienceKinds, ...modules.flatMap((module) => module.kinds)].map(({ id }) => id));
  let snapshot: Snapshot | undefined;
  let world = new LiveObjects(kinds);
  let exposing = new ExposingReleases();
  /** When the control plane was last heard of. */
  let heardAtMs = monotonicMs();
  /** Whether it was lost since. */
  let isLost = true;
  let lastProblem: string | undefined = 'nothing has been compiled yet';
  /** Changes that do not compile, by their Head: answers go on from what was before, and later changes try them again. */
  const leftOut = new Map<string, HeadChange>();

  const listeners = new Set<Parameters<Follower['onSwap']>[0]>();
  const { promise: compiled, resolve: firstCompiled } = Promise.withResolvers<void>();
  const running = run();

  return {
    snapshot: () => {
      if (snapshot !== undefined) return snapshot;
      throw new Refusal(
        'decisions/no-snapshot',
        'ServiceUnavailable',
        `There is no snapshot to answer from: ${lastProblem ?? 'starting'}.`,
        {
          retryAfterSeconds: 1,
        },
      );
    },
    current: () => snapshot,
    world: () => (snapshot === undefined ? undefined : world),
    onSwap: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    compiled,
    ageMs: () => {
      const silentMs = monotonicMs() - heardAtMs;
      return isLost || silentMs > FOLLOWED_MS_MAX ? silentMs : 0;
    },
    problem: () => lastProblem,
    leftOut: () => leftOut.size,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };

  async function run(): Promise<void> {
    let version: string | undefined;
    let retryMs = RETRY_MS_MIN;
    while (!stopping.signal.aborted) {
      try {
        version ??= await listAll();
        for await (const batch of client.watch(Head, version, stopping.signal)) {
          heardAtMs = monotonicMs();
          isLost = false;
          // What fails halfway is neither in the snapshot nor to come again: everything is listed anew.
          version = undefined;
          if (batch.changes.length > 0) await inTurns(apply(batch));
          version = batch.version;
          retryMs = RETRY_MS_MIN;
        }
      } catch (error) {
        // Too old, or of a database that was restored to what it was before: what there is now is listed anew.
        if (error instanceof Refusal && (error.reason === 'Expired' || error.reason === 'Timeout')) version = undefined;
        else
          log.warn(
            { error: String(error), retryMs },
            'the control plane cannot be followed; answering from the last snapshot',
          );
      }
      if (stopping.signal.aborted) return;
      isLost = true;
      await pause(systemTime, jittered(retryMs, Math.random), stopping.signal);
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
  }

  async function listAll(): Promise<string> {
    const { items, version } = await client.list(Head);
    snapshot?.worlds.forEach((worlds) => worlds.freeze());
    exposing = new ExposingReleases();
    const listed = new LiveObjects(kinds);
    // Nothing changes it meanwhile: what is written since comes by the watch.
    await inTurns(
      eachOf(items, (head) => {
        exposing.take(head.metadata.name, head);
        const object = liveObjectOf(head);
        if (object !== undefined && known.has(object.kind)) listed.set(keep(object));
      }),
    );
    leftOut.clear();
    world = listed;
    swap(version, await inTurns(compileWhole(version)), undefined);
    return version;
  }

  /** A state that does not compile is a bug: what does compile is answered from. */
  function* compileWhole(version: string): Steps<Snapshot['tables']> {
    try {
      return yield* compileTables(modules, world);
    } catch (error) {
      log.error({ err: error, version }, 'the live state does not compile; looking for the objects that make it fail');
    }
    lastProblem = `version ${version} does not compile`;
    const apart = compileApart(
      modules,
      kinds,
      [...known].flatMap((kind) => [...world.list(kind)]),
    );
    world = apart.world;
    for (const [object, error] of apart.leftOut) {
      const { kind, name } = object;
      leaveOut({ head: headName(kinds.byId(kind), name), kind, name, object }, version, error);
    }
    return apart.tables;
  }

  function leaveOut(change: HeadChange, version: string, error: unknown): void {
    if (!leftOut.has(change.head)) {
      log.error(
        { err: error, head: change.head, version },
        'a live object does not compile; answering from what it was before, and from all others as they are',
      );
    }
    leftOut.set(change.head, change);
  }

  function* apply({ changes, version }: Batch): Steps<void> {
    const changed: HeadChange[] = [];
    let isExposedAnew = false;
    for (const { type, object } of changes) {
      const { name: headOf } = object.metadata;
      const head = type === 'DELETED' ? undefined : object;
      if (exposing.take(headOf, head)) isExposedAnew = true;
      const { kind, name } = placeIn(object);
      leftOut.delete(headOf);
      if (!known.has(kind)) continue;
      const before = world.get(kind, name);
      const after = head === undefined ? undefined : liveObjectOf(head);
      if (before === undefined && after === undefined) continue;
      if (after?.revision === before?.revision && after?.namespace === before?.namespace) {
        if (after !== undefined && JSON.stringify(after.labels) === JSON.stringify(before?.labels)) continue;
      }
      changed.push({ head: headOf, kind, name, object: after && keep(after) });
      yield;
    }
    const waiting = [...leftOut.values()];
    if (changed.length > 0 || isExposedAnew) yield* take(version, changed);
    if (waiting.length > 0) yield* take(version, waiting);
  }

  /**
   * Takes changes that belong together into the snapshot, or leaves them out together. Until all of them are compiled,
   * answers are those of the snapshot before.
   */
  function* take(version: string, changed: readonly HeadChange[]): Steps<void> {
    if (snapshot === undefined) throw new Error('changes came before there was a snapshot');
    const { tables: before, worlds } = snapshot;
    const next = new Overlay(world, kinds);
    let tables = before;
    let shown = changed;
    try {
      for (const { kind, name, object } of changed) {
        next.put(kind, name, object);
        yield;
      }
      tables = yield* updateTables(before, modules, next, changed);
      for (const { head } of changed) leftOut.delete(head);
    } catch (error) {
      for (const change of changed) leaveOut(change, version, error);
      shown = [];
    }
    const told = shown.map((change) => ({ ...change, before: world.get(change.kind, change.name) }));
    // Their world is about to change.
    worlds.forEach((each) => each.freeze());
    shown.forEach(show);
    // Where nothing compiled, who sees what is heeded all the same: a release that is taken back must not go on.
    swap(version, tables, told);
  }

  function show({ kind, name, object }: HeadChange): void {
    if (object === undefined) world.delete(kind, name);
    else world.set(object);
  }

  /** In little memory; in none where this process has the same already. */
  function keep(object: LiveObject): LiveObject {
    const same = shared?.(object.kind, object.name);
    const isSame =
      same !== undefined &&
      same.revision === object.revision &&
      same.namespace === object.namespace &&
      isDeepStrictEqual([same.labels, same.allotment], [object.labels, object.allotment]);
    return isSame ? same : new KeptObject(object, JSON.stringify(object.spec));
  }

  function swap(version: string, tables: Snapshot['tables'], changes: readonly LiveChange[] | undefined): void {
    snapshot = { version, tables, worlds: worldsOf(tables) };
    lastProblem = undefined;
    firstCompiled();
    for (const listener of listeners) {
      try {
        listener(snapshot, changes);
      } catch (error) {
        log.error({ err: error, version }, 'a subscriber to snapshots failed');
      }
    }
  }

  function worldsOf(tables: Snapshot['tables']): Snapshot['worlds'] {
    return exposeWorlds(tables, modules, exposing.list(), { kinds, world, broken }, snapshot);
  }

  function broken(module: string, releases: readonly ExposingRelease[], error: unknown): void {
    worldBroken();
    const names = releases.map(({ name }) => name);
    log.error(
      { err: error, module, releases: names },
      'what releases show does not compile; answering as for everybody',
    );
  }
}
