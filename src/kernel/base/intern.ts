import { hashText } from './hash-text.ts';

/** So many keys are known at a time; what repeats is mostly far fewer. */
const SLOTS = 16_384;

/**
 * Makes a value for each key once, so that what repeats is kept once. Each key has one place, and the last one there is known:
 * keys that do not repeat cost little. A value may be made again: equal values are then two. Values must never be altered.
 */
export class InternTable<Value> {
  readonly #keys: (string | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #values: (Value | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #make: (key: string) => Value;

  constructor(make: (key: string) => Value) {
    this.#make = make;
  }

  get(key: string): Value {
    const slot = hashText(key) & (SLOTS - 1);
    if (this.#keys[slot] === key) return this.#values[slot] as Value;
    const made = this.#make(key);
    this.#keys[slot] = key;
    this.#values[slot] = made;
    return made;
  }
}

const texts = new InternTable((text) => text);

/** The same text, kept once. */
export function internText(text: string): string {
  return texts.get(text);
}
