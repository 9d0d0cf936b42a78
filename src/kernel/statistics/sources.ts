import { hasMost, rateBeside } from './dominance.ts';
import { countsOf, type Interval } from './interval.ts';

/** Sources beyond these are counted together: pods come and go. */
const SOURCES_MAX = 200;
const OTHERS = 'others';

/** Where the candidate's events happened: one broken pod can make all of them. Plain data. */
export interface Sources {
  readonly units: Readonly<Record<string, number>>;
  /** The units of all sources in the windows in which each had any: a pod that came late had no part in what was before. */
  readonly beside: Readonly<Record<string, number>>;
  /** What each has beyond stable's rate, window by window. */
  readonly excess: Readonly<Record<string, number>>;
}

export interface Dominant {
  readonly source: string;
  /** Of what the candidate has beyond stable, at most 1. */
  readonly badPart: number;
  /** Of the units while it had any. */
  readonly unitsPart: number;
}

export const NO_SOURCES: Sources = { units: {}, beside: {}, excess: {} };

/** Where more events are better, what is missing has no place of its own: nothing is counted. */
export function addSources(state: Sources, interval: Interval, better: 'fewer' | 'more'): Sources {
  const { sources } = interval;
  if (sources === undefined || better === 'more') return state;
  const rate = rateBeside(interval);
  const units = new Map(Object.entries(state.units));
  const beside = new Map(Object.entries(state.beside));
  const excess = new Map(Object.entries(state.excess));
  const seen = new Set<string>();
  let all = 0;
  for (const [source, counts] of Object.entries(sources)) {
    const name = units.has(source) || units.size < SOURCES_MAX ? source : OTHERS;
    units.set(name, (units.get(name) ?? 0) + counts.units);
    excess.set(name, (excess.get(name) ?? 0) + countsOf(counts).bad - rate * counts.units);
    all += counts.units;
    if (counts.units > 0) seen.add(name);
  }
  for (const name of seen) beside.set(name, (beside.get(name) ?? 0) + all);
  return {
    units: Object.fromEntries(units),
    beside: Object.fromEntries(beside),
    excess: Object.fromEntries(excess),
  };
}

/** The source that has most of the excess, without having had most of the units. With one alone there is none. */
export function dominantOf({ units, beside, excess }: Sources): Dominant | undefined {
  const excessAll = total(excess);
  if (Object.keys(units).length < 2 || excessAll <= 0) return undefined;
  const [source, most] = Object.entries(excess).reduce((a, b) => (b[1] > a[1] ? b : a));
  const badPart = Math.min(1, most / excessAll);
  const unitsPart = (units[source] ?? 0) / (beside[source] ?? Infinity);
  return hasMost(badPart, unitsPart) ? { source, badPart, unitsPart } : undefined;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
