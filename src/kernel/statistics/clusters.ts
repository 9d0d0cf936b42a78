import { countsOf, type Interval } from './interval.ts';

/** Sources beyond these are counted together: pods come and go. */
const SOURCES_MAX = 200;
const OTHERS = 'others';
/** A source dominates with at least this part of the events, while having at most half of it of the units. */
const DOMINANT_PART = 0.5;

/** Where and when the candidate's events happened: one broken pod, or one moment, can make all of them. Plain data. */
export interface Clusters {
  readonly intervals: number;
  readonly units: Readonly<Record<string, number>>;
  readonly bad: Readonly<Record<string, number>>;
}

export interface Dominant {
  readonly source: string;
  readonly badPart: number;
  readonly unitsPart: number;
}

export const NO_CLUSTERS: Clusters = { intervals: 0, units: {}, bad: {} };

/** Where more events are better, a drop has no place of its own: only moments are counted. */
export function addClusters(state: Clusters, interval: Interval, better: 'fewer' | 'more'): Clusters {
  const { candidate, stable, sources } = interval;
  const events = better === 'fewer' ? countsOf(candidate).bad : countsOf(candidate).bad + countsOf(stable).bad;
  const intervals = state.intervals + (events > 0 ? 1 : 0);
  if (sources === undefined || better === 'more') return { ...state, intervals };
  const units = new Map(Object.entries(state.units));
  const bad = new Map(Object.entries(state.bad));
  for (const [source, counts] of Object.entries(sources)) {
    const name = units.has(source) || units.size < SOURCES_MAX ? source : OTHERS;
    units.set(name, (units.get(name) ?? 0) + counts.units);
    bad.set(name, (bad.get(name) ?? 0) + countsOf(counts).bad);
  }
  return { intervals, units: Object.fromEntries(units), bad: Object.fromEntries(bad) };
}

/** Whether the events come from enough places, or moments, to be the candidate's and not those of one pod or one hiccup. */
export function isSpread(
  { intervals, bad }: Clusters,
  least: { readonly sources: number; readonly intervals: number },
): boolean {
  return intervals >= least.intervals || Object.values(bad).filter((count) => count > 0).length >= least.sources;
}

/** The source that has most of the events, without having most of the units. */
export function dominantOf({ units, bad }: Clusters): Dominant | undefined {
  const unitsAll = total(units);
  const badAll = total(bad);
  const [source, most] = Object.entries(bad).reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
  if (badAll === 0 || unitsAll === 0) return undefined;
  const badPart = most / badAll;
  const unitsPart = (units[source] ?? 0) / unitsAll;
  return badPart >= DOMINANT_PART && unitsPart <= badPart / 2 ? { source, badPart, unitsPart } : undefined;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
