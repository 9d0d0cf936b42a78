import type { AdSetSpec } from '../kinds/ad-set.ts';

/** The attribute of a context that has the market of the listener. */
const MARKET = 'market';

/** The markets that a rule is limited to; undefined where it is to none, or in another way than by a list. */
export function marketsOf(rule: AdSetSpec['when']): ReadonlySet<string> | undefined {
  const markets = new Set<string>();
  for (const { allOf } of rule?.anyOf ?? []) {
    const own = allOf.find((condition) => 'attribute' in condition && condition.attribute === MARKET);
    if (own === undefined || !('in' in own) || own.in === undefined) return undefined;
    for (const value of own.in) markets.add(String(value));
  }
  return rule === undefined ? undefined : markets;
}
