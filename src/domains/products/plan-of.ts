import type { ProductsTable } from './decisions/table.ts';
import { requireDesk, type Desk } from './usage-desk.ts';

/**
 * The fact `planOf`: the Plan that a listener is on and that is live; undefined for somebody who is on none. On a node
 * without records it refuses, so that nobody is taken for a listener without a plan.
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
