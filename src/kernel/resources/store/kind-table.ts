import { type StoredEntry, entryKey, indexKey } from './entry.ts';

/** The objects of one kind: by key, by index value, and in order. */
export class KindTable {
  readonly #byKey = new Map<string, StoredEntry>();
  readonly #byIndexKey = new Map<string, Set<StoredEntry>>();
  /** As of the last call of `sorted`; never altered, so that who holds it holds a snapshot. */
  #sorted: readonly StoredEntry[] = [];
  #changedSinceSorted = new Set<string>();

  get size(): number {
    return this.#byKey.size;
  }

  get(namespace: string, name: string): StoredEntry | undefined {
    return this.#byKey.get(entryKey(namespace, name));
  }

  /** In order. */
  find(index: string, value: string): readonly StoredEntry[] {
    const found = [...(this.#byIndexKey.get(indexKey(index, value)) ?? [])];
    return found.length > 1 ? found.sort(byKey) : found;
  }

  put(entry: StoredEntry): void {
    this.remove(entry.key);
    this.#byKey.set(entry.key, entry);
    for (const key of entry.indexKeys) {
      const entries = this.#byIndexKey.get(key);
      if (entries === undefined) this.#byIndexKey.set(key, new Set([entry]));
      else entries.add(entry);
    }
    this.#changedSinceSorted.add(entry.key);
  }

  remove(key: string): void {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return;
    this.#byKey.delete(key);
    for (const indexed of entry.indexKeys) {
      const entries = this.#byIndexKey.get(indexed);
      entries?.delete(entry);
      if (entries?.size === 0) this.#byIndexKey.delete(indexed);
    }
    this.#changedSinceSorted.add(key);
  }

  /** All, in order. Writes cost nothing here; the first call after some merges them in (50,000 objects: 0.3 ms). */
  sorted(): readonly StoredEntry[] {
    if (this.#changedSinceSorted.size > 0) {
      this.#sorted = mergeChanged(this.#sorted, this.#changedSinceSorted, (key) => this.#byKey.get(key));
      this.#changedSinceSorted = new Set();
    }
    return this.#sorted;
  }
}

/** The sorted entries with those at the changed keys replaced by what `now` says of them. */
export function mergeChanged(
  entries: readonly StoredEntry[],
  changedKeys: Iterable<string>,
  now: (key: string) => StoredEntry | undefined,
): StoredEntry[] {
  const merged: StoredEntry[] = [];
  let next = 0;
  for (const key of [...changedKeys].sort()) {
    const until = positionOf(entries, key);
    for (const entry of entries.slice(next, until)) merged.push(entry);
    next = entries[until]?.key === key ? until + 1 : until;
    const entry = now(key);
    if (entry !== undefined) merged.push(entry);
  }
  for (const entry of entries.slice(next)) merged.push(entry);
  return merged;
}

/** Where the key stands or would stand among sorted entries. */
export function positionOf(entries: readonly StoredEntry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byKey(a: StoredEntry, b: StoredEntry): number {
  return a.key < b.key ? -1 : Number(a.key > b.key);
}
