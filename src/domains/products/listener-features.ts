import { Refusal } from '#kernel/base/failures.ts';
import { check } from './decisions/check.ts';
import { checkOnRecord, type RecordedQuestion } from './decisions/on-record.ts';
import type { CheckAnswer, ProductsTable } from './decisions/table.ts';
import { factsOf, type Desk } from './usage-desk.ts';

interface FeatureQuestion extends RecordedQuestion {
  readonly listener?: string | undefined;
}

/**
 * Provides the fact `hasFeature`: whether a listener has a feature now, on record or by the plan of the question; undefined
 * where that cannot be known: a listener without a readable record, no plan, or a feature that does not exist. A plan that degrades
 * to a lesser feature does not have this one.
 */
export function featuresOfListeners(
  desk: Desk | undefined,
): (
  table: ProductsTable,
) => (question: FeatureQuestion, feature: string, now: Temporal.Instant) => Promise<boolean | undefined> {
  return (table) =>
    async ({ listener, plan, role, market, territory }, feature, now) => {
      const question = { plan, role, market, territory, feature };
      try {
        if (listener !== undefined) {
          if (desk === undefined) return undefined;
          return isGiven(checkOnRecord(table, question, await factsOf(desk, listener), now));
        }
        return plan === undefined ? undefined : isGiven(check(table, { ...question, plan }, now));
      } catch (error) {
        if (error instanceof Refusal) return undefined;
        throw error;
      }
    };
}

/** A plan on record that is no longer declared gives nothing; whether it gave the feature is not known. */
function isGiven({ outcome, reason }: CheckAnswer): boolean | undefined {
  if (reason?.code === 'plan-gone') return undefined;
  return outcome === 'allow';
}
