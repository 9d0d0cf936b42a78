import { Refusal } from '#kernel/base/failures.ts';
import { check } from './decisions/check.ts';
import { checkOnRecord, type RecordedQuestion } from './decisions/on-record.ts';
import type { CheckAnswer, ProductsTable } from './decisions/table.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';
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
) => (
  question: FeatureQuestion,
  feature: string,
  now: Temporal.Instant,
) => boolean | undefined | Promise<boolean | undefined> {
  return (table) =>
    ({ listener, plan, role, market, territory }, feature, now) => {
      const question = { plan, role, market, territory, feature };
      if (listener === undefined) {
        return plan === undefined ? undefined : unlessRefused(() => check(table, { ...question, plan }, now));
      }
      if (desk === undefined) return undefined;
      const answer = (facts: SubjectFacts) => unlessRefused(() => checkOnRecord(table, question, facts, now));
      const known = desk.subjects.factsNow(listener);
      if (known !== undefined) return answer(known);
      return factsOf(desk, listener).then(answer, (error: unknown) => {
        if (error instanceof Refusal) return undefined;
        throw error;
      });
    };
}

function unlessRefused(answer: () => CheckAnswer): boolean | undefined {
  try {
    return isGiven(answer());
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** A plan on record that is no longer declared gives nothing; whether it gave the feature is not known. */
function isGiven({ outcome, reason }: CheckAnswer): boolean | undefined {
  if (reason?.code === 'plan-gone') return undefined;
  return outcome === 'allow';
}
