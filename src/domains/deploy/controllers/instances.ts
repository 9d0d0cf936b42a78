import { isDeepStrictEqual } from 'node:util';
import { Head, headName, placeIn } from '#kernel/kinds/builtin/head.ts';
import type { Informer, ObjectChange } from '#kernel/controllers/informer.ts';
import type { ControllerParts, ModuleController } from '#kernel/controllers/module-controller.ts';
import type { Requeue } from '#kernel/controllers/controller.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { Component } from '../kinds/component.ts';
import { Instance, type InstanceStatus } from '../kinds/instance.ts';
import { digestOf, type DesiredComponent, type ObservedComponent } from '../rules/cluster-state.ts';
import type { LabelledCluster } from '../rules/cluster-weights.ts';
import { planTracks } from '../rules/plan-tracks.ts';
import { healthOf, textOfObserved, wantedIn, type InstanceHealth, type LiveComponent } from '../rules/wanted-tracks.ts';
import { liveIn } from '../target/live-component.ts';
import type { ClusterConnection } from './cluster-connection.ts';

const LIMITS = {
  /** Time until the next look at a Component that waits: for other clusters, or until a deadline. */
  waitMs: 1_000,
  /** Clusters that a message names. */
  namesMax: 3,
} as const;

const NOTHING: Pick<ObservedComponent, 'tracks' | 'weights'> = { tracks: [], weights: {} };

/** Separates the name of a Component from that of a cluster in a key; neither has one. */
const AT = '@';

interface InstanceParts extends Pick<ControllerParts, 'client' | 'log' | 'inform'> {
  readonly clusters: Informer;
  readonly heads: Informer;
  readonly connectionTo: (cluster: string) => ClusterConnection | undefined;
}

/** Brings each Component to the live state in each cluster, step by step, and writes its Instances. */
export class Instances {
  readonly #parts: InstanceParts;
  readonly #written: Informer;
  /** Live Components. */
  readonly #names = new Set<string>();
  #add: (key: string) => void = () => {};

  constructor(parts: InstanceParts) {
    this.#parts = parts;
    this.#written = parts.inform(Instance);
  }

  get controller(): ModuleController {
    const { clusters, heads } = this.#parts;
    return {
      name: 'instances',
      watches: [
        { informer: heads, keys: (change) => this.#keysOfHead(change) },
        { informer: clusters, keys: (change) => this.#keysOfCluster(change) },
        { informer: this.#written, keys: ({ before, now }) => keysOfInstance(now ?? before) },
      ],
      begin: (add) => {
        this.#add = add;
        return () => {};
      },
      reconcile: (key) => this.#reconcile(key),
    };
  }

  /** Looks at Components of a cluster that changed there; undefined: at all that it has or should have. */
  look(cluster: string, changes: readonly string[] | undefined): void {
    const all = changes ?? [...this.#names, ...(this.#parts.connectionTo(cluster)?.components ?? [])];
    for (const name of all) this.#add(`${name}${AT}${cluster}`);
  }

  #keysOfHead({ before, now }: ObjectChange): readonly string[] {
    const head = now ?? before;
    const name = head === undefined ? '' : placeIn(head).name;
    if (now === undefined) this.#names.delete(name);
    else this.#names.add(name);
    return this.#clusters().map((cluster) => `${name}${AT}${cluster.name}`);
  }

  #keysOfCluster({ before, now }: ObjectChange): readonly string[] {
    const isSame = isDeepStrictEqual(before?.metadata.labels, now?.metadata.labels);
    if (before !== undefined && now !== undefined && isSame) return [];
    const cluster = (now ?? before)?.metadata.name ?? '';
    return [...this.#names].map((name) => `${name}${AT}${cluster}`);
  }

  #clusters(): readonly LabelledCluster[] {
    // Clusters have no namespace.
    return this.#parts.clusters.inNamespace('').flatMap(({ metadata: { name } }) => this.#cluster(name) ?? []);
  }

  #cluster(name: string): LabelledCluster | undefined {
    const { metadata } = this.#parts.clusters.get(undefined, name) ?? {};
    if (metadata === undefined || metadata.deletionTimestamp !== undefined) return undefined;
    return { name, labels: metadata.labels ?? {} };
  }

  async #reconcile(key: string): Promise<Requeue | void> {
    const [name = '', clusterName = ''] = key.split(AT);
    const cluster = this.#cluster(clusterName);
    if (cluster === undefined) return this.#forget(name, clusterName);
    const connection = this.#parts.connectionTo(clusterName);
    // It is looked at again when the cluster is reached.
    if (connection?.reach.at !== 'ready') return undefined;
    const head = this.#parts.heads.get(undefined, headName(Component, name));
    const live = liveIn(head, { name });
    const wanted = wantedIn(live, cluster);
    const observed = connection.observe(name);
    if (wanted.tracks.length === 0 && observed === undefined) return this.#forget(name, clusterName);
    const turn = this.#turnOf(live, cluster);
    const { waits, ...plan } = planTracks(wanted.tracks, observed ?? NOTHING);
    if (turn === undefined) {
      const { hosts, stickyHeader } = wanted;
      const fence = Number(head?.metadata.resourceVersion ?? observed?.fence ?? 0);
      const desired = { name, fence, hosts, ...(stickyHeader === undefined ? {} : { stickyHeader }), ...plan };
      await this.#apply(connection, desired, observed);
    }
    const health = healthOf(wanted, observed ?? NOTHING, turn ?? waits);
    await this.#write(name, clusterName, statusOf(observed ?? NOTHING, health));
    return health.state === 'progressing' ? { afterMs: LIMITS.waitMs } : undefined;
  }

  /** Applies a desired state that the cluster does not have, unless what is known here is too old. */
  async #apply(
    connection: ClusterConnection,
    desired: DesiredComponent,
    observed: ObservedComponent | undefined,
  ): Promise<void> {
    const { name, fence } = desired;
    if (observed?.digest === digestOf(desired)) return;
    if (observed === undefined || observed.fence <= fence) return connection.apply(desired);
    const live = await this.#parts.client.get(Head, { name: headName(Component, name) });
    if (Number(live?.metadata.resourceVersion ?? 0) >= observed.fence) return;
    this.#parts.log.warn(
      { component: name, fence: observed.fence, version: fence },
      'instance: state restored; replacing a newer intent',
    );
    await connection.apply({ ...desired, over: observed.fence });
  }

  /** Why a cluster has to wait until others are done; undefined: it is its turn. */
  #turnOf({ name, candidate }: LiveComponent, cluster: LabelledCluster): string | undefined {
    const concurrent = candidate?.weights.concurrent;
    if (candidate === undefined || concurrent === undefined) return undefined;
    const before = Object.keys(candidate.weights.weightOf)
      .sort()
      .filter((other) => other < cluster.name && this.#isBusy(name, other));
    if (before.length < concurrent) return undefined;
    return `Waits until ${before.slice(0, LIMITS.namesMax).join(', ')} are done.`;
  }

  /** Whether another cluster still changes. One that is not reached is not waited for. */
  #isBusy(name: string, clusterName: string): boolean {
    const other = this.#cluster(clusterName);
    const connection = this.#parts.connectionTo(clusterName);
    if (other === undefined || connection?.reach.at !== 'ready') return false;
    const wanted = wantedIn(liveIn(this.#parts.heads.get(undefined, headName(Component, name)), { name }), other);
    return healthOf(wanted, connection.observe(name) ?? NOTHING).state !== 'healthy';
  }

  async #write(name: string, cluster: string, status: InstanceStatus): Promise<void> {
    const { namespace = '', name: component } = readLiveName(Component, name);
    const at = { namespace, name: `${component}.${cluster}` };
    const present = this.#written.get(namespace, at.name);
    if (present !== undefined && isDeepStrictEqual(Instance.status(present), status)) return;
    if (present === undefined) {
      const { apiVersion, kind } = Instance;
      await this.#parts.client.create(Instance, { apiVersion, kind, metadata: at, spec: { component, cluster } });
    }
    await this.#parts.client.patchStatus(Instance, at, { message: null, ...status });
  }

  async #forget(name: string, cluster: string): Promise<void> {
    const { namespace = '', name: component } = readLiveName(Component, name);
    const at = { namespace, name: `${component}.${cluster}` };
    if (this.#written.get(namespace, at.name) !== undefined) await this.#parts.client.delete(Instance, at);
  }
}

function keysOfInstance(object: ResourceObject | undefined): readonly string[] {
  if (object === undefined) return [];
  const { component, cluster } = Instance.spec(object);
  return [`${object.metadata.namespace ?? ''}/${component}${AT}${cluster}`];
}

function statusOf({ tracks, weights }: typeof NOTHING, health: InstanceHealth): InstanceStatus {
  return {
    ...health,
    observed: textOfObserved({ tracks, weights }),
    tracks: tracks.map(({ revision, replicas, ready, restarts, message }) => ({
      revision,
      weight: weights[revision] ?? 0,
      replicas,
      ready,
      restarts,
      ...(message === undefined ? {} : { message }),
    })),
  };
}
