import { pause, systemTime as time } from '#kernel/base/time.ts';
import type { DesiredComponent, ObservedComponent } from '../rules/cluster-state.ts';

const LIMITS = {
  /** Time between looks at a cluster, and at one that does not answer. */
  lookMs: 500,
  lostMs: 2_000,
} as const;

/** How a cluster is spoken to. */
export interface ClusterAccess {
  /** Where its Components take requests, and what it runs. Throws where it is not reached. */
  readonly look: () => Promise<{ readonly address: string; readonly components: readonly ObservedComponent[] }>;
  readonly apply: (desired: DesiredComponent) => Promise<void>;
}

/** The state of the way to a cluster, at the last look. */
export type Reach =
  | { readonly at: 'unknown' }
  | { readonly at: 'ready'; readonly address: string }
  | { readonly at: 'unreachable'; readonly message: string };

/**
 * Looks at one cluster again and again, by itself: one that hangs holds up no other. It has what was last observed, and tells which
 * Components have changed.
 */
export class ClusterConnection {
  readonly #access: ClusterAccess;
  readonly #onLook: (changes: readonly string[], isTurn: boolean) => void;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #observed: ReadonlyMap<string, ObservedComponent> = new Map();
  #reach: Reach = { at: 'unknown' };
  #lookNow = new AbortController();

  /** @param onLook gets the Components that changed, and whether the cluster was lost or found */
  constructor(access: ClusterAccess, onLook: (changes: readonly string[], isTurn: boolean) => void) {
    this.#access = access;
    this.#onLook = onLook;
    this.#running = this.#run();
  }

  get reach(): Reach {
    return this.#reach;
  }

  /** The last observation of a Component; undefined where the cluster has nothing of it. */
  observe(name: string): ObservedComponent | undefined {
    return this.#observed.get(name);
  }

  /** Names of the Components that it has. */
  get components(): Iterable<string> {
    return this.#observed.keys();
  }

  /** Makes a Component what is desired, and looks at once. */
  async apply(desired: DesiredComponent): Promise<void> {
    await this.#access.apply(desired);
    this.#lookNow.abort();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#lookNow.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#lookNow = new AbortController();
      await this.#look();
      if (signal.aborted) return;
      await pause(time, this.#reach.at === 'ready' ? LIMITS.lookMs : LIMITS.lostMs, this.#lookNow.signal);
    }
  }

  async #look(): Promise<void> {
    const before = this.#reach.at;
    try {
      const { address, components } = await this.#access.look();
      const observed = new Map(components.map((one) => [one.name, one]));
      const names = new Set([...observed.keys(), ...this.#observed.keys()]);
      const changes = [...names].filter(
        (name) => JSON.stringify(observed.get(name)) !== JSON.stringify(this.#observed.get(name)),
      );
      this.#observed = observed;
      this.#reach = { at: 'ready', address };
      this.#onLook(changes, before !== 'ready');
    } catch (error) {
      this.#reach = { at: 'unreachable', message: error instanceof Error ? error.message : String(error) };
      this.#onLook([], before === 'ready');
    }
  }
}
