import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import type { Split, Traffic } from '../kinds/parts.ts';

/** Chooses an entry of a split for a unit, by index; -1 when the unit is in no range. */
export type Chooser = (unit: string) => number;

/**
 * A unit gets the first variant whose cumulative weight is above the unit's slot or, with ranges, the variant
 * whose range holds the slot. A unit's slot never changes.
 */
export function compileSplit(split: Split, bucketing: Bucketing): Chooser {
  if (split.some(({ ranges }) => ranges !== undefined)) {
    const parts = split.flatMap(({ ranges = [] }, index) => ranges.map((range) => ({ ...range, index })));
    const slot = compileSlot(bucketing, 1);
    return (unit) => {
      const at = slot(unit);
      for (const { from, until, index } of parts) if (at >= from && at < until) return index;
      return -1;
    };
  }
  let total = 0;
  const ends = split.map(({ weight = 0 }) => (total += weight));
  const slot = compileSlot(bucketing, total);
  return (unit) => {
    const at = slot(unit);
    for (let index = 0; index < ends.length; index += 1) if (at < (ends[index] ?? 0)) return index;
    return ends.length - 1;
  };
}

/** Whether a unit takes part. */
export function compileTraffic(traffic: Traffic, bucketing: Bucketing): (unit: string) => boolean {
  const { percent, ranges } = traffic;
  if (ranges !== undefined) {
    const slot = compileSlot(bucketing, 1);
    return (unit) => {
      const at = slot(unit);
      return ranges.some(({ from, until }) => at >= from && at < until);
    };
  }
  const slot = compileSlot(bucketing, 100);
  const end = percent ?? 100;
  return (unit) => slot(unit) < end;
}
