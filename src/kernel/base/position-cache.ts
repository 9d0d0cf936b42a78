/**
 * Values by position, so many of all at most. When there are too many, one goes that was not looked at in the last round: the
 * clock of Corbató (1968).
 */
export class PositionCache<Value> {
  readonly max: number;
  /** By position: one more than the place among those that are kept, 0 for none. */
  readonly #places: Int32Array;
  readonly #kept: Value[] = [];
  readonly #positions: number[] = [];
  readonly #wasUsed: Uint8Array;
  #hand = 0;

  constructor(positions: number, max: number) {
    this.max = max;
    this.#places = new Int32Array(positions);
    this.#wasUsed = new Uint8Array(Math.min(positions, max));
  }

  get size(): number {
    return this.#kept.length;
  }

  has(position: number): boolean {
    return this.#places[position] !== 0;
  }

  get(position: number): Value | undefined {
    const place = (this.#places[position] as number) - 1;
    if (place < 0) return undefined;
    this.#wasUsed[place] = 1;
    return this.#kept[place];
  }

  /** Keeps one that is not there. */
  set(position: number, value: Value): void {
    const place = this.#freePlace();
    this.#kept[place] = value;
    this.#positions[place] = position;
    this.#places[position] = place + 1;
  }

  #freePlace(): number {
    if (this.#kept.length < this.max) return this.#kept.length;
    // Ends within two rounds: it clears what it passes.
    while (this.#wasUsed[this.#hand] === 1) {
      this.#wasUsed[this.#hand] = 0;
      this.#hand = (this.#hand + 1) % this.max;
    }
    const place = this.#hand;
    this.#hand = (place + 1) % this.max;
    this.#places[this.#positions[place] as number] = 0;
    return place;
  }
}
