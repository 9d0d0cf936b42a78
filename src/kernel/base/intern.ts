/** So many characters of keys are known at a time; what few keys there are repeat far below it. */
const CHARACTERS_MAX = 1_000_000;

/**
 * Makes a value for each key once, so that what repeats is kept once. Where keys do not repeat it forgets them all from time
 * to time; equal values are then two. Values must never be altered.
 */
export class InternTable<Value> {
  readonly #known = new Map<string, Value>();
  readonly #make: (key: string) => Value;
  #characters = 0;

  constructor(make: (key: string) => Value) {
    this.#make = make;
  }

  get(key: string): Value {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#characters + key.length > CHARACTERS_MAX) {
      this.#known.clear();
      this.#characters = 0;
    }
    const made = this.#make(key);
    this.#known.set(key, made);
    this.#characters += key.length;
    return made;
  }
}

const texts = new InternTable((text) => text);

/** The same text, kept once. */
export function internText(text: string): string {
  return texts.get(text);
}
