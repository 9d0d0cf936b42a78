import { meet } from './entitlement.ts';

/** Whom a cap is for; what it does not name, it does not look at. */
export interface CapTarget {
  readonly plans?: readonly string[];
  readonly markets?: readonly string[];
  readonly roles?: readonly string[];
}

/** A listener as far as caps are concerned. */
export interface CappedListener {
  readonly plan: string;
  readonly market: string;
  readonly role: string;
}

/**
 * How exactly a cap is meant for a listener; `undefined` when it is not. One that names the plan wins over one that does
 * not, then one that names the market, then one that names the role. Equally exact ones for one listener are refused.
 */
export function capExactness({ plans, markets, roles }: CapTarget, listener: CappedListener): number | undefined {
  if (plans !== undefined && !plans.includes(listener.plan)) return undefined;
  if (markets !== undefined && !markets.includes(listener.market)) return undefined;
  if (roles !== undefined && !roles.includes(listener.role)) return undefined;
  return (plans === undefined ? 0 : 4) + (markets === undefined ? 0 : 2) + (roles === undefined ? 0 : 1);
}

/** The cap of a feature that counts for a listener: the most exact one that is meant. */
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

/** True when two caps of one feature are equally exact and some listener would have both. */
export function capsCollide(a: CapTarget, b: CapTarget): boolean {
  return meet(a.plans, b.plans) && meet(a.markets, b.markets) && meet(a.roles, b.roles);
}
