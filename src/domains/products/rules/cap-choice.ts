import { meet } from './entitlement.ts';

/** The plans, markets and roles of a cap; an absent list matches all. */
export interface CapTarget {
  readonly plans?: readonly string[];
  readonly markets?: readonly string[];
  readonly roles?: readonly string[];
}

/** The facts of a listener that caps select by. */
export interface CappedListener {
  readonly plan: string;
  readonly market: string;
  readonly role: string;
}

/**
 * How exactly a cap matches a listener; `undefined` when it does not. Naming the plan wins over naming the
 * market, and that over naming the role. Equally exact caps for one listener are refused.
 */
export function capExactness({ plans, markets, roles }: CapTarget, listener: CappedListener): number | undefined {
  if (plans !== undefined && !plans.includes(listener.plan)) return undefined;
  if (markets !== undefined && !markets.includes(listener.market)) return undefined;
  if (roles !== undefined && !roles.includes(listener.role)) return undefined;
  return (plans === undefined ? 0 : 4) + (markets === undefined ? 0 : 2) + (roles === undefined ? 0 : 1);
}

/** The most exact cap of a feature that matches a listener. */
export function capFor<Cap extends { readonly spec: CapTarget }>(
  caps: readonly Cap[],
  listener: CappedListener,
): Cap | undefined {
  let best: Cap | undefined;
  let bestExactness = -1;
  for (const cap of caps) {
    const exact = capExactness(cap.spec, listener) ?? -1;
    if (exact > bestExactness) {
      best = cap;
      bestExactness = exact;
    }
  }
  return best;
}

/** True when two caps of one feature are equally exact and match a common listener. */
export function capsCollide(a: CapTarget, b: CapTarget): boolean {
  return meet(a.plans, b.plans) && meet(a.markets, b.markets) && meet(a.roles, b.roles);
}
