/**
 * Effect of a plan change on use. carry: it counts in the new bucket as it is. scale: in proportion to the limits,
 * rounded up. reset: it does not count.
 */
export type OnPlanChange = 'carry' | 'scale' | 'reset';

export interface Use {
  readonly limit: number | 'unlimited';
  readonly used: number;
}

/**
 * Used units in the bucket `to` after a change from `from`. Never fewer than were used in it before: going back and
 * forth between two plans creates no units.
 */
export function usedAfterChange(onPlanChange: OnPlanChange, from: Use, to: Use): number {
  switch (onPlanChange) {
    case 'carry':
      return Math.max(to.used, from.used);
    case 'reset':
      return to.used;
    case 'scale': {
      // Without two limits there is no proportion.
      if (from.limit === 'unlimited' || to.limit === 'unlimited' || from.limit === 0)
        return Math.max(to.used, from.used);
      // In bigint: the product of two counts exceeds the exact range of numbers.
      const [used, limit, base] = [BigInt(from.used), BigInt(to.limit), BigInt(from.limit)];
      const scaled = Number((used * limit + base - 1n) / base);
      return Math.max(to.used, Math.min(scaled, Number.MAX_SAFE_INTEGER));
    }
  }
}
