import type { Steps } from '#kernel/base/turns.ts';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { Store } from './contract.ts';
import { type StoredChange, StoredEntry, entryKey, keyBehind, keyBehindNamespace } from './entry.ts';
import { KindTable, mergeChanged, positionOf } from './kind-table.ts';
import type { StoredReader } from './overlay.ts';
import { WatchWindow, type WindowLimits } from './watch-window.ts';

type ListOptions = NonNullable<Parameters<Store<unknown>['list']>[1]>;

/** The durable state of now, and the watch window behind it. Every read comes from here. */
export class Memory implements StoredReader {
  readonly #tables: Map<string, KindTable>;
  readonly #window: WatchWindow;
  #version: number;

  constructor(start: {
    readonly kinds: readonly Kind[];
    readonly version: number;
    readonly floor: number;
    readonly limits: WindowLimits;
  }) {
    this.#tables = new Map(start.kinds.map((kind) => [kind.id, new KindTable()]));
    this.#window = new WatchWindow(start.limits, start.floor);
    this.#version = start.version;
  }

  /** Takes in an object that there is at the start, of Heads before others; `begun` is to follow. */
  begin(entry: StoredEntry): void {
    this.#table(entry.kind).begin(entry);
    const head = this.#headOf(entry);
    if (head !== undefined) entry.shareSpec(head);
  }

  /** Takes in the changes above the floor that led there, the oldest first. */
  *appendChanges(changes: readonly StoredChange[]): Steps<void> {
    for (const change of changes) {
      this.#window.append(change);
      yield;
    }
    // From what is there now back to what it was.
    for (const { entry, before } of changes.toReversed()) {
      before?.shareSpec(entry);
      yield;
    }
    for (const table of this.#tables.values()) yield* table.sort();
  }

  /** Begins to take in what is written of a kind: all that comes after the version that it returns. */
  adopt(kind: Kind): number {
    this.#tables.set(kind.id, new KindTable());
    this.#window.beginKind(kind.id, this.#version);
    return this.#version;
  }

  /** Takes in what there was of an adopted kind at that version; what changed since has come by itself. */
  fill(kind: Kind, entries: readonly StoredEntry[], adoptedAt: number): void {
    const changed = new Set(this.changesSince(adoptedAt, kind).map(({ entry }) => entry.key));
    for (const entry of entries) {
      if (entry.version <= adoptedAt && !changed.has(entry.key)) this.#table(kind).put(entry);
    }
  }

  /** Makes the entries of a kind anew, whose indexes are others now. What is written meanwhile has the new ones by itself. */
  *reindex(kind: Kind): Steps<void> {
    const table = this.#table(kind);
    for (const entry of table.listSorted()) {
      yield;
      const { namespace, name, version, text } = entry;
      if (table.get(namespace, name) === entry) table.put(new StoredEntry({ kind, namespace, name, version }, text));
    }
  }

  /** Work on it that is still under way finds an empty table. */
  drop(kind: Kind): void {
    this.#tables.set(kind.id, new KindTable());
  }

  get version(): number {
    return this.#version;
  }

  get watchFloor(): number {
    return this.#window.floor;
  }

  get(kind: Kind, namespace: string, name: string): StoredEntry | undefined {
    return this.#table(kind).get(namespace, name);
  }

  find(kind: Kind, index: string, value: string): readonly StoredEntry[] {
    return this.#table(kind).find(index, value);
  }

  count(kind: Kind): number {
    return this.#table(kind).size;
  }

  /** A snapshot: later writes do not show in it. */
  list(kind: Kind, { namespace, at = this.#version, after }: ListOptions = {}): Iterable<StoredEntry> {
    const entries = this.#sortedAt(kind, at);
    let from = namespace === undefined ? 0 : positionOf(entries, entryKey(namespace, ''));
    const until = namespace === undefined ? entries.length : positionOf(entries, keyBehindNamespace(namespace));
    if (after !== undefined) {
      from = Math.max(from, positionOf(entries, keyBehind(entryKey(after.namespace, after.name))));
    }
    return from === 0 && until === entries.length ? entries : entries.slice(from, until);
  }

  changesSince(from: number, kind?: Kind): readonly StoredChange[] {
    return this.#window.since(from, kind?.id);
  }

  /**
   * Makes durable changes visible; they continue the order without a gap. `upTo` is the last version that they lead to:
   * further than the last change where what follows concerns kinds that this program does not have.
   */
  publish(changes: readonly StoredChange[], upTo = changes.at(-1)?.version ?? this.#version): void {
    for (const change of changes) {
      const table = this.#table(change.entry.kind);
      const { entry, before } = change;
      if (before !== undefined) entry.shareSpec(before);
      this.#headOf(entry)?.shareSpec(entry);
      if (change.type === 'DELETED') table.remove(entry.namespace, entry.name);
      else table.put(entry);
      this.#window.append(change);
    }
    this.#version = upTo;
  }

  liftWatchFloor(version: number): void {
    this.#window.liftFloor(version);
  }

  #sortedAt(kind: Kind, at: number): readonly StoredEntry[] {
    const now = this.#table(kind).listSorted();
    const undone = this.#window.since(at, kind.id);
    if (undone.length === 0) return now;
    // The state of an object at that version is the one before its first change since then.
    const then = new Map<string, StoredEntry | undefined>();
    for (const { entry, before } of undone) {
      if (!then.has(entry.key)) then.set(entry.key, before);
    }
    return mergeChanged(now, then.keys(), (key) => then.get(key));
  }

  #headOf(entry: StoredEntry): StoredEntry | undefined {
    const { kind } = entry;
    return kind.released ? this.#tables.get(Head.id)?.get('', headName(kind, liveNameOf(entry))) : undefined;
  }

  #table(kind: Kind): KindTable {
    const table = this.#tables.get(kind.id);
    if (table === undefined) throw new Error(`the store was not opened with the kind ${kind.id}`);
    return table;
  }
}
