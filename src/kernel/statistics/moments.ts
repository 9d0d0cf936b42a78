import { hasMost } from './dominance.ts';
import type { Pair } from './interval.ts';

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

/** Whether one window that is over has half of the excess, and not as much of the traffic. */
export function isOneMoment({ excess, units, most }: Moments): boolean {
  return most.isOver && hasMost(most.excess / excess, most.units / units);
}
