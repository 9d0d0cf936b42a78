import type { CheckAnswer as Standing } from '#kernel/quotas/rules/contract.ts';
import { isSoldIn } from '../kinds/plan.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { usesOf, type UseQuestion } from './buckets-for.ts';
import { describeUsage, type UsageReport } from './describe-usage.ts';
import { rowFor } from './grants.ts';
import { marketAt, type KnownPlace } from './lookup.ts';
import { grantByHand, listenerOf } from './on-record.ts';
import type { Grant, ProductsTable } from './table.ts';

interface EntitlementsQuestion extends KnownPlace {
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
  /** Grants of the role, by name of the feature. */
  readonly entitlements: readonly Grant[];
}

/** Everything that a plan gives to a role in a market. Refuses names that do not exist. */
export function entitlements(table: ProductsTable, question: EntitlementsQuestion): EntitlementsAnswer {
  const market = marketAt(table, question);
  const { role, grants } = rowFor(table, market, question);
  const given = { market: market.name, plan: question.plan, role, entitlements: grants };
  const spec = table.plans.get(question.plan)?.spec;
  if (spec === undefined) return { ...given, title: question.plan, group: '', rank: 0, seats: 0, offered: false };
  const { title, group, rank, seats } = spec;
  return { ...given, title, group, rank, seats, offered: isSoldIn(spec, market.name) };
}

/** A feature that a listener has, with its remaining units where it is counted. */
interface RecordedEntitlement extends Grant {
  readonly usage?: UsageReport;
  /** Exceptions as sentences: suspended grants, overrides. */
  readonly notes?: readonly string[];
}

interface RecordedEntitlements extends Omit<EntitlementsAnswer, 'entitlements'> {
  readonly entitlements: readonly RecordedEntitlement[];
}

/**
 * Everything that a listener on record has: from the plan, from grants and from overrides.
 *
 * @param standings answers of the quotas to `usesOf`, by feature; without one, only the limit is shown
 */
export function entitlementsOnRecord(
  table: ProductsTable,
  question: Omit<UseQuestion, 'feature'>,
  record: { readonly facts: SubjectFacts; readonly standings: ReadonlyMap<string, Pick<Standing, 'balances'>> },
  nowMs: number,
): RecordedEntitlements {
  const { facts, standings } = record;
  const base = entitlements(table, listenerOf(question, facts));
  const all = new Map<string, RecordedEntitlement>(base.entitlements.map((grant) => [grant.feature, grant]));
  for (const feature of new Set(facts.overrides.map((override) => override.feature))) {
    const given = grantByHand(table, feature, facts, nowMs);
    if (given !== undefined) all.set(feature, { ...given.grant, notes: [`Override: ${given.override.reason}`] });
  }
  for (const use of usesOf(table, question, facts, nowMs)) {
    const standing = standings.get(use.feature);
    all.set(use.feature, {
      ...use.grant,
      ...(standing === undefined ? {} : { usage: describeUsage(use, standing) }),
      ...(use.notes.length === 0 ? {} : { notes: use.notes }),
    });
  }
  return { ...base, entitlements: [...all.values()].sort((a, b) => (a.feature < b.feature ? -1 : 1)) };
}
