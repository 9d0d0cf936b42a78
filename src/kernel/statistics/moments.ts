import { hasMost } from './dominance.ts';
import type { Pair } from './interval.ts';

/** The worst window is not over while a window has this part of its excess. */
const GOES_ON_PART = 0.5;

/** When the excess occurred: a hiccup of one window can make all of it. Plain data. */
export interface Moments {
  /** The excess of all windows that have any. */
  readonly excess: number;
  readonly units: number;
  /** The window with the highest excess. */
  readonly most: { readonly excess: number; readonly units: number; readonly isOver: boolean };
}

export const NO_MOMENTS: Moments = { excess: 0, units: 0, most: { excess: 0, units: 0, isOver: false } };

/** Adds a window, with the expected rate. */
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

/** Whether one window that is over has half of the excess, with a much smaller part of the traffic. */
export function isOneMoment({ excess, units, most }: Moments): boolean {
  return most.isOver && hasMost(most.excess / excess, most.units / units);
}
