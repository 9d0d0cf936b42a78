/**
 * Fills a break with ads. The best set is found by branch and bound over candidates in the order of price per second, with two
 * bounds on what a branch can still earn: the fractional knapsack (Dantzig 1957), and the highest prices for the slots that
 * are left. A set is exact unless the search ran out of nodes; then the gap to the bound is stated.
 */

/** Where in its break an ad may stand. */
export type PodPosition = 'any' | 'first' | 'last' | 'edge';

/** An ad that may stand in a break. */
export interface PodCandidate {
  /** Its earnings, in micro-units of one currency; a whole number above 0. */
  readonly price: number;
  readonly seconds: number;
  readonly position: PodPosition;
  /** Two candidates that share one of these do not stand in one break: advertisers, categories. */
  readonly separations: readonly string[];
}

/** The room of a break. */
export interface PodRoom {
  readonly seconds: number;
  readonly slots: number;
  /** The edges that are taken already; absent: none. */
  readonly edges?: PodEdges;
}

/** How many ads of a break need each edge. */
export interface PodEdges {
  readonly first: number;
  readonly last: number;
  readonly either: number;
}

export interface PodPacking {
  /** Positions in the list of candidates, in the order in which they play. */
  readonly chosen: readonly number[];
  /** The sum of the prices. */
  readonly value: number;
  /** The share of the bound that a better set could still add: 0 where the set is the best. */
  readonly gap: number;
}

export const POD_LIMITS = {
  /** Bits of two words: more would be searched for milliseconds. */
  candidatesMax: 64,
  /** Of one break, all its searches together: 4 to 9 ms. */
  nodesMax: 40_000,
} as const;

const EMPTY: PodPacking = { chosen: [], value: 0, gap: 0 };

/** The set of candidates with the highest sum of prices that fits. Of more than 64 the ones with the highest prices count. */
export function packPod(
  candidates: readonly PodCandidate[],
  room: PodRoom,
  nodesMax: number = POD_LIMITS.nodesMax,
): PodPacking {
  const order = candidates
    .map((_, index) => index)
    .filter((index) => fits(candidates[index] as PodCandidate, room))
    .toSorted((a, b) => priceOf(candidates, b) - priceOf(candidates, a) || a - b)
    .slice(0, POD_LIMITS.candidatesMax)
    .toSorted((a, b) => densityOf(candidates, b) - densityOf(candidates, a) || a - b);
  if (order.length === 0 || room.slots < 1) return EMPTY;
  const { best, value, bound } = new PodSearch(
    order.map((index) => candidates[index] as PodCandidate),
    room,
    nodesMax,
  ).run();
  const chosen = inPlayOrder(
    best.map((at) => order[at] as number),
    candidates,
  );
  return { chosen, value, gap: bound > value ? (bound - value) / bound : 0 };
}

/**
 * The payment of each chosen ad by Vickrey, Clarke and Groves: what the others lose by its presence, at least its floor, at most its
 * price. Without an exact packing the sums are those of the searches, and the limits hold all the same.
 */
export function vcgPayments(
  candidates: readonly PodCandidate[],
  room: PodRoom,
  packing: PodPacking,
  {
    floorOf,
    nodesMax = POD_LIMITS.nodesMax,
  }: {
    /** The least that a candidate pays. */
    readonly floorOf: (candidate: number) => number;
    /** Of all payments together. */
    readonly nodesMax?: number;
  },
): readonly number[] {
  const ofEach = Math.floor(nodesMax / Math.max(1, packing.chosen.length));
  return packing.chosen.map((at) => {
    const { price } = candidates[at] as PodCandidate;
    const without = packPod(
      candidates.map((candidate, index) => (index === at ? { ...candidate, seconds: Infinity } : candidate)),
      room,
      ofEach,
    );
    return Math.min(price, Math.max(floorOf(at), without.value - (packing.value - price)));
  });
}

function fits({ price, seconds }: PodCandidate, room: PodRoom): boolean {
  return price > 0 && seconds <= room.seconds;
}

function priceOf(candidates: readonly Pick<PodCandidate, 'price'>[], index: number): number {
  return (candidates[index] as PodCandidate).price;
}

function densityOf(candidates: readonly PodCandidate[], index: number): number {
  const { price, seconds } = candidates[index] as PodCandidate;
  return price / seconds;
}

/** The first in front, the last behind, those for either edge where one is free, and the dearest in between come earlier. */
export function inPlayOrder(
  chosen: readonly number[],
  candidates: readonly Pick<PodCandidate, 'price' | 'position'>[],
): readonly number[] {
  const byPrice = chosen.toSorted((a, b) => priceOf(candidates, b) - priceOf(candidates, a) || a - b);
  const at = (position: PodPosition) => byPrice.filter((index) => candidates[index]?.position === position);
  const edges = at('edge');
  const first = [...at('first'), ...edges].slice(0, 1);
  const last = [...at('last'), ...edges.filter((index) => !first.includes(index))].slice(0, 1);
  return [...first, ...byPrice.filter((index) => !first.includes(index) && !last.includes(index)), ...last];
}

/** One search; candidates are in the order of their price per second. */
class PodSearch {
  best: readonly number[] = [];
  value = 0;
  /** No set exceeds it, as far as the search came. */
  bound = 0;
  readonly #candidates: readonly PodCandidate[];
  readonly #room: PodRoom;
  readonly #count: number;
  readonly #slots: number;
  readonly #prices: Float64Array;
  readonly #seconds: Float64Array;
  /** Candidates that do not stand beside one, as two words of bits. */
  readonly #lowConflicts: Int32Array;
  readonly #highConflicts: Int32Array;
  /** The sum of the `m` highest prices among the candidates from `i` on, at `i * (slots + 1) + m`. */
  readonly #highest: Float64Array;
  readonly #path: number[] = [];
  #nodesLeft: number;

  constructor(candidates: readonly PodCandidate[], room: PodRoom, nodesMax: number) {
    this.#candidates = candidates;
    this.#room = room;
    this.#count = candidates.length;
    this.#slots = Math.min(room.slots, candidates.length);
    this.#prices = new Float64Array(this.#count);
    this.#seconds = new Float64Array(this.#count);
    for (const [at, { price, seconds }] of candidates.entries()) {
      this.#prices[at] = price;
      this.#seconds[at] = seconds;
    }
    this.#lowConflicts = new Int32Array(this.#count);
    this.#highConflicts = new Int32Array(this.#count);
    this.#highest = this.#highestSums();
    this.#nodesLeft = nodesMax;
    this.#findConflicts();
  }

  run(): this {
    this.#visit({
      ...this.#room,
      slots: this.#slots,
      from: 0,
      value: 0,
      low: 0,
      high: 0,
      edges: this.#room.edges ?? NO_EDGES,
    });
    return this;
  }

  #visit(branch: Branch): void {
    const { seconds, slots, value, low, high, edges } = branch;
    if (value > this.value) {
      this.value = value;
      this.best = [...this.#path];
    }
    this.bound = Math.max(this.bound, value);
    if (slots === 0) return;
    let { from } = branch;
    while (from < this.#count) {
      // Passes over what does not fit: no branch begins with it.
      if (isBlocked(branch, from) || (this.#seconds[from] as number) > seconds) {
        from += 1;
        continue;
      }
      const most = value + this.#mostFrom(branch, from);
      if (most <= this.value) return;
      if (this.#nodesLeft <= 0) {
        this.bound = Math.max(this.bound, most);
        return;
      }
      this.#nodesLeft -= 1;
      const next = withEdge(edges, (this.#candidates[from] as PodCandidate).position);
      if (next !== undefined) {
        this.#path.push(from);
        this.#visit({
          from: from + 1,
          seconds: seconds - (this.#seconds[from] as number),
          slots: slots - 1,
          value: value + (this.#prices[from] as number),
          low: low | (this.#lowConflicts[from] as number),
          high: high | (this.#highConflicts[from] as number),
          edges: next,
        });
        this.#path.pop();
      }
      from += 1;
    }
  }

  /** The most that candidates from `from` on can add: the lower of two bounds. */
  #mostFrom(branch: Branch, from: number): number {
    const bySlots = this.#highest[from * (this.#slots + 1) + branch.slots] as number;
    let left = branch.seconds;
    let bySeconds = 0;
    for (let at = from; at < this.#count && left > 0; at += 1) {
      if (isBlocked(branch, at)) continue;
      const taken = Math.min(left, this.#seconds[at] as number);
      bySeconds += ((this.#prices[at] as number) * taken) / (this.#seconds[at] as number);
      left -= taken;
      if (bySeconds >= bySlots) return bySlots;
    }
    return bySeconds;
  }

  #findConflicts(): void {
    /** The candidates that have a separation, as two words of bits. */
    const having = new Map<string, { low: number; high: number }>();
    for (let one = 0; one < this.#count; one += 1) {
      for (const name of this.#separations(one)) {
        let words = having.get(name);
        if (words === undefined) having.set(name, (words = { low: 0, high: 0 }));
        if (one < 32) words.low |= 1 << one;
        else words.high |= 1 << (one - 32);
      }
    }
    for (let one = 0; one < this.#count; one += 1) {
      let [low, high] = [0, 0];
      for (const name of this.#separations(one)) {
        const words = having.get(name);
        low |= words?.low ?? 0;
        high |= words?.high ?? 0;
      }
      // No branch looks at one that it has passed: its own bit keeps nothing out.
      this.#lowConflicts[one] = low;
      this.#highConflicts[one] = high;
    }
  }

  #separations(one: number): readonly string[] {
    return (this.#candidates[one] as PodCandidate).separations;
  }

  #highestSums(): Float64Array {
    const width = this.#slots + 1;
    const sums = new Float64Array((this.#count + 1) * width);
    const highest: number[] = [];
    for (let from = this.#count - 1; from >= 0; from -= 1) {
      const price = this.#prices[from] as number;
      const before = highest.findIndex((other) => other < price);
      highest.splice(before === -1 ? highest.length : before, 0, price);
      if (highest.length > this.#slots) highest.pop();
      let sum = 0;
      for (let slot = 1; slot < width; slot += 1) {
        sum += highest[slot - 1] ?? 0;
        sums[from * width + slot] = sum;
      }
    }
    return sums;
  }
}

/** The room that is left, and the earnings so far, where a branch begins. */
interface Branch {
  readonly from: number;
  readonly seconds: number;
  readonly slots: number;
  readonly value: number;
  /** The candidates that what was chosen keeps out, as two words of bits. */
  readonly low: number;
  readonly high: number;
  readonly edges: PodEdges;
}

function isBlocked({ low, high }: Branch, at: number): boolean {
  return at < 32 ? (low & (1 << at)) !== 0 : (high & (1 << (at - 32))) !== 0;
}

export const NO_EDGES: PodEdges = { first: 0, last: 0, either: 0 };

/** The edges with one more ad; undefined where there is no edge left for it. */
export function withEdge(edges: PodEdges, position: PodPosition): PodEdges | undefined {
  if (position === 'any') return edges;
  const { first, last, either } = edges;
  const next: PodEdges =
    position === 'first'
      ? { first: first + 1, last, either }
      : position === 'last'
        ? { first, last: last + 1, either }
        : { first, last, either: either + 1 };
  return next.first > 1 || next.last > 1 || next.first + next.last + next.either > 2 ? undefined : next;
}
