import { hasMost, rateBeside } from './dominance.ts';
import { countsOf, type Interval } from './interval.ts';

/** Further sources are counted together: pods come and go. */
const SOURCES_MAX = 200;
const OTHERS = 'others';

/** Where the candidate's events happened: one broken pod can make all of them. Plain data. */
export interface Sources {
  readonly units: Readonly<Record<string, number>>;
  /** The units of all sources in the windows in which this one had any: a pod that came late had no part in the earlier ones. */
  readonly beside: Readonly<Record<string, number>>;
  /** Excess of each source over stable's rate, window by window. */
  readonly excess: Readonly<Record<string, number>>;
}

export interface Dominant {
  readonly source: string;
  /** Part of the candidate's excess over stable, at most 1. */
  readonly badPart: number;
  /** Part of the units while the source had any. */
  readonly unitsPart: number;
}

export const NO_SOURCES: Sources = { units: {}, beside: {}, excess: {} };

/** Adds the sources of an interval. Where more events are better, missing events have no source: nothing is counted. */
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

/** The source with most of the excess and without most of the units. A single source does not dominate. */
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
