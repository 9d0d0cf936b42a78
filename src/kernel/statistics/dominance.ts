import { countsOf, type Pair } from './interval.ts';

/** One of several has most with at least this part of what there is too much of, */
const PART = 0.5;
/** while its part of the units is at most so much of that: where all are bad alike, both are the same. */
const UNITS_PART_MAX = 0.6;

/** Whether one pod, or one moment, has half of what there is too much of, and not as much of the units. */
export function hasMost(badPart: number, unitsPart: number): boolean {
  return badPart >= PART && unitsPart <= UNITS_PART_MAX * badPart;
}

/** The rate of the other track in the same window: 0 where it has none. */
export function rateBeside({ stable }: Pick<Pair, 'stable'>): number {
  return stable.units === 0 ? 0 : countsOf(stable).bad / stable.units;
}
