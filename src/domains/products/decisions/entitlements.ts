import { grantsOf, marketAt, planNamed, rowOf, type Place } from './lookup.ts';
import type { Grant, ProductsTable } from './table.ts';

interface EntitlementsQuestion extends Place {
  readonly plan: string;
  /** Absent: the first role of the plan. */
  readonly role?: string | undefined;
}

interface EntitlementsAnswer {
  readonly market: string;
  readonly plan: string;
  readonly title: string;
  readonly group: string;
  readonly rank: number;
  readonly seats: number;
  readonly role: string;
  /** False where the plan is not offered, and so gives nothing. */
  readonly offered: boolean;
  /** What the plan gives to the role, by name of the feature. */
  readonly entitlements: readonly Grant[];
}

/** Everything that a plan gives to a role in a market. Refuses names that do not exist. */
export function entitlements(table: ProductsTable, question: EntitlementsQuestion): EntitlementsAnswer {
  const market = marketAt(table, question);
  const { name, spec } = planNamed(table, question.plan);
  const grants = grantsOf(market, name);
  const row = rowOf(grants, name, question.role);
  return {
    market: market.name,
    plan: name,
    title: spec.title,
    group: spec.group,
    rank: spec.rank,
    seats: spec.seats,
    role: row.role,
    offered: grants.signature !== '-',
    entitlements: row.grants,
  };
}
