import type { QueryVariables } from './expand-query.ts';
import type { Series } from './read-answer.ts';

/** Instances of a track that are kept apart; with more, the query has to aggregate. */
export const INSTANCES_MAX = 200;
/** The labels of instances; the first one that all series have is used. */
const INSTANCE_LABELS = ['instance', 'pod'] as const;
/** Characters of an instance's name. Longer names with the same beginning are merged. */
const NAME_CHARS_MAX = 200;

/** The result of a query for one track. */
export interface TrackSeries {
  readonly at: 'track';
  readonly series: readonly Series[];
  /** The label of the instance of each series; undefined without one. */
  readonly label: (typeof INSTANCE_LABELS)[number] | undefined;
}

/** How to read the series of a query. */
export interface QueryTraits {
  /** It was for one track; else the label `track` separates them. */
  readonly isForTrack: boolean;
  readonly hasDefault: boolean;
  /** A value need not have a track. */
  readonly isValue: boolean;
}

/** The series of a track: one, or one and more by instance. Refuses counts without a track, which would be the same for both. */
export function pickSeries(
  all: readonly Series[],
  track: QueryVariables['track'],
  { isForTrack, hasDefault, isValue }: QueryTraits,
): TrackSeries | { readonly at: 'down'; readonly because: string } {
  const down = (because: string) => ({ at: 'down', because }) as const;
  const isDefault = (one: Series) => hasDefault && isZero(one);
  const [defaults, given] = [all.filter(isDefault), all.filter((one) => !isDefault(one))];
  const isLabelled = !isForTrack && given.some(({ labels }) => labels['track'] !== undefined);
  if (!isForTrack && !isLabelled && given.length > 0 && !isValue) {
    return down('the query does not separate tracks: it has no $track, and its result no label "track"');
  }
  const series = isLabelled ? given.filter(({ labels }) => labels['track'] === track) : given;
  const label = INSTANCE_LABELS.find((name) => series.every(({ labels }) => labels[name] !== undefined));
  if (series.length === 0) return { at: 'track', series: defaults, label: undefined };
  if (series.length > 1 && label === undefined) {
    return down(
      `the query gives ${series.length} series for ${track} instead of one: aggregate them, or group by instance`,
    );
  }
  const picked = { at: 'track', series, label } as const;
  const instances = instancesOf(picked).size;
  if (instances > INSTANCES_MAX) {
    return down(
      `the query gives ${instances} instances for ${track}, at most ${INSTANCES_MAX} are allowed: aggregate them`,
    );
  }
  if (isValue && label !== undefined && instances < series.length) {
    return down(
      `the query gives ${series.length} series for ${track} of ${instances} instances: aggregate those of each`,
    );
  }
  return picked;
}

/** Series by instance; empty without instances. */
export function instancesOf({ series, label }: TrackSeries): ReadonlyMap<string, readonly Series[]> {
  return label === undefined
    ? new Map()
    : Map.groupBy(series, ({ labels }) => (labels[label] ?? '').slice(0, NAME_CHARS_MAX));
}

/** Whether the totals and the bad events have the same instances; without a total by instance there are none. */
export function isAlike(total: TrackSeries, bad: TrackSeries): boolean {
  if (total.label === undefined) return false;
  return bad.label === total.label || (bad.label === undefined && sumOf(bad.series) === 0);
}

export function sumOf(series: readonly Series[]): number {
  return valuesOf(series).reduce((sum, value) => sum + value, 0);
}

export function valuesOf(series: readonly Series[]): readonly number[] {
  return series.flatMap(({ samples }) => samples.map(({ value }) => value));
}

/** The series that `or vector(0)` adds, also beside series by instance. */
function isZero({ labels, samples }: Series): boolean {
  return Object.keys(labels).length === 0 && samples.every(({ value }) => value === 0);
}
