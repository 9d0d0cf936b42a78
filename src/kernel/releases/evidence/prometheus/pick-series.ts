import type { Asked } from './expand-query.ts';
import type { Series } from './read-answer.ts';

/** Instances of a track that are told apart; beyond, the query has to add them up. */
export const INSTANCES_MAX = 200;
/** The labels that tell instances apart, the first that all series have. */
const INSTANCE_LABELS = ['instance', 'pod'] as const;
/** What is kept of the name of an instance. Those that begin alike are counted together. */
const NAME_CHARS_MAX = 200;

/** What a query gave of one track. */
export interface TrackSeries {
  readonly at: 'track';
  readonly series: readonly Series[];
  /** The label that says of which instance each is; undefined where they are not told apart. */
  readonly label: (typeof INSTANCE_LABELS)[number] | undefined;
}

/** How the series of a query are to be read. */
export interface QueryTraits {
  /** It was asked for one track; else the label `track` tells them apart. */
  readonly isForTrack: boolean;
  readonly hasDefault: boolean;
  /** A value need not be of a track. */
  readonly isValue: boolean;
}

/** The series of a track: one, or one and more by instance. Counts that are of no track would be the same for both. */
export function pickSeries(
  all: readonly Series[],
  track: Asked['track'],
  { isForTrack, hasDefault, isValue }: QueryTraits,
): TrackSeries | { readonly at: 'down'; readonly because: string } {
  const down = (because: string) => ({ at: 'down', because }) as const;
  const isDefault = (one: Series) => hasDefault && isZero(one);
  const [defaults, given] = [all.filter(isDefault), all.filter((one) => !isDefault(one))];
  const isLabelled = !isForTrack && given.some(({ labels }) => labels['track'] !== undefined);
  if (!isForTrack && !isLabelled && given.length > 0 && !isValue) {
    return down('the query tells no tracks apart: it has no $track, and its result no label "track"');
  }
  const series = isLabelled ? given.filter(({ labels }) => labels['track'] === track) : given;
  const label = INSTANCE_LABELS.find((name) => series.every(({ labels }) => labels[name] !== undefined));
  if (series.length === 0) return { at: 'track', series: defaults, label: undefined };
  if (series.length > 1 && label === undefined) {
    return down(
      `the query gives ${series.length} series for ${track} where one is meant: add them up, or group by instance`,
    );
  }
  const picked = { at: 'track', series, label } as const;
  const instances = instancesOf(picked).size;
  if (instances > INSTANCES_MAX) {
    return down(`the query gives ${instances} instances for ${track}, of at most ${INSTANCES_MAX}: add them up`);
  }
  if (isValue && label !== undefined && instances < series.length) {
    return down(`the query gives ${series.length} series for ${track} of ${instances} instances: add up those of each`);
  }
  return picked;
}

/** Series by the name of their instance; without any where instances are not told apart. */
export function instancesOf({ series, label }: TrackSeries): ReadonlyMap<string, readonly Series[]> {
  return label === undefined
    ? new Map()
    : Map.groupBy(series, ({ labels }) => (labels[label] ?? '').slice(0, NAME_CHARS_MAX));
}

/** Whether a total and what is bad of it are by the same instances; of none of them anything may be bad. */
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

/** What `or vector(0)` adds, also beside series by instance. */
function isZero({ labels, samples }: Series): boolean {
  return Object.keys(labels).length === 0 && samples.every(({ value }) => value === 0);
}
