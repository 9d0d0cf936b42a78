import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { Split } from '../../kinds/parts.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { GrowthbookRule } from './payload.ts';

export type Range = readonly [from: number, until: number];

/** GrowthBook's hash; undefined for an unknown version, which matches nobody. */
export function hashing(version: number, salt: string): Bucketing | undefined {
  if (version !== 1 && version !== 2) return undefined;
  return { algorithm: version === 1 ? 'growthbook-v1' : 'growthbook-v2', salt };
}

/** A range on the line from 0 to 1; undefined when it is empty. */
export function rangeOf([from, until]: Range): { from: number; until: number } | undefined {
  const [start, end] = [Math.max(0, from), Math.min(1, until)];
  return start < end ? { from: start, until: end } : undefined;
}

/** The half-open range of hashes up to and including a coverage. Hashes are thousandths or ten-thousandths. */
export function coverageRange(coverage: number, { algorithm }: Bucketing): Range {
  const steps = algorithm === 'growthbook-v1' ? 1_000 : 10_000;
  let last = Math.min(steps - 1, Math.floor(coverage * steps) + 1);
  while (last >= 0 && last / steps > coverage) last -= 1;
  return [0, last === steps - 1 ? 1 : (last + 0.5) / steps];
}

/** The ranges of variations. Source: `getBucketRanges` of @growthbook/growthbook. */
function bucketRanges(count: number, coverage: number, given: readonly number[] | undefined): readonly Range[] {
  const covered = Math.min(1, Math.max(0, coverage));
  const weights = validWeights(count, given);
  let end = 0;
  return weights.map((weight) => {
    const start = end;
    end += weight;
    return [start, start + covered * weight];
  });
}

/** Effective weights: equal ones, unless there is one per variation and they sum to about 1. */
function validWeights(count: number, weights: readonly number[] | undefined): readonly number[] {
  const total = (weights ?? []).reduce((sum, weight) => sum + weight, 0);
  const isValid = weights !== undefined && weights.length === count && total >= 0.99 && total <= 1.01;
  return isValid ? weights : Array.from({ length: count }, () => 1 / count);
}

/**
 * The split of units among variations, by name; undefined when all are empty. Pass-through variations take
 * nobody. Uses weights where they give exactly the same ranges.
 */
export function splitOf(
  rule: GrowthbookRule,
  names: readonly string[],
  path: Path,
): { split: Split } | { ranges: Split } | undefined {
  const passed = names.map((_, index) => rule.meta?.[index]?.passthrough === true);
  const weights = validWeights(names.length, rule.weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const isWhole = rule.ranges === undefined && (rule.coverage ?? 1) >= 1 && total === 1 && !passed.includes(true);
  if (isWhole && weights.every((weight) => weight >= 0))
    return { split: names.map((variant, index) => ({ variant, weight: weights[index] ?? 0 })) };
  const ranges = (rule.ranges ?? bucketRanges(names.length, rule.coverage ?? 1, rule.weights)).map(rangeOf);
  const sorted = ranges.flatMap((range) => range ?? []).sort((a, b) => a.from - b.from);
  if (sorted.some(({ from }, index) => from < (sorted[index - 1]?.until ?? 0)))
    throw new UnsupportedSource(path, 'ranges overlap');
  const split = names.flatMap((variant, index) => {
    const range = ranges[index];
    return range === undefined || passed[index] === true ? [] : [{ variant, ranges: [range] }];
  });
  return split.length === 0 ? undefined : { ranges: split };
}
