import type { Counts, Interval } from '../interval.ts';

/** A standard normal variable (Box, Muller 1958). */
export function normal(chance: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}

/** A count with this mean: exact up to 30, then normal, where nobody can tell. */
export function poisson(mean: number, chance: () => number): number {
  if (mean > 30) {
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(chance)));
  }
  if (mean === 0) return 0;
  const limit = Math.exp(-mean);
  let count = -1;
  for (let product = 1; product > limit; product *= chance()) count += 1;
  return count;
}

export interface Traffic {
  readonly units: number;
  readonly share: number;
  readonly rate: number;
  readonly ratio: number;
}

/** The interval of a minute in which units came at this share, with events by chance. */
export function minute(index: number, { units, share, rate, ratio }: Traffic, chance: () => number): Interval {
  const candidate = Math.round(units * share);
  const counts = (units: number, rate: number): Counts => ({ units, bad: poisson(units * rate, chance) });
  return {
    fromMs: index * 60_000,
    toMs: (index + 1) * 60_000,
    candidate: counts(candidate, rate * ratio),
    stable: counts(units - candidate, rate),
    share,
  };
}
