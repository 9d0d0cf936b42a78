import type { ProductsTable } from './decisions/table.ts';
import { requireDesk, type Desk } from './usage-desk.ts';

/**
 * Provides the fact `planOf`: the live Plan of a listener; undefined without one. Without a database it
 * refuses, so that a subscriber is not mistaken for a listener without a plan.
 */
export function planOfListeners(
  desk: Desk | undefined,
): (table: ProductsTable) => (listener: string) => Promise<string | undefined> {
  return ({ plans }) =>
    async (listener) => {
      const { subscription } = await requireDesk(desk).subjects.facts(listener);
      const plan = subscription?.status === 'active' ? subscription.plan : undefined;
      return plan !== undefined && plans.has(plan) ? plan : undefined;
    };
}
