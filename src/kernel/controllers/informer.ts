import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Batch, ResourceClient, SelectOptions } from '#kernel/api/client/contract.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { eachOf, inTurns } from '#kernel/base/turns.ts';
import { jitter, pause, type Time } from '#kernel/base/time.ts';

const LIMITS = {
  retryMsFirst: 50,
  retryMsMax: 30_000,
} as const;

/** The change of one object: it was added, changed, or removed. */
export type ObjectChange =
  | { readonly before: ResourceObject | undefined; readonly now: ResourceObject }
  | { readonly before: ResourceObject; readonly now: undefined };

/**
 * The objects of one kind as they were a moment ago, and news of them. What it shows is never newer than what the
 * server has, and may be older: read live before acting on it.
 */
export interface Informer {
  readonly kind: Kind;
  /** Resolves when it has seen all objects once. */
  readonly synced: Promise<void>;
  readonly get: (namespace: string | undefined, name: string) => ResourceObject | undefined;
  readonly withUid: (uid: string) => ResourceObject | undefined;
  /** Objects with this uid among their owners. */
  readonly ownedBy: (uid: string) => readonly ResourceObject[];
  readonly inNamespace: (namespace: string) => readonly ResourceObject[];
  /** Calls back with every object that is there, then with every change. Several changes in a row may come as one. */
  readonly subscribe: (listener: (observed: ObjectChange) => void) => void;
  readonly stop: () => Promise<void>;
}

export interface InformerOptions {
  readonly client: Pick<ResourceClient, 'list' | 'watch'>;
  readonly kind: Kind;
  /** Reduces an object to the fields that matter, to save memory. */
  readonly trim?: (object: ResourceObject) => ResourceObject;
  /** Which objects, and how much of them; absent: all. */
  readonly selected?: SelectOptions;
  readonly time: Time;
  readonly random?: () => number;
  readonly log: Log;
}

export function startInformer(options: InformerOptions): Informer {
  const { client, kind, trim = (object) => object, selected = {}, time, random = Math.random, log } = options;
  const stopping = new AbortController();
  const objects = new Map<string, ResourceObject>();
  const byUid = new Index(objects, ({ metadata: { uid = '' } }) => [uid]);
  const byOwner = new Index(objects, ({ metadata: { ownerReferences = [] } }) => ownerReferences.map(({ uid }) => uid));
  const byNamespace = new Index(objects, ({ metadata: { namespace = '' } }) => [namespace]);
  const indexes = [byUid, byOwner, byNamespace];
  const listeners: ((observed: ObjectChange) => void)[] = [];
  const { promise: synced, resolve: firstSynced } = Promise.withResolvers<void>();
  const running = run();

  return {
    kind,
    synced,
    get: (namespace, name) => objects.get(placeKey(namespace, name)),
    withUid: (uid) => byUid.get(uid)[0],
    ownedBy: (uid) => byOwner.get(uid),
    inNamespace: (namespace) => byNamespace.get(namespace),
    subscribe: (listener) => {
      for (const now of objects.values()) listener({ before: undefined, now });
      listeners.push(listener);
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };

  async function run(): Promise<void> {
    let version: string | undefined;
    let retryMs: number = LIMITS.retryMsFirst;
    while (!stopping.signal.aborted) {
      try {
        version ??= await listAll();
        for await (const batch of client.watch(kind, version, stopping.signal, selected)) {
          for (const change of batch.changes) apply(change);
          version = batch.version;
          retryMs = LIMITS.retryMsFirst;
        }
      } catch (error) {
        if (error instanceof Refusal && error.reason === 'Expired') version = undefined;
        else log.warn({ error: String(error), kind: kind.id, retryMs }, 'informer: watch failed; retrying');
      }
      await pause(time, jitter(retryMs, random), stopping.signal);
      retryMs = Math.min(retryMs * 2, LIMITS.retryMsMax);
    }
  }

  async function listAll(): Promise<string> {
    const { pages, version } = await client.list(kind, selected);
    const gone = new Set(objects.keys());
    const take = (item: ResourceObject): void => {
      gone.delete(keyOf(item));
      put(item);
    };
    for await (const items of pages) await inTurns(eachOf(items, take));
    for (const key of gone) remove(objects.get(key));
    firstSynced();
    return version;
  }

  function apply({ type, object }: Batch['changes'][number]): void {
    if (type === 'DELETED') remove(objects.get(keyOf(object)) ?? trim(object));
    else put(object);
  }

  function put(object: ResourceObject): void {
    const now = trim(object);
    const before = objects.get(keyOf(now));
    // Seen missing from a list, or of another uid: the old one went, whatever came in its place.
    if (before !== undefined && before.metadata.uid !== now.metadata.uid) remove(before);
    else if (before !== undefined) {
      if (before.metadata.resourceVersion === now.metadata.resourceVersion) return;
      unindex(before);
    }
    index(now);
    tell({ before: before?.metadata.uid === now.metadata.uid ? before : undefined, now });
  }

  function remove(object: ResourceObject | undefined): void {
    if (object === undefined) return;
    unindex(object);
    tell({ before: object, now: undefined });
  }

  function index(object: ResourceObject): void {
    objects.set(keyOf(object), object);
    for (const one of indexes) one.add(object);
  }

  function unindex(object: ResourceObject): void {
    objects.delete(keyOf(object));
    for (const one of indexes) one.delete(object);
  }

  function tell(observed: ObjectChange): void {
    for (const listener of listeners) listener(observed);
  }
}

function keyOf({ metadata }: ResourceObject): string {
  return placeKey(metadata.namespace, metadata.name);
}

function placeKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** Objects by what is looked for; made when something is, for most objects are never looked for so. */
class Index {
  readonly #objects: ReadonlyMap<string, ResourceObject>;
  readonly #keysOf: (object: ResourceObject) => readonly string[];
  #found: Map<string, Set<ResourceObject>> | undefined;

  constructor(objects: ReadonlyMap<string, ResourceObject>, keysOf: (object: ResourceObject) => readonly string[]) {
    this.#objects = objects;
    this.#keysOf = keysOf;
  }

  get(key: string): readonly ResourceObject[] {
    if (this.#found === undefined) {
      this.#found = new Map();
      for (const object of this.#objects.values()) this.add(object);
    }
    return [...(this.#found.get(key) ?? [])];
  }

  add(object: ResourceObject): void {
    if (this.#found === undefined) return;
    for (const key of this.#keysOf(object)) {
      const found = this.#found.get(key);
      if (found === undefined) this.#found.set(key, new Set([object]));
      else found.add(object);
    }
  }

  delete(object: ResourceObject): void {
    for (const key of this.#found === undefined ? [] : this.#keysOf(object)) {
      const found = this.#found?.get(key);
      found?.delete(object);
      if (found?.size === 0) this.#found?.delete(key);
    }
  }
}
