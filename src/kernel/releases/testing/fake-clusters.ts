import assert from 'node:assert/strict';
import { Type } from 'typebox';
import type { Time } from '#kernel/base/time.ts';
import { Head, candidateOf, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Change, Store } from '#kernel/store/contract.ts';
import { defineTarget, type PlaceObservation, type Target } from '../kinds/target.ts';

/** Probabilities of faults between the follower and the clusters. */
export interface NetworkFaults {
  readonly lost: number;
  readonly repeated: number;
}

const LIMITS = {
  /** Maximum latency of a message; a repeated one has a far longer one. */
  delayMs: 1_500,
  lateMs: 90_000,
  /** Maximum time until a new revision in a cluster is healthy. */
  settleMs: 3_000,
  /** Interval in which the follower compares clusters with Heads, and clusters report. */
  resyncMs: 20_000,
  /** A cluster without a report for this long is unknown. */
  staleMs: 50_000,
} as const;

interface ClustersWhere {
  /** Clusters of these rings; absent: of all. */
  readonly rings?: readonly string[];
  readonly percent: number;
}

/** The entry in a Head: the percentage of each cluster. Other clusters have none. */
interface ClustersIntent {
  readonly parts: number;
  readonly percentOf: Readonly<Record<string, number>>;
}

/** The state of one object in one cluster. */
interface Had {
  readonly text: string;
  /** The version of the intent: older ones are refused. */
  readonly fence: number;
  readonly healthyAtMs: number;
}

interface Report {
  readonly atMs: number;
  readonly objects: ReadonlyMap<
    string,
    { readonly text: string; readonly state: 'healthy' | 'progressing' | 'failed' }
  >;
}

class Cluster {
  readonly name: string;
  readonly ring: string;
  readonly had = new Map<string, Had>();
  isPartitioned = false;
  isFailing = false;
  /** Number of changes that it made: repeated requests count once. */
  effects = 0;

  constructor(name: string, ring: string) {
    this.name = name;
    this.ring = ring;
  }

  /** Applies the intent of an object, unless it has a newer one. */
  take(object: string, text: string, fence: number, healthyAtMs: number): boolean {
    const before = this.had.get(object);
    if (before !== undefined && fence < before.fence) return false;
    if (before?.text === text) {
      this.had.set(object, { ...before, fence });
      return false;
    }
    this.effects += 1;
    this.had.set(object, { text, fence, healthyAtMs });
    return true;
  }
}

/**
 * Clusters behind a network that loses, delays, repeats and partitions, and the follower that brings them to the state of Heads: an
 * eventual target. Deterministic in `chance` and `time`.
 */
export class FakeClusters {
  readonly target: Target;
  readonly clusters = new Map<string, Cluster>();
  faults: NetworkFaults = { lost: 0, repeated: 0 };
  readonly #kind: Kind;
  readonly #time: Time;
  readonly #chance: () => number;
  /** Last reports to the engine's informer; a new engine has none. */
  #heard = new Map<string, Report>();
  #follower: { readonly stop: () => void } | undefined;
  /** All messages ever sent, where a test repeats them. */
  sent: (() => void)[] | undefined;

  constructor(parts: { readonly kind: Kind; readonly time: Time; readonly chance: () => number }) {
    this.#kind = parts.kind;
    this.#time = parts.time;
    this.#chance = parts.chance;
    this.target = this.#makeTarget();
  }

  /** Adds a cluster. */
  join(name: string, ring: string): void {
    this.clusters.set(name, new Cluster(name, ring));
  }

  /** Starts the follower. When stopped it forgets everything, and a new one starts from stored state. */
  follow(
    read: Pick<Store<never>, 'get' | 'list' | 'version'>,
    subscribe: (listener: (changes: readonly Change[]) => void) => () => void,
  ): void {
    this.stopFollowing();
    let isStopped = false;
    const after = (ms: number, call: () => void) => this.#time.after(ms, () => (isStopped ? undefined : call()));
    const syncObject = (object: string): void => {
      const head = read.get(Head, '', headName(this.#kind, object))?.object();
      const entry = read.get(Head, '', headName(this.#kind, object));
      const fence = entry?.version ?? read.version();
      for (const cluster of this.clusters.values()) {
        this.#send(cluster, object, textAt(head, cluster.name), fence, after);
      }
    };
    const resync = (): void => {
      const named = new Set([...this.clusters.values()].flatMap(({ had }) => [...had.keys()]));
      for (const { name } of read.list(Head))
        if (name.startsWith(headName(this.#kind, ''))) named.add(this.#objectOf(name));
      for (const object of named) syncObject(object);
      for (const cluster of this.clusters.values()) this.#report(cluster);
      after(LIMITS.resyncMs, resync);
    };
    const unsubscribe = subscribe((changes) => {
      for (const { entry } of changes) {
        if (entry.kind === Head && entry.name.startsWith(headName(this.#kind, '')))
          syncObject(this.#objectOf(entry.name));
      }
    });
    this.#follower = {
      stop: () => {
        isStopped = true;
        unsubscribe();
      },
    };
    resync();
  }

  stopFollowing(): void {
    this.#follower?.stop();
    this.#follower = undefined;
  }

  get isFollowing(): boolean {
    return this.#follower !== undefined;
  }

  /** Whether a cluster has the state of Heads. */
  hasWanted(cluster: string, object: string, head: ResourceObject | undefined): boolean {
    const had = this.clusters.get(cluster)?.had.get(object)?.text ?? NOTHING;
    return had === textAt(head, cluster);
  }

  #objectOf(head: string): string {
    return head.slice(headName(this.#kind, '').length);
  }

  #send(cluster: Cluster, object: string, text: string, fence: number, after: Time['after']): void {
    const had = cluster.had.get(object);
    if (had?.text === text && had.fence >= fence) return;
    const arrive = (): void => {
      if (cluster.isPartitioned) return;
      const fenceBefore = cluster.had.get(object)?.fence ?? 0;
      const healthyAtMs = this.#time.nowMs() + Math.floor(this.#chance() * LIMITS.settleMs);
      const isNew = cluster.take(object, text, fence, healthyAtMs);
      assert.ok((cluster.had.get(object)?.fence ?? 0) >= fenceBefore, `${cluster.name} went back behind its fence`);
      if (isNew) this.#time.after(healthyAtMs - this.#time.nowMs(), () => this.#report(cluster));
    };
    this.sent?.push(arrive);
    if (this.#chance() >= this.faults.lost) after(Math.floor(this.#chance() * LIMITS.delayMs), arrive);
    // A message in flight arrives, whatever happens to its sender.
    if (this.#chance() < this.faults.repeated) this.#time.after(Math.floor(this.#chance() * LIMITS.lateMs), arrive);
  }

  /** A report of a cluster. */
  #report(cluster: Cluster): void {
    if (cluster.isPartitioned || this.#chance() < this.faults.lost) return;
    const atMs = this.#time.nowMs();
    const objects: Report['objects'] = new Map(
      [...cluster.had].map(([object, { text, healthyAtMs }]) => {
        const state = cluster.isFailing ? 'failed' : healthyAtMs > atMs ? 'progressing' : 'healthy';
        return [object, { text, state }] as const;
      }),
    );
    const heard = this.#heard;
    this.#time.after(Math.floor(this.#chance() * LIMITS.delayMs), () => {
      if ((heard.get(cluster.name)?.atMs ?? -1) <= atMs) heard.set(cluster.name, { atMs, objects });
    });
  }

  #makeTarget(): Target {
    const clustersIn = (rings: readonly string[] | undefined) =>
      [...this.clusters.values()].filter(({ ring }) => rings?.includes(ring) ?? true).map(({ name }) => name);
    return defineTarget<ClustersWhere>({
      name: this.#kind.target,
      where: Type.Object(
        {
          rings: Type.Optional(
            Type.Array(Type.String(), { minItems: 1, description: 'Only clusters of these rings.' }),
          ),
          percent: Type.Integer({
            minimum: 1,
            maximum: 100,
            default: 100,
            description: 'How much of each, in per cent.',
          }),
        },
        { description: 'Which clusters get it, and how much of each.' },
      ),
      whole: { percent: 100 },
      example: { percent: 10 },
      isWhole: ({ rings, percent }) => rings === undefined && percent === 100,
      // A test runs the follower, not a controller.
      follow: () => [],
      open: ({ store, clock }) => {
        const heard = new Map<string, Report>();
        this.#heard = heard;
        return {
          aim: (_release, parts, before): ClustersIntent => {
            const known = before as ClustersIntent | undefined;
            const percentOf: Record<string, number> = {};
            for (const [index, { rings, percent }] of parts.entries()) {
              for (const name of clustersIn(rings)) {
                // Clusters that joined after a stage was reached have no part in it.
                const isReached = known !== undefined && index < known.parts;
                if (isReached && known.percentOf[name] === undefined) continue;
                percentOf[name] = Math.max(percentOf[name] ?? 0, percent);
              }
            }
            return { parts: parts.length, percentOf };
          },
          plan: async ({ objects }) => ({
            problems: [],
            actions: objects.map(({ kind, name, from }) =>
              from === undefined
                ? { kind, name, undo: 'keep', remains: `The data of ${name} stays in its clusters.` }
                : { kind, name, undo: 'exact' },
            ),
          }),
          observe: ({ objects }) =>
            [...this.clusters.values()].map(({ name }): PlaceObservation => {
              const wanted = objects.map((one) =>
                textAt(store.get(Head, '', headName(this.#kind, one.name))?.object(), name),
              );
              const last = heard.get(name);
              const observed = objects.map((one) => last?.objects.get(one.name)?.text ?? NOTHING);
              const place = { name, wanted: wanted.join(), observed: observed.join() };
              if (last === undefined) return { ...place, state: 'unknown', message: 'it was not heard of' };
              const ageMs = this.#time.nowMs() - last.atMs;
              const seen = { ...place, observedAtMs: clock().epochMilliseconds - ageMs };
              if (ageMs > LIMITS.staleMs) {
                return { ...seen, state: 'unknown', message: 'it is not heard of any more' };
              }
              const states = objects.map((one) => last.objects.get(one.name)?.state ?? 'healthy');
              if (place.wanted !== place.observed || states.includes('progressing'))
                return { ...seen, state: 'progressing' };
              return { ...seen, state: states.includes('failed') ? 'failed' : 'healthy' };
            }),
        };
      },
    });
  }
}

const NOTHING = '-';

/** The desired state of an object in a cluster: one revision, or a part of a second one beside it. */
function textAt(head: ResourceObject | undefined, cluster: string): string {
  if (head === undefined) return NOTHING;
  const stable = everyoneOf(head)?.object.revision.slice(0, 6) ?? NOTHING;
  const candidate = candidateOf(head);
  const percent = (candidate?.where as ClustersIntent | undefined)?.percentOf[cluster] ?? 0;
  if (candidate === undefined || percent === 0) return stable;
  const next = candidate.object?.revision.slice(0, 6) ?? NOTHING;
  return percent === 100 ? next : `${next} ${percent}% of ${stable}`;
}
