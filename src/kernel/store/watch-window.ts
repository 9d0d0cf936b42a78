import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { StoredChange } from './entry.ts';

export interface WindowLimits {
  readonly changes: number;
  /** Of the changed objects' texts. */
  readonly characters: number;
}

/** The latest changes, kept so that a watcher can go on from where it was. All above `floor` are here. */
export class WatchWindow {
  readonly #limits: WindowLimits;
  readonly #all = new ChangeQueue();
  readonly #ofKind = new Map<string, ChangeQueue>();
  /** Of kinds that came while the program ran. */
  readonly #floorOfKind = new Map<string, number>();
  #characters = 0;
  #floor: number;

  constructor(limits: WindowLimits, floor: number) {
    this.#limits = limits;
    this.#floor = floor;
  }

  get floor(): number {
    return this.#floor;
  }

  append(change: StoredChange): void {
    this.#all.push(change);
    this.#queueOf(change.entry.kind.id).push(change);
    this.#characters += change.entry.characters;
    while (this.#all.size > this.#limits.changes || this.#characters > this.#limits.characters) this.#dropOldest();
  }

  /** Of this kind there is nothing up to and including this version. */
  beginKind(kindId: string, version: number): void {
    this.#floorOfKind.set(kindId, version);
  }

  /** Drops everything up to and including this version. */
  liftFloor(version: number): void {
    while ((this.#all.first?.version ?? Infinity) <= version) this.#dropOldest();
    this.#floor = Math.max(this.#floor, version);
  }

  /** Changes above `from` in order, of one kind or of all. */
  since(from: number, kindId?: string): readonly StoredChange[] {
    const floor = Math.max(this.#floor, (kindId === undefined ? undefined : this.#floorOfKind.get(kindId)) ?? 0);
    if (from < floor) {
      throw resourceRefusal(
        'expired',
        `too old resource version: ${from} (the oldest that can be continued from is ${floor})`,
        { remedy: 'List again, and watch from the version of that list.' },
      );
    }
    const queue = kindId === undefined ? this.#all : this.#ofKind.get(kindId);
    return queue?.above(from) ?? [];
  }

  #dropOldest(): void {
    const oldest = this.#all.shift();
    if (oldest === undefined) return;
    this.#queueOf(oldest.entry.kind.id).shift();
    this.#characters -= oldest.entry.characters;
    this.#floor = oldest.version;
  }

  #queueOf(kindId: string): ChangeQueue {
    let queue = this.#ofKind.get(kindId);
    if (queue === undefined) this.#ofKind.set(kindId, (queue = new ChangeQueue()));
    return queue;
  }
}

/** First in, first out, with ascending versions. */
class ChangeQueue {
  #items: (StoredChange | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get first(): StoredChange | undefined {
    return this.#items[this.#head];
  }

  push(change: StoredChange): void {
    this.#items.push(change);
  }

  shift(): StoredChange | undefined {
    const first = this.#items[this.#head];
    if (first === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    // Half of the array is gone: moving the other half now costs one step for each step that made it so.
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }

  above(version: number): StoredChange[] {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return this.#items.slice(low).filter((change) => change !== undefined);
  }
}
