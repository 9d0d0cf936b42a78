import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { Informer } from '#kernel/controllers/informer.ts';
import type { ControllerParts, LocalRuntime, ModuleController } from '#kernel/controllers/module-controller.ts';
import { Cluster, type ClusterSpec, type ClusterStatus } from '../kinds/cluster.ts';
import { COMPONENT } from '../kinds/identity.ts';
import { LocalAgent } from '../local-cluster/local-agent.ts';
import { ClusterConnection } from './cluster-connection.ts';
import { Instances } from './instances.ts';

/** Time between writes of when a cluster was last reached: well below the age at which it is unknown. */
const SEEN_MS = 10_000;
const NO_RUNTIME = 'no server with a local runtime runs: `backline up` has one, and `backline serve` has none';

/** A cluster that is spoken to. */
interface OpenCluster {
  readonly port: number;
  readonly agent: LocalAgent;
  readonly connection: ClusterConnection;
}

/** Brings clusters to the live state: one controller for the ways to them, and one for the Components there. */
export function deployControllers(parts: ControllerParts): readonly ModuleController[] {
  const informer = parts.inform(Cluster);
  const clusters = new Clusters(parts, informer);
  const instances = new Instances({
    ...parts,
    clusters: informer,
    heads: parts.inform(Head, { fieldSelector: `spec.object.kind=${COMPONENT}` }),
    connectionTo: (cluster) => clusters.connectionTo(cluster),
  });
  clusters.onChange = (cluster, changes) => instances.look(cluster, changes);
  return [clusters.controller, instances.controller];
}

/** The ways to all clusters, and their statuses. */
class Clusters {
  readonly #parts: ControllerParts;
  readonly #informer: Informer;
  readonly #opened = new Map<string, OpenCluster>();
  readonly #ending = new Map<string, OpenCluster>();
  #add: (key: string) => void = () => {};
  /** Gets the Components of a cluster that changed; undefined: any may have. */
  onChange: (cluster: string, changes: readonly string[] | undefined) => void = () => {};

  constructor(parts: ControllerParts, informer: Informer) {
    this.#parts = parts;
    this.#informer = informer;
  }

  get controller(): ModuleController {
    return {
      name: 'clusters',
      watches: [{ informer: this.#informer, keys: ({ before, now }) => [(now ?? before)?.metadata.name ?? ''] }],
      begin: (add) => this.#begin(add),
      reconcile: (name) => this.#reconcile(name),
    };
  }

  connectionTo(cluster: string): ClusterConnection | undefined {
    return this.#opened.get(cluster)?.connection;
  }

  #begin(add: (key: string) => void): () => Promise<void> {
    const { localRuntime } = this.#parts;
    this.#add = add;
    localRuntime?.beforeStop(async () => {
      await Promise.all([...this.#opened.values()].map(({ agent }) => agent.end()));
    });
    void this.#informer.synced.then(() => this.#endStrays());
    return async () => {
      await Promise.all([...this.#opened.values()].map(({ connection }) => connection.close()));
    };
  }

  async #reconcile(name: string): Promise<void> {
    const { client, localRuntime } = this.#parts;
    const object = this.#informer.get(undefined, name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return this.#end(name, true);
    if (localRuntime !== undefined) await this.#open(name, Cluster.spec(object), localRuntime);
    const status = this.#statusOf(name, Cluster.status(object));
    if (status !== undefined) await client.patchStatus(Cluster, { name }, status);
  }

  async #open(name: string, { local: { port = 0 } }: ClusterSpec, { directory }: LocalRuntime): Promise<void> {
    const known = this.#opened.get(name);
    if (known?.port === port) return;
    if (known !== undefined || this.#ending.has(name)) await this.#end(name, false);
    const agent = new LocalAgent({ cluster: name, directory: join(directory, name), port });
    const access = {
      look: async () => {
        const { proxyPort, components } = await agent.state();
        return { address: `http://127.0.0.1:${proxyPort}`, components };
      },
      apply: agent.apply.bind(agent),
    };
    const connection = new ClusterConnection(access, (changes, isTurn) => {
      this.#add(name);
      this.onChange(name, isTurn ? undefined : changes);
    });
    this.#opened.set(name, { port, agent, connection });
  }

  async #end(name: string, isDeleted: boolean): Promise<void> {
    const known = this.#opened.get(name) ?? this.#ending.get(name);
    if (known === undefined) return;
    this.#opened.delete(name);
    // It is tried again until it has ended.
    this.#ending.set(name, known);
    await known.connection.close();
    await (isDeleted ? known.agent.remove() : known.agent.end());
    this.#ending.delete(name);
    this.#parts.log.info({ cluster: name }, 'cluster: stopped, with everything that it ran');
  }

  /** Ends what runs for clusters that were deleted while nobody looked. */
  async #endStrays(): Promise<void> {
    const { localRuntime, log } = this.#parts;
    if (localRuntime === undefined) return;
    const { directory } = localRuntime;
    for (const name of await readdir(directory).catch(() => [])) {
      if (this.#informer.get(undefined, name) !== undefined) continue;
      // One that does not end holds up no other.
      await new LocalAgent({ cluster: name, directory: join(directory, name) }).remove().catch((error: unknown) => {
        log.error({ cluster: name, err: error }, 'cluster: cannot stop what a deleted cluster ran');
      });
    }
  }

  /** The status to write; undefined where the present one will do. */
  #statusOf(name: string, present: ClusterStatus | undefined): object | undefined {
    const now = this.#parts.clock();
    const reach = this.#opened.get(name)?.connection.reach;
    if (reach?.at === 'unknown') return undefined;
    if (reach?.at === 'ready') {
      const { address } = reach;
      const seenMs = present?.seenAt === undefined ? 0 : Temporal.Instant.from(present.seenAt).epochMilliseconds;
      const isFresh = Math.abs(now.epochMilliseconds - seenMs) < SEEN_MS;
      if (present?.state === 'ready' && present.address === address && isFresh) return undefined;
      return { state: 'ready', seenAt: now.toString({ smallestUnit: 'second' }), address, message: null };
    }
    const message = reach?.message ?? NO_RUNTIME;
    if (present?.state === 'unreachable' && present.message === message) return undefined;
    return { state: 'unreachable', message };
  }
}
