import { seedRandom } from '#kernel/base/chance.ts';

/** Chance that can be repeated: the same seed gives the same sequence. */
export interface Chance {
  /** A number in [0, 1). */
  readonly next: () => number;
  readonly yes: (probability: number) => boolean;
  /** One of these, by their weights. */
  readonly pick: <Item>(weighted: readonly (readonly [item: Item, weight: number])[]) => Item;
  /** A number of trials before the first failure, on average `mean`. */
  readonly geometric: (mean: number) => number;
  /** A waiting time, on average `mean`. */
  readonly exponential: (mean: number) => number;
}

export function chance(seed: number): Chance {
  const next = seedRandom(seed);
  return {
    next,
    yes: (probability) => next() < probability,
    pick: (weighted) => {
      const total = weighted.reduce((sum, [, weight]) => sum + weight, 0);
      let left = next() * total;
      for (const [item, weight] of weighted) {
        left -= weight;
        if (left < 0) return item;
      }
      const last = weighted.at(-1);
      if (last === undefined) throw new RangeError('there is nothing to pick from');
      return last[0];
    },
    geometric: (mean) => Math.floor(Math.log(1 - next()) / Math.log(mean / (1 + mean))),
    exponential: (mean) => -Math.log(1 - next()) * mean,
  };
}

/** A seed for one part of a whole that has a seed: neighbours are unlike each other. */
export function seedOf(seed: number, part: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(part + 1, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}
