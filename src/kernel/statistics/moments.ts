import { countsOf, type Pair } from './interval.ts';

/** A window has most with at least this part of what there is too much of, */
const PART = 0.5;
/** while its part of the units is at most so much of that: where all are bad alike, both are the same. */
const UNITS_PART_MAX = 0.6;

/** With so much of what the worst window had, it goes on. */
const GOES_ON_PART = 0.5;

/** When there were too many events: a hiccup of one window can make all of them. Plain data. */
export interface Moments {
  /** What windows have too much, added up over those that have. */
  readonly excess: number;
  readonly units: number;
  /** The window that has most. */
  readonly most: { readonly excess: number; readonly units: number; readonly isOver: boolean };
}

export const NO_MOMENTS: Moments = { excess: 0, units: 0, most: { excess: 0, units: 0, isOver: false } };

/** Adds a window, with what is expected of a unit. */
export function addMoment({ most, ...sums }: Moments, { candidate: { units, bad } }: Pair, rate: number): Moments {
  const excess = Math.max(0, bad - rate * units);
  return {
    excess: sums.excess + excess,
    units: sums.units + units,
    most:
      excess > most.excess
        ? { excess, units, isOver: false }
        : { ...most, isOver: excess < GOES_ON_PART * most.excess },
  };
}

/** The rate of the other track in the same window: 0 where it has none. */
export function rateBeside({ stable }: Pair): number {
  return stable.units === 0 ? 0 : countsOf(stable).bad / stable.units;
}

/** Whether one window that is over has half of the excess, and not as much of the traffic. */
export function isOneMoment({ excess, units, most }: Moments): boolean {
  return most.isOver && most.excess >= PART * excess && most.units * excess <= UNITS_PART_MAX * most.excess * units;
}
