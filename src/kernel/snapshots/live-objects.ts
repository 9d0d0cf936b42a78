import { indexKey, indexKeysOf, REFERENCES, referenceKey } from '#kernel/kinds/index-keys.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { knownIndexKeys, noteNoIndexKeys } from './compact-object.ts';
import { KeyIndex } from '#kernel/base/key-index.ts';

/** Names one live object: `Kind.id` and the live name. */
export type LiveKey = string;

export function liveKey(kind: string, name: string): LiveKey {
  return `${kind} ${name}`;
}

/** The live objects, with the indexes that their kinds declare and the references between them. */
export class LiveObjects implements World {
  readonly #kinds: KindRegistry;
  readonly #byKind = new Map<string, Map<string, LiveObject>>();
  /** By kind, and within it by `indexKey`. */
  readonly #index = new Map<string, KeyIndex<LiveObject>>();
  /** By the `indexKey` of what they refer to. */
  readonly #dependents = new KeyIndex<LiveObject>((object) => this.#keysOf(object));

  constructor(kinds: KindRegistry, objects: Iterable<LiveObject> = []) {
    this.#kinds = kinds;
    for (const object of objects) this.set(object);
  }

  get = (kind: string, name: string): LiveObject | undefined => this.#byKind.get(kind)?.get(name);

  list = (kind: string): Iterable<LiveObject> => this.#byKind.get(kind)?.values() ?? [];

  find = (kind: string, index: string, value: string): readonly LiveObject[] => {
    if (index !== 'name') return this.#index.get(kind)?.find(indexKey(index, value)) ?? [];
    const found = this.get(kind, value);
    return found === undefined ? [] : [found];
  };

  /** Keys of the live objects that refer to this one. */
  dependents(kind: string, name: string): readonly LiveKey[] {
    return this.#dependents.find(REFERENCE + referenceKey(kind, name)).map((one) => liveKey(one.kind, one.name));
  }

  set(object: LiveObject): void {
    const { kind, name } = object;
    const named = this.#byKind.get(kind) ?? new Map<string, LiveObject>();
    this.#byKind.set(kind, named);
    if (named.has(name)) this.delete(kind, name);
    named.set(name, object);
    for (const key of this.#keysOf(object)) this.#indexOf(kind, key).add(key, object);
  }

  delete(kind: string, name: string): void {
    const object = this.get(kind, name);
    if (object === undefined) return;
    this.#byKind.get(kind)?.delete(name);
    for (const key of this.#keysOf(object)) this.#indexOf(kind, key).remove(key, object);
  }

  #indexOf(kind: string, key: string): KeyIndex<LiveObject> {
    if (key.startsWith(REFERENCE)) return this.#dependents;
    const found = this.#index.get(kind);
    if (found !== undefined) return found;
    const made = new KeyIndex<LiveObject>((object) => this.#keysOf(object));
    this.#index.set(kind, made);
    return made;
  }

  #keysOf(object: LiveObject): readonly string[] {
    const kind = this.#kinds.isKnown(object.kind) ? this.#kinds.byId(object.kind) : undefined;
    // A definition may change its indexes while objects are live; nothing asks for them, and nothing refers to such objects.
    if (kind === undefined || kind.definition !== undefined) return NONE;
    const known = knownIndexKeys(object);
    if (known !== undefined) return known;
    const keys = indexKeysOf(kind, object, () => object.spec);
    if (keys.length === 0) noteNoIndexKeys(object);
    return keys;
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
  touchedKeys(): ReadonlySet<LiveKey> {
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

const NONE: readonly never[] = [];
/** Of those keys that are references. */
const REFERENCE = indexKey(REFERENCES, '');
