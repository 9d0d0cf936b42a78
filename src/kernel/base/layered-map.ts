import { atOnce, type Steps } from './turns.ts';

/** Changes that are laid over a map before all of it is copied: looking twice costs little, and so does copying so many. */
const LAID_OVER_MAX = 256;

/**
 * A map that is never altered and of which the next one costs what changed, not all that there is. Entries come in no
 * certain order.
 */
export class LayeredMap<Value> implements ReadonlyMap<string, Value> {
  readonly #below: ReadonlyMap<string, Value>;
  /** Entries that differ from the map below; undefined for one that was removed. */
  readonly #over: ReadonlyMap<string, Value | undefined>;
  readonly size: number;

  constructor(
    below: ReadonlyMap<string, Value> = new Map(),
    over: ReadonlyMap<string, Value | undefined> = new Map(),
    size = below.size,
  ) {
    this.#below = below;
    this.#over = over;
    this.size = size;
  }

  get(key: string): Value | undefined {
    return this.#over.size > 0 && this.#over.has(key) ? this.#over.get(key) : this.#below.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The same with some keys set, or taken away where they are undefined. */
  with(changes: ReadonlyMap<string, Value | undefined>): LayeredMap<Value> {
    return atOnce(this.withInSteps(changes));
  }

  /** The same in steps: once in a while all of it is copied. */
  *withInSteps(changes: ReadonlyMap<string, Value | undefined>): Steps<LayeredMap<Value>> {
    let { size } = this;
    const over = new Map(this.#over);
    for (const [key, value] of changes) {
      size += Number(value !== undefined) - Number(this.has(key));
      over.set(key, value);
      yield;
    }
    const next = new LayeredMap(this.#below, over, size);
    if (over.size <= LAID_OVER_MAX) return next;
    const copy = new Map<string, Value>();
    for (const [key, value] of next) {
      copy.set(key, value);
      yield;
    }
    return new LayeredMap(copy);
  }

  *entries(): MapIterator<[string, Value]> {
    for (const entry of this.#below) if (!this.#over.has(entry[0])) yield entry;
    for (const [key, value] of this.#over) if (value !== undefined) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  forEach(call: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.entries()) call(value, key, this);
  }
}
