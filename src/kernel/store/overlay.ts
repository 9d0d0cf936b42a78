import type { Kind } from '#kernel/kinds/kind.ts';
import type { Reader } from './contract.ts';
import { type StoredChange, type StoredEntry, entryKey } from './entry.ts';
import { KindTable } from './kind-table.ts';

/** A reader of the store's own entries. */
export interface StoredReader extends Reader {
  readonly get: (kind: Kind, namespace: string, name: string) => StoredEntry | undefined;
  readonly find: (kind: Kind, index: string, value: string) => readonly StoredEntry[];
  readonly list: (kind: Kind, options?: { readonly namespace?: string | undefined }) => Iterable<StoredEntry>;
}

interface WrittenKind {
  readonly entries: KindTable;
  /** Keys that were written here, so that what the base says of them no longer holds. */
  readonly keys: Set<string>;
}

/** A reader that shows some changes without making them. Overlays stack: a request's on its batch's. */
export class Overlay implements StoredReader {
  readonly #base: StoredReader;
  readonly #written = new Map<string, WrittenKind>();
  readonly changes: StoredChange[] = [];

  constructor(base: StoredReader) {
    this.#base = base;
  }

  get(kind: Kind, namespace: string, name: string): StoredEntry | undefined {
    const written = this.#written.get(kind.id);
    if (written?.keys.has(entryKey(namespace, name))) return written.entries.get(namespace, name);
    return this.#base.get(kind, namespace, name);
  }

  find(kind: Kind, index: string, value: string): readonly StoredEntry[] {
    const below = this.#base.find(kind, index, value);
    const written = this.#written.get(kind.id);
    if (written === undefined) return below;
    return [...below.filter((entry) => !written.keys.has(entry.key)), ...written.entries.find(index, value)];
  }

  *list(kind: Kind, options: { readonly namespace?: string | undefined } = {}): Generator<StoredEntry, void> {
    const { namespace } = options;
    const written = this.#written.get(kind.id);
    for (const entry of this.#base.list(kind, options)) if (written?.keys.has(entry.key) !== true) yield entry;
    for (const entry of written?.entries.listSorted() ?? [])
      if (namespace === undefined || entry.namespace === namespace) yield entry;
  }

  apply(change: StoredChange): void {
    const { entry, type } = change;
    this.changes.push(change);
    let written = this.#written.get(entry.kind.id);
    if (written === undefined) {
      written = { entries: new KindTable(), keys: new Set() };
      this.#written.set(entry.kind.id, written);
    }
    written.keys.add(entry.key);
    if (type === 'DELETED') written.entries.remove(entry.namespace, entry.name);
    else written.entries.put(entry);
  }
}
