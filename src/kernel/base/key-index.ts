import { hashText } from './hash-text.ts';
import { membersOf, withMember, withoutMember, type OneOrMore } from './one-or-more.ts';

/** Each grows by itself, so that none takes long: by the first bits of the hash. */
const SEGMENTS = 256;
const SLOTS_MIN = 8;
/** A segment is at most three quarters full. */
const FULL = 0.75;
/** So many objects of one key are found by its hash; of more a search would take long. */
const FEW_MAX = 4;

/**
 * Objects by keys. Most keys are of one object or a few, and are not kept: a slot has the hash of the key and the object, 20
 * bytes instead of 100 in a Map, and an object that is found says whether the key is its own. Adding asks no object.
 */
export class KeyIndex<Found extends object> {
  readonly #keysOf: (object: Found) => readonly string[];
  readonly #hashOf: (key: string) => number;
  readonly #segments: (Segment<Found> | undefined)[] = [];
  /** Keys that more than a few objects have or had at once. */
  readonly #several = new Map<string, OneOrMore<Found>>();

  /** @param keysOf all keys of an object, always the same and each once; asked for again whenever it is found */
  constructor(keysOf: (object: Found) => readonly string[], hash: (key: string) => number = hashText) {
    this.#keysOf = keysOf;
    this.#hashOf = hash;
  }

  /** The objects that have this key, in the order in which they came. */
  find(key: string): readonly Found[] {
    const several = this.#several.get(key);
    if (several !== undefined) return [...membersOf(several)];
    const hash = this.#hashOf(key);
    return this.#findFew(this.#segments[segmentNumber(hash)], hash, key);
  }

  /** Adds an object that is not there, under one of its keys. */
  add(key: string, object: Found): void {
    const several = this.#several.get(key);
    if (several !== undefined) return void this.#several.set(key, withMember(several, object));
    const hash = this.#hashOf(key);
    const segment = this.#segmentOf(hash);
    const few = segment.count(hash) < FEW_MAX ? NONE : this.#findFew(segment, hash, key);
    if (few.length < FEW_MAX) return segment.add(hash, object);
    for (const member of few) segment.remove(hash, member);
    this.#several.set(key, new Set([...few, object]));
  }

  /** Removes an object from one of its keys. */
  remove(key: string, object: Found): void {
    const several = this.#several.get(key);
    if (several === undefined) {
      const hash = this.#hashOf(key);
      return this.#segmentOf(hash).remove(hash, object);
    }
    const left = withoutMember(several, object);
    if (left === undefined) this.#several.delete(key);
    else this.#several.set(key, left);
  }

  #findFew(segment: Segment<Found> | undefined, hash: number, key: string): readonly Found[] {
    const found = segment?.find(hash) ?? NONE;
    const own = found.filter((object) => this.#keysOf(object).includes(key));
    // An object stands there twice where two of its keys have one hash.
    return own.length > 1 ? [...new Set(own)] : own;
  }

  #segmentOf(hash: number): Segment<Found> {
    const number = segmentNumber(hash);
    return (this.#segments[number] ??= new Segment());
  }
}

/** A table of hashes and objects with open addressing; where one leaves, those behind move up. */
class Segment<Found> {
  #hashes = new Int32Array(SLOTS_MIN);
  #objects: (Found | undefined)[] = emptySlots(SLOTS_MIN);
  #size = 0;

  /** In the order in which they came. */
  find(hash: number): readonly Found[] {
    const found: Found[] = [];
    const mask = this.#hashes.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const object = this.#objects[slot];
      if (object === undefined) return found;
      if (this.#hashes[slot] === hash) found.push(object);
    }
  }

  /** How many objects have this hash. */
  count(hash: number): number {
    let count = 0;
    const mask = this.#hashes.length - 1;
    for (let slot = hash & mask; this.#objects[slot] !== undefined; slot = (slot + 1) & mask) {
      if (this.#hashes[slot] === hash) count += 1;
    }
    return count;
  }

  add(hash: number, object: Found): void {
    if (this.#size + 1 > this.#hashes.length * FULL) this.#grow();
    this.#put(hash, object);
    this.#size += 1;
  }

  /** Two keys of an object may have one hash: either of their slots is the right one. */
  remove(hash: number, object: Found): void {
    const mask = this.#hashes.length - 1;
    let free = hash & mask;
    for (; this.#hashes[free] !== hash || this.#objects[free] !== object; free = (free + 1) & mask) {
      if (this.#objects[free] === undefined) return;
    }
    this.#size -= 1;
    for (let slot = (free + 1) & mask; ; slot = (slot + 1) & mask) {
      const next = this.#objects[slot];
      if (next === undefined) break;
      const home = (this.#hashes[slot] as number) & mask;
      // It stays where its search would not pass the free slot.
      if (((slot - home) & mask) < ((slot - free) & mask)) continue;
      this.#hashes[free] = this.#hashes[slot] as number;
      this.#objects[free] = next;
      free = slot;
    }
    this.#objects[free] = undefined;
  }

  #put(hash: number, object: Found): void {
    const mask = this.#hashes.length - 1;
    let slot = hash & mask;
    while (this.#objects[slot] !== undefined) slot = (slot + 1) & mask;
    this.#hashes[slot] = hash;
    this.#objects[slot] = object;
  }

  #grow(): void {
    const [hashes, objects] = [this.#hashes, this.#objects];
    this.#hashes = new Int32Array(hashes.length * 2);
    this.#objects = emptySlots(hashes.length * 2);
    // From behind a free slot on: objects of one hash keep their order, also those at the end and at the beginning.
    const start = objects.indexOf(undefined);
    for (let step = 1; step < objects.length; step += 1) {
      const slot = (start + step) & (objects.length - 1);
      const object = objects[slot];
      if (object !== undefined) this.#put(hashes[slot] as number, object);
    }
  }
}

function emptySlots<Found>(count: number): (Found | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}

const NONE: readonly never[] = [];

function segmentNumber(hash: number): number {
  return (hash >>> 24) % SEGMENTS;
}
