import { interned } from '#kernel/base/interned.ts';
import type { Kind, LiveObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { KeptObject, type Links } from './kept-object.ts';

/** Names one live object: `Kind.id` and the live name. */
export type LiveKey = string;

export function liveKey(kind: string, name: string): LiveKey {
  return `${kind} ${name}`;
}

/** What is live, with the indexes that the kinds declare and who refers to whom. */
export class LiveObjects implements World {
  readonly #kinds: KindRegistry;
  readonly #byKind = new Map<string, Map<string, LiveObject>>();
  readonly #index = new Map<string, Map<string, LiveObject>>();
  readonly #dependents = new Map<LiveKey, Set<LiveObject>>();

  constructor(kinds: KindRegistry, objects: Iterable<LiveObject> = []) {
    this.#kinds = kinds;
    for (const object of objects) this.set(object);
  }

  get = (kind: string, name: string): LiveObject | undefined => this.#byKind.get(kind)?.get(name);

  list = (kind: string): Iterable<LiveObject> => this.#byKind.get(kind)?.values() ?? [];

  find = (kind: string, index: string, value: string): readonly LiveObject[] => {
    if (index !== 'name') return [...(this.#index.get(indexKey(kind, index, value))?.values() ?? [])];
    const found = this.get(kind, value);
    return found === undefined ? [] : [found];
  };

  /** Keys of the live objects that refer to this one. */
  dependents(kind: string, name: string): readonly LiveKey[] {
    return Array.from(this.#dependents.get(liveKey(kind, name)) ?? [], (one) => liveKey(one.kind, one.name));
  }

  set(object: LiveObject): void {
    this.delete(object.kind, object.name);
    mapAt(this.#byKind, object.kind).set(object.name, object);
    const { indexKeys, refKeys } = this.#linksOf(object);
    for (const key of indexKeys) mapAt(this.#index, key).set(object.name, object);
    for (const key of refKeys) this.#dependents.set(key, (this.#dependents.get(key) ?? new Set()).add(object));
  }

  delete(kindId: string, name: string): void {
    const object = this.get(kindId, name);
    if (object === undefined) return;
    this.#byKind.get(kindId)?.delete(name);
    const { indexKeys, refKeys } = this.#linksOf(object);
    for (const key of indexKeys) {
      const found = this.#index.get(key);
      found?.delete(name);
      if (found?.size === 0) this.#index.delete(key);
    }
    for (const key of refKeys) {
      const found = this.#dependents.get(key);
      found?.delete(object);
      if (found?.size === 0) this.#dependents.delete(key);
    }
  }

  #linksOf(object: LiveObject): Links {
    const kind = this.#kinds.byId(object.kind);
    return object instanceof KeptObject ? object.links(() => linksOf(kind, object)) : linksOf(kind, object);
  }
}

/** A world as it would be with some objects replaced, added or taken away. Reads through to `base`; never alters it. */
export class Overlay implements World {
  readonly #base: World;
  readonly #added: LiveObjects;
  readonly #touched = new Set<LiveKey>();

  constructor(base: World, kinds: KindRegistry) {
    this.#base = base;
    this.#added = new LiveObjects(kinds);
  }

  /** Shows `object` under this name; undefined shows nothing there. */
  put(kind: string, name: string, object: LiveObject | undefined): void {
    this.revert(kind, name);
    this.#touched.add(liveKey(kind, name));
    if (object !== undefined) this.#added.set(object);
  }

  /** Shows again what `base` has. */
  revert(kind: string, name: string): void {
    this.#touched.delete(liveKey(kind, name));
    this.#added.delete(kind, name);
  }

  /** The names under which it differs from `base`. */
  touched(): ReadonlySet<LiveKey> {
    return this.#touched;
  }

  get = (kind: string, name: string): LiveObject | undefined =>
    (this.#touched.has(liveKey(kind, name)) ? this.#added : this.#base).get(kind, name);

  /** Made as it is read: nothing may be put meanwhile. */
  list = (kind: string): Iterable<LiveObject> => this.#listed(kind);

  find = (kind: string, index: string, value: string): readonly LiveObject[] => [
    ...this.#base.find(kind, index, value).filter(this.#untouched),
    ...this.#added.find(kind, index, value),
  ];

  *#listed(kind: string): Iterable<LiveObject> {
    for (const object of this.#base.list(kind)) if (this.#untouched(object)) yield object;
    yield* this.#added.list(kind);
  }

  #untouched = (object: LiveObject): boolean => !this.#touched.has(liveKey(object.kind, object.name));
}

const NO_LINKS: Links = { indexKeys: [], refKeys: [] };

function linksOf({ id, indexes, refs }: Kind, { spec, namespace, name }: LiveObject): Links {
  const indexKeys = Object.entries(indexes ?? {}).flatMap(([index, valuesOf]) =>
    valuesOf(spec, name).map((value) => interned(indexKey(id, index, value))),
  );
  const refKeys = new Set((refs?.(spec, namespace) ?? []).map((ref) => interned(liveKey(ref.kind, ref.name))));
  return indexKeys.length === 0 && refKeys.size === 0 ? NO_LINKS : { indexKeys, refKeys: [...refKeys] };
}

function indexKey(kind: string, index: string, value: string): string {
  return `${kind} ${index} ${value}`;
}

function mapAt<Value>(maps: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  const found = maps.get(key) ?? new Map<string, Value>();
  maps.set(key, found);
  return found;
}
