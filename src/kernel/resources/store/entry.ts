import type { Kind, ResourceObject } from '../kind.ts';
import { REFERENCES, referenceKey, type Change, type Entry } from '../store-contract.ts';

/** An entry with what the store derives from it once: its place in the order, and its values in the kind's indexes. */
export class StoredEntry implements Entry {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly version: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
  /** Compares, by code units, as (namespace, name) does. */
  readonly key: string;
  /** One `indexKey` for each value in each index. */
  readonly indexKeys: readonly string[];

  constructor(kind: Kind, object: ResourceObject, version: number, text: string) {
    const { namespace = '', name, uid = '', labels = {} } = object.metadata;
    this.kind = kind;
    this.namespace = namespace;
    this.name = name;
    this.uid = uid;
    this.version = version;
    this.labels = labels;
    this.text = text;
    this.key = entryKey(namespace, name);
    this.indexKeys = indexKeysOf(kind, object);
  }

  object(): ResourceObject {
    return JSON.parse(this.text);
  }
}

/** A change whose entries are the store's own. */
export interface StoredChange extends Change {
  readonly entry: StoredEntry;
  readonly before: StoredEntry | undefined;
}

/** Writes the version into the object and serialises it: the one time that this is done. */
export function stampEntry(kind: Kind, object: ResourceObject, version: number): StoredEntry {
  const stamped = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
  return new StoredEntry(kind, stamped, version, JSON.stringify(stamped));
}

/** Sorts below every character that a namespace can hold, so that `a` and all in it come before `a-b`. */
const SEPARATOR = '\0';

export function entryKey(namespace: string, name: string): string {
  return namespace + SEPARATOR + name;
}

/** The smallest key behind everything in a namespace. */
export function keyBehindNamespace(namespace: string): string {
  return `${namespace}\u0001`;
}

/** The smallest key behind this one. */
export function keyBehind(key: string): string {
  return `${key}\0`;
}

export function indexKey(index: string, value: string): string {
  return index + SEPARATOR + value;
}

function indexKeysOf(kind: Kind, object: ResourceObject): readonly string[] {
  const keys = new Set([indexKey('name', object.metadata.name)]);
  for (const [index, valuesOf] of Object.entries(kind.indexes ?? {})) {
    for (const value of valuesOf(object.spec, object.metadata.name)) keys.add(indexKey(index, value));
  }
  for (const ref of kind.refs?.(object.spec) ?? []) keys.add(indexKey(REFERENCES, referenceKey(ref.kind, ref.name)));
  return [...keys];
}
