import { holdAll, requirementsOf, type ObjectSelector } from '#kernel/api/codec/requirements.ts';

/** The part of a stage for clusters. */
export interface ClustersPart {
  readonly select?: ObjectSelector;
  /** Per cent of the requests of each. */
  readonly weight: number;
  /** Clusters that change at a time. */
  readonly concurrent?: number;
}

/** The entry in a Head: the weight of the candidate in each cluster; others have none of it. */
export interface ClusterWeights {
  /** Number of parts that it was made from. */
  readonly parts: number;
  readonly weightOf: Readonly<Record<string, number>>;
  /** Clusters that change at a time in the last part; absent: all. */
  readonly concurrent?: number;
}

export interface LabelledCluster {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function isSelected(selector: ObjectSelector, { labels }: LabelledCluster): boolean {
  return holdAll(requirementsOf(selector), (key) => labels[key]);
}

/**
 * The weights for the parts of a stage and those before it. A cluster that joined after a part was reached has no share in it, so that
 * it gets what everyone has until a later part selects it.
 */
export function weightsFor(
  parts: readonly ClustersPart[],
  clusters: readonly LabelledCluster[],
  before: ClusterWeights | undefined,
): ClusterWeights {
  const weightOf: Record<string, number> = {};
  for (const [index, { select = {}, weight }] of parts.entries()) {
    const isReached = before !== undefined && index < before.parts;
    for (const cluster of clusters) {
      if (!isSelected(select, cluster) || (isReached && before.weightOf[cluster.name] === undefined)) continue;
      weightOf[cluster.name] = Math.max(weightOf[cluster.name] ?? 0, weight);
    }
  }
  const concurrent = parts.at(-1)?.concurrent;
  return { parts: parts.length, weightOf, ...(concurrent === undefined ? {} : { concurrent }) };
}
