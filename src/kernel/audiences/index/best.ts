/** The k highest scores and their items. Of equal scores the first one stays. Reusable. */
export class Best {
  #limit = 0;
  #size = 0;
  #seen = 0;
  /** A heap with the worst on top, in columns. */
  #scores = new Float64Array();
  #items = new Int32Array();
  #order = new Int32Array();

  /** Starts over. */
  begin(limit: number): void {
    this.#limit = limit;
    this.#size = 0;
    this.#seen = 0;
  }

  /** Adds an item; gives the score that a further one must exceed, NaN while there is room. */
  add(item: number, score: number): number {
    this.#seen += 1;
    if (this.#size < this.#limit) {
      if (this.#size === this.#scores.length) this.#grow();
      this.#size += 1;
      this.#rise(item, score);
    } else if (score > (this.#scores[0] as number)) this.#sink(item, score, this.#seen);
    return this.threshold();
  }

  threshold(): number {
    return this.#size < this.#limit ? Number.NaN : (this.#scores[0] as number);
  }

  /** Removes and gives the items, best first. */
  takeAll(): number[] {
    const taken: number[] = [];
    while (this.#size > 0) {
      taken.push(this.#items[0] as number);
      this.#size -= 1;
      const last = this.#size;
      this.#sink(this.#items[last] as number, this.#scores[last] as number, this.#order[last] as number);
    }
    return taken.reverse();
  }

  /** Puts an item at the end, and lets it rise above the worse ones. */
  #rise(item: number, score: number): void {
    let at = this.#size - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isWorse(score, this.#seen, this.#scores[parent] as number, this.#order[parent] as number)) break;
      this.#copy(parent, at);
      at = parent;
    }
    this.#set(at, item, score, this.#seen);
  }

  /** Puts an item in place of the top, and lets it sink below the worse ones. */
  #sink(item: number, score: number, itemOrder: number): void {
    const [scores, order] = [this.#scores, this.#order];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      const right = child + 1;
      if (
        right < this.#size &&
        isWorse(scores[right] as number, order[right] as number, scores[child] as number, order[child] as number)
      ) {
        child = right;
      }
      if (!isWorse(scores[child] as number, order[child] as number, score, itemOrder)) break;
      this.#copy(child, at);
      at = child;
    }
    this.#set(at, item, score, itemOrder);
  }

  #copy(from: number, to: number): void {
    this.#items[to] = this.#items[from] as number;
    this.#scores[to] = this.#scores[from] as number;
    this.#order[to] = this.#order[from] as number;
  }

  #set(at: number, item: number, score: number, order: number): void {
    this.#items[at] = item;
    this.#scores[at] = score;
    this.#order[at] = order;
  }

  #grow(): void {
    const length = Math.max(16, this.#scores.length * 2);
    const [items, scores, order] = [new Int32Array(length), new Float64Array(length), new Int32Array(length)];
    items.set(this.#items);
    scores.set(this.#scores);
    order.set(this.#order);
    this.#items = items;
    this.#scores = scores;
    this.#order = order;
  }
}

function isWorse(score: number, order: number, otherScore: number, otherOrder: number): boolean {
  return score < otherScore || (score === otherScore && order > otherOrder);
}
