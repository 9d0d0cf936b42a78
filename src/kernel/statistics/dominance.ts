import { countsOf, type Pair } from './interval.ts';

/** A source or moment dominates with at least this part of the excess, */
const PART = 0.5;
/** while its part of the units is at most this fraction of it. Where all sources are equally bad, both parts are the same. */
const UNITS_PART_MAX = 0.6;

/** Whether one pod or one moment has half of the excess, with a much smaller part of the units. */
export function hasMost(badPart: number, unitsPart: number): boolean {
  return badPart >= PART && unitsPart <= UNITS_PART_MAX * badPart;
}

/** The rate of the other track in the same window: 0 where it has none. */
export function rateBeside({ stable }: Pick<Pair, 'stable'>): number {
  return stable.units === 0 ? 0 : countsOf(stable).bad / stable.units;
}
