import { readFile, readdir, rename, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import {
  digestOf,
  type DesiredComponent,
  type ObservedComponent,
  type ObservedTrack,
  type Track,
} from '../rules/cluster-state.ts';
import type { ReplicaLog } from './agent-protocol.ts';
import type { Endpoint, ProxyRoute } from './proxy.ts';
import { endProcesses, Replica, readRecord, stopRecorded } from './replica.ts';
import { readLog, rotateLog } from './replica-log.ts';
import { Traffic } from './traffic.ts';

const LIMITS = {
  componentsMax: 2_000,
  /** Time between looks at what drains, and at logs. */
  lookMs: 200,
  logLookMs: 1_000,
  /** Characters of logs in one answer. */
  logCharsMax: 4 << 20,
  /** Requests under way of a track that goes have so much time. */
  drainMsMax: 30_000,
} as const;

const REPLICAS = 'replicas';
const DESIRED = 'desired.json';

/** A track with its replicas, by index. */
interface RunningTrack {
  track: Track;
  readonly replicas: Map<number, RunningReplica>;
  /** Since when not all are ready; undefined where they are. */
  unreadySinceMs: number | undefined;
}

interface RunningReplica {
  readonly replica: Replica;
  readonly folder: string;
  endpoint: Endpoint | undefined;
}

interface RunningComponent {
  desired: DesiredComponent;
  digest: string;
  readonly tracks: Map<string, RunningTrack>;
  readonly traffic: Traffic;
}

/** An older intent than the one that a cluster has. */
export class OldIntent extends Error {
  override readonly name = 'OldIntent';
}

/**
 * Brings the processes of a local cluster to what is desired, and keeps them there. What is desired is on disk: a supervisor that
 * starts again adopts the processes that run, starts those that are missing, and ends those that nobody wants.
 */
export class Supervisor {
  readonly #directory: string;
  readonly #time: Time;
  readonly #log: Log;
  readonly #onRoutes: (routes: ReadonlyMap<string, ProxyRoute>) => void;
  readonly #components = new Map<string, RunningComponent>();
  /** Replicas that are stopping, by their folders. */
  readonly #leaving = new Map<string, Promise<void>>();
  #writing: Promise<void> = Promise.resolve();
  #isStopped = false;
  #cancelLook: (() => void) | undefined;

  private constructor(parts: SupervisorParts) {
    this.#directory = parts.directory;
    this.#time = parts.time;
    this.#log = parts.log;
    this.#onRoutes = parts.onRoutes;
  }

  static async open(parts: SupervisorParts): Promise<Supervisor> {
    const supervisor = new Supervisor(parts);
    await mkdir(join(parts.directory, REPLICAS), { recursive: true, mode: 0o700 });
    const records = await readDesired(join(parts.directory, DESIRED), parts.log);
    await supervisor.#endStrays(records);
    for (const { desired, kept } of records) supervisor.#take(desired, kept);
    void supervisor.#look();
    return supervisor;
  }

  /** Takes the whole desired state of one Component, durably. Throws OldIntent. */
  async apply(desired: DesiredComponent): Promise<void> {
    const known = this.#components.get(desired.name);
    if (known !== undefined && desired.fence < known.desired.fence && desired.over !== known.desired.fence) {
      throw new OldIntent(`the intent ${desired.fence} is older than ${known.desired.fence}, which is in place`);
    }
    if (known === undefined && this.#components.size >= LIMITS.componentsMax) {
      throw new Error(`a local cluster has at most ${LIMITS.componentsMax} Components`);
    }
    this.#take(desired);
    try {
      await this.#write();
    } catch (error) {
      // It is not in place before it is on disk, so it is asked for again.
      const component = this.#components.get(desired.name);
      if (component !== undefined) component.digest = '';
      throw error;
    }
  }

  observe(): readonly ObservedComponent[] {
    const nowMs = this.#time.nowMs();
    return [...this.#components.values()].map(({ desired, digest, tracks }) => ({
      name: desired.name,
      fence: desired.fence,
      digest,
      weights: desired.weights,
      tracks: [...tracks].map(([revision, one]) => observeTrack(revision, one, nowMs)),
    }));
  }

  trafficOf(name: string): Traffic | undefined {
    return this.#components.get(name)?.traffic;
  }

  /** The last lines of the logs of a Component, each with its replica. */
  async logs(
    name: string,
    asked: { readonly revision?: string; readonly text?: string; readonly linesMax: number },
  ): Promise<readonly ReplicaLog[]> {
    const { tracks } = this.#components.get(name) ?? { tracks: new Map<string, RunningTrack>() };
    let left: number = LIMITS.logCharsMax;
    const found = [];
    for (const [revision, { replicas }] of tracks) {
      if (asked.revision !== undefined && !revision.startsWith(asked.revision)) continue;
      for (const [index, { folder }] of replicas) {
        const lines = await readLog(folder, { ...asked, charsMax: left });
        left -= lines.reduce((sum, line) => sum + line.length, 0);
        found.push({ replica: `${revision}.${index}`, lines });
      }
    }
    return found;
  }

  /** Stops every process. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelLook?.();
    const running = [...this.#components.values()].flatMap(({ tracks }) =>
      [...tracks.values()].flatMap(({ replicas }) => [...replicas.values()]),
    );
    await Promise.all([...running.map(({ replica }) => replica.stop()), ...this.#leaving.values()]);
    // Also those that left the group of their replica.
    await endProcesses(this.#directory);
    await this.#writing;
  }

  #take(desired: DesiredComponent, kept: readonly Track[] = []): void {
    const known = this.#components.get(desired.name);
    const digest = digestOf(desired);
    const component = known ?? { desired, digest, tracks: new Map<string, RunningTrack>(), traffic: new Traffic() };
    component.desired = desired;
    component.digest = digest;
    this.#components.set(desired.name, component);
    for (const track of [...desired.tracks, ...kept]) this.#keepTrack(component, track);
    this.#route();
    for (const [revision, track] of component.tracks) {
      const isWanted = desired.tracks.some((one) => one.revision === revision) || desired.keeps.includes(revision);
      if (!isWanted) this.#endTrack(component, revision, track);
    }
    if (component.tracks.size === 0 && desired.hosts.length === 0) this.#components.delete(desired.name);
  }

  #keepTrack(component: RunningComponent, track: Track): void {
    const { revision, replicas: count } = track;
    const running = component.tracks.get(revision) ?? { track, replicas: new Map(), unreadySinceMs: undefined };
    running.track = track;
    component.tracks.set(revision, running);
    for (let index = 0; index < count; index += 1) {
      if (!running.replicas.has(index)) running.replicas.set(index, this.#startReplica(component, running, index));
    }
    for (const [index, one] of running.replicas) {
      if (index < count) continue;
      running.replicas.delete(index);
      this.#endReplica(one);
    }
    this.#noteReadiness(running);
  }

  #startReplica({ desired: { name } }: RunningComponent, running: RunningTrack, index: number): RunningReplica {
    const { revision, program } = running.track;
    const folder = join(this.#directory, REPLICAS, replicaFolder(name, revision, index));
    const place = {
      folder,
      owner: this.#directory,
      program,
      identity: { BACKLINE_COMPONENT: name, BACKLINE_REVISION: revision, BACKLINE_REPLICA: String(index) },
    };
    const onChange = (): void => {
      this.#noteReadiness(running);
      this.#route();
    };
    // Another one that had its folder ends first.
    const after = this.#leaving.get(folder) ?? Promise.resolve();
    const replica = new Replica(place, { time: this.#time, log: this.#log, onChange, after });
    return { replica, folder, endpoint: undefined };
  }

  #endTrack(component: RunningComponent, revision: string, { replicas }: RunningTrack): void {
    component.tracks.delete(revision);
    for (const one of replicas.values()) this.#endReplica(one);
  }

  /** Stops a replica that gets no more requests, when those under way are answered. */
  #endReplica({ replica, folder, endpoint }: RunningReplica): void {
    const untilMs = this.#time.nowMs() + LIMITS.drainMsMax;
    const ending = new Promise<void>((resolve) => {
      const look = (): void => {
        const isIdle = endpoint === undefined || endpoint.underWay === 0;
        if (isIdle || this.#isStopped || this.#time.nowMs() >= untilMs) resolve(replica.stop());
        else this.#time.after(LIMITS.lookMs, look);
      };
      look();
    });
    this.#leaving.set(folder, ending);
    void ending.finally(() => {
      if (this.#leaving.get(folder) === ending) this.#leaving.delete(folder);
    });
  }

  #noteReadiness(running: RunningTrack): void {
    const { replicas, track } = running;
    const isReady = [...replicas.values()].filter(({ replica }) => replica.isReady).length >= track.replicas;
    running.unreadySinceMs = isReady ? undefined : (running.unreadySinceMs ?? this.#time.nowMs());
  }

  /** Tells the proxy where requests go. */
  #route(): void {
    const routes = new Map<string, ProxyRoute>();
    for (const { desired, tracks, traffic } of this.#components.values()) {
      const endpoints = new Map([...tracks].map(([revision, { replicas }]) => [revision, readyEndpoints(replicas)]));
      const { name, weights, stickyHeader } = desired;
      const route = { name, weights, endpoints, traffic, ...(stickyHeader === undefined ? {} : { stickyHeader }) };
      for (const host of desired.hosts) routes.set(host, route);
    }
    this.#onRoutes(routes);
  }

  async #look(): Promise<void> {
    if (this.#isStopped) return;
    for (const { tracks } of this.#components.values()) {
      for (const { replicas } of tracks.values()) {
        for (const { folder } of replicas.values()) {
          await rotateLog(folder).catch((error: unknown) => {
            this.#log.warn({ folder, err: error }, 'replica: log not rotated');
          });
        }
      }
    }
    await rotateLog(this.#directory).catch(() => {});
    this.#cancelLook = this.#time.after(LIMITS.logLookMs, () => void this.#look());
  }

  /** Writes what is desired, one write after the other. */
  #write(): Promise<void> {
    this.#writing = this.#writing
      .catch(() => {})
      .then(() => {
        const records = [...this.#components.values()].map(({ desired, tracks }): DesiredRecord => {
          const kept = [...tracks.values()].map(({ track }) => track);
          return { desired, kept: kept.filter(({ revision }) => desired.keeps.includes(revision)) };
        });
        return writeWhole(join(this.#directory, DESIRED), JSON.stringify(records));
      });
    return this.#writing;
  }

  /** Ends processes of a supervisor before this one that are not desired, or not on record. */
  async #endStrays(records: readonly DesiredRecord[]): Promise<void> {
    const wanted = new Set(
      records.flatMap(({ desired: { name, tracks }, kept }) =>
        [...tracks, ...kept].flatMap(({ revision, replicas }) =>
          Array.from({ length: replicas }, (_, index) => replicaFolder(name, revision, index)),
        ),
      ),
    );
    const known = new Set<number>();
    for (const folder of await readdir(join(this.#directory, REPLICAS))) {
      const path = join(this.#directory, REPLICAS, folder);
      if (!wanted.has(folder)) {
        await stopRecorded(path, this.#log);
        continue;
      }
      const started = await readRecord(path);
      if (started !== undefined) known.add(started.pid);
    }
    await endProcesses(this.#directory, known);
  }
}

/** The desired state of a Component, with the programs of the tracks that stay. */
interface DesiredRecord {
  readonly desired: DesiredComponent;
  readonly kept: readonly Track[];
}

interface SupervisorParts {
  readonly directory: string;
  readonly time: Time;
  readonly log: Log;
  readonly onRoutes: (routes: ReadonlyMap<string, ProxyRoute>) => void;
}

/** The desired state; none where the file is damaged: the server applies it again. */
async function readDesired(path: string, log: Log): Promise<readonly DesiredRecord[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '[]';
    throw error;
  });
  try {
    const records = JSON.parse(text) as readonly DesiredRecord[];
    for (const { desired, kept } of records) digestOf({ ...desired, tracks: [...desired.tracks, ...kept] });
    return records;
  } catch (error) {
    log.error({ path, err: error }, 'agent: desired state damaged; starting without it');
    await rename(path, `${path}.damaged`);
    return [];
  }
}

function observeTrack(
  revision: string,
  { track, replicas, unreadySinceMs }: RunningTrack,
  nowMs: number,
): ObservedTrack {
  const all = [...replicas.values()].map(({ replica }) => replica);
  const message = all.map((one) => one.message).find((text) => text !== undefined);
  return {
    revision,
    replicas: track.replicas,
    ready: all.filter(({ isReady }) => isReady).length,
    restarts: all.reduce((sum, { restarts }) => sum + restarts, 0),
    failures: Math.max(0, ...all.map(({ failures }) => failures)),
    unreadySeconds: unreadySinceMs === undefined ? 0 : Math.floor((nowMs - unreadySinceMs) / 1000),
    ...(message === undefined ? {} : { message }),
  };
}

function readyEndpoints(replicas: ReadonlyMap<number, RunningReplica>): readonly Endpoint[] {
  return [...replicas.values()].flatMap((one) => {
    const { port } = one.replica;
    // A worker has none.
    if (port === undefined || port === 0) return [];
    if (one.endpoint?.port !== port) one.endpoint = { port, underWay: 0 };
    return [one.endpoint];
  });
}

/** Names have no dots where a slash or a dot joins them. */
function replicaFolder(name: string, revision: string, index: number): string {
  return `${name.replace('/', '.')}.${revision}.${index}`;
}
