import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { jittered, pause, systemTime } from '#kernel/base/time.ts';
import { Head, liveObjectOf } from '#kernel/resources/builtin/head.ts';
import type { Batch, ResourceClient } from '#kernel/resources/client/contract.ts';
import type { LiveObject, World } from '#kernel/resources/kind.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import { ExposingReleases, type ExposingRelease } from './exposing-releases.ts';
import { LiveObjects } from './live-objects.ts';
import type { ChangedObject, DecisionModule } from './module.ts';
import { audiencesModule, compileTables, exposeWorlds, updateTables, type Snapshot } from './snapshot.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 3_000;

/** One object that is live in another form than before, or no longer. */
interface LiveChange extends ChangedObject {
  readonly object: LiveObject | undefined;
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
  /** Milliseconds since the snapshot was last known to be current; 0 while the control plane is followed. */
  readonly ageMs: () => number;
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
  /** Told when what a release shows to its cohort does not compile. */
  readonly worldBroken?: () => void;
  /** Milliseconds that only move forward. */
  readonly monotonicMs?: () => number;
}): Follower {
  const { client, kinds, log, worldBroken = () => {}, monotonicMs = () => performance.now() } = options;
  const modules = [audiencesModule as DecisionModule<unknown>, ...options.modules];
  const stopping = new AbortController();
  const known = new Map(modules.flatMap((module) => module.kinds.map((kind) => [kind.id, kind] as const)));
  let snapshot: Snapshot | undefined;
  let world = new LiveObjects(kinds);
  /** The live object of each Head, by the Head's name: a deletion tells only that. */
  let byHead = new Map<string, LiveObject>();
  let exposing = new ExposingReleases();
  /** When the control plane was lost; undefined while it is followed. */
  let lostAtMs: number | undefined = monotonicMs();
  let lastProblem: string | undefined = 'nothing has been compiled yet';
  /** True when the world moved on without a snapshot of it: the next compile starts from scratch. */
  let behind = true;

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
    ageMs: () => (lostAtMs === undefined ? 0 : monotonicMs() - lostAtMs),
    problem: () => lastProblem,
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
          version = batch.version;
          lostAtMs = undefined;
          retryMs = RETRY_MS_MIN;
          if (batch.changes.length > 0) apply(batch);
        }
      } catch (error) {
        if (error instanceof Refusal && error.reason === 'Expired') version = undefined;
        else
          log.warn(
            { error: String(error), retryMs },
            'the control plane cannot be followed; answering from the last snapshot',
          );
      }
      if (stopping.signal.aborted) return;
      lostAtMs ??= monotonicMs();
      await pause(systemTime, jittered(retryMs, Math.random), stopping.signal);
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
  }

  async function listAll(): Promise<string> {
    const { items, version } = await client.list(Head);
    snapshot?.worlds.forEach((worlds) => worlds.freeze());
    byHead = new Map();
    exposing = new ExposingReleases();
    for (const head of items) {
      exposing.take(head.metadata.name, head);
      const object = liveObjectOf(head);
      if (object !== undefined && known.has(object.kind)) byHead.set(head.metadata.name, object);
    }
    world = new LiveObjects(kinds, byHead.values());
    behind = true;
    swap(version, undefined);
    return version;
  }

  function apply({ changes, version }: Batch): void {
    const changed: LiveChange[] = [];
    let isExposedAnew = false;
    for (const { type, object } of changes) {
      const { name } = object.metadata;
      const head = type === 'DELETED' ? undefined : object;
      if (exposing.take(name, head)) isExposedAnew = true;
      const before = byHead.get(name);
      const after = head === undefined ? undefined : liveObjectOf(head);
      const kind = (after ?? before)?.kind;
      if (kind === undefined || !known.has(kind)) continue;
      if (after?.revision === before?.revision && after?.namespace === before?.namespace) {
        if (after !== undefined && JSON.stringify(after.labels) === JSON.stringify(before?.labels)) continue;
      }
      if (after === undefined) byHead.delete(name);
      else byHead.set(name, after);
      changed.push({ kind, name: (after ?? before)?.name ?? '', object: after });
    }
    if (changed.length === 0 && !isExposedAnew) return;
    // Their world is about to change.
    snapshot?.worlds.forEach((worlds) => worlds.freeze());
    for (const { kind, name, object } of changed) {
      if (object === undefined) world.delete(kind, name);
      else world.set(object);
    }
    swap(version, changed);
  }

  /** A world that does not compile is a bug; it must not take the answers away. */
  function swap(version: string, changed: readonly LiveChange[] | undefined): void {
    const changes = behind ? undefined : changed;
    try {
      const tables =
        changes === undefined || snapshot === undefined
          ? compileTables(modules, world)
          : updateTables(snapshot.tables, modules, world, changes);
      snapshot = { version, tables, worlds: worldsOf(tables) };
      behind = false;
      lastProblem = undefined;
      firstCompiled();
    } catch (error) {
      behind = true;
      lastProblem = `version ${version} does not compile`;
      log.error({ err: error, version }, 'the live state does not compile; answering from the last snapshot');
      if (snapshot === undefined) return;
      // Who sees what is heeded all the same: a release that is taken back must not go on.
      const worlds = worldsOf(snapshot.tables);
      worlds.forEach((frozen) => frozen.freeze());
      snapshot = { ...snapshot, worlds };
      return;
    }
    for (const listener of listeners) listener(snapshot, changes);
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
