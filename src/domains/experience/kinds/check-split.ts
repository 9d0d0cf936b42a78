import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { TARGETING_KEY, type AttributeLookup } from '#kernel/audiences/language/attributes.ts';
import { RANDOM_UNIT, type Split, type Traffic } from './parts.ts';

/** Problems of a split. */
export function splitProblems(split: Split, at: Path): readonly Problem[] {
  const byRanges = split.some(({ ranges }) => ranges !== undefined);
  const problems = split.flatMap((entry, index): Problem[] => {
    const path = [...at, index];
    if ((entry.weight === undefined) === (entry.ranges === undefined)) {
      return [{ path, reason: 'FieldValueRequired', detail: 'give either weight or ranges' }];
    }
    if (byRanges && entry.ranges === undefined) {
      return [
        {
          path: [...path, 'weight'],
          reason: 'FieldValueInvalid',
          detail: 'a split needs either weights or ranges, not both',
        },
      ];
    }
    return [];
  });
  if (problems.length > 0) return problems;
  if (byRanges)
    return rangeProblems(
      split.flatMap(({ ranges = [] }, index) =>
        ranges.map((range, of) => ({ ...range, path: [...at, index, 'ranges', of] })),
      ),
    );
  const total = split.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (total > 0) return [];
  return [
    {
      path: at,
      reason: 'FieldValueInvalid',
      detail: 'all weights are 0; give at least one a positive weight',
    },
  ];
}

/** Problems of a traffic share. */
export function trafficProblems(
  traffic: Traffic | undefined,
  attributes: AttributeLookup,
  at: Path,
): readonly Problem[] {
  if (traffic === undefined) return [];
  const { percent, ranges, unit, also = [] } = traffic;
  const others = also.flatMap((part, index) => trafficProblems(part, attributes, [...at, 'also', index]));
  const units = unitProblems(unit, attributes, [...at, 'unit']);
  if ((percent === undefined) === (ranges === undefined)) {
    return [{ path: at, reason: 'FieldValueRequired', detail: 'give either percent or ranges' }, ...units, ...others];
  }
  return [
    ...rangeProblems((ranges ?? []).map((range, of) => ({ ...range, path: [...at, 'ranges', of] }))),
    ...units,
    ...others,
  ];
}

export function unitProblems(
  unit: readonly string[] | undefined,
  attributes: AttributeLookup,
  at: Path,
): readonly Problem[] {
  return (unit ?? []).flatMap((name, index): Problem[] => {
    const path = [...at, index];
    if (name === RANDOM_UNIT || name === TARGETING_KEY) return [];
    const attribute = attributes.get(name);
    if (attribute === undefined) {
      const near = didYouMean(nearSpellings(name, [TARGETING_KEY, ...attributes.names()]));
      return [{ path, reason: 'FieldValueNotFound', detail: `there is no attribute "${name}"${near}` }];
    }
    return attribute.multiValued
      ? [{ path, reason: 'FieldValueInvalid', detail: `attribute "${name}" has several values; a unit needs one` }]
      : [];
  });
}

function rangeProblems(
  ranges: readonly { readonly from: number; readonly until: number; readonly path: Path }[],
): readonly Problem[] {
  const empty = ranges.filter(({ from, until }) => from >= until);
  const sorted = ranges.toSorted((a, b) => a.from - b.from);
  return [
    ...empty.map(({ path, from, until }): Problem => ({
      path,
      reason: 'FieldValueInvalid',
      detail: `from ${from} until ${until} is empty`,
    })),
    ...sorted.flatMap((range, index): Problem[] => {
      const before = sorted[index - 1];
      return before === undefined || before.until <= range.from
        ? []
        : [
            {
              path: range.path,
              reason: 'FieldValueInvalid',
              detail: `${range.from}–${range.until} overlaps ${before.from}–${before.until}`,
            },
          ];
    }),
  ];
}
