import { productRefusal } from '#domains/products/refusals.ts';
import type { OverrideFacts, SubjectFacts } from '../rules/subject-facts.ts';
import { valueFault } from '../rules/value-schema.ts';
import { check, type CheckQuestion } from './check.ts';
import type { Place } from './lookup.ts';
import type { CheckAnswer, Grant, ProductsTable } from './table.ts';

/** A question that may leave the plan to the record. */
export interface RecordedQuestion extends Place {
  /** Plan of listeners without a subscription, like `free`; ignored for others. */
  readonly plan?: string | undefined;
  readonly role?: string | undefined;
}

/** The listener to answer for; the record wins over the question. */
interface Listener extends Place {
  readonly plan: string;
  readonly role?: string | undefined;
  /**
   * True: the names come from the record. They were valid when written, and are answered even if no longer
   * declared.
   */
  readonly isOnRecord: boolean;
  readonly zone?: string;
}

/**
 * Plan, role and market of a listener: from an active subscription, else from the question. Refuses
 * `products/plan-needed` when there is neither.
 */
export function listenerOf({ plan, role, market, territory }: RecordedQuestion, facts: SubjectFacts): Listener {
  const { subscription } = facts;
  if (subscription?.status === 'active') {
    const { plan: own, role: as, market: where, anchor } = subscription;
    return { plan: own, role: as, market: where, isOnRecord: true, zone: anchor.zone };
  }
  if (plan !== undefined) return { plan, role, market, territory, isOnRecord: false };
  const why = subscription === undefined ? 'has no subscription' : 'has a lapsed subscription';
  throw productRefusal('plan-needed', `"${facts.listener}" ${why}, and the request names no plan.`);
}

/**
 * The answer of `check` for a listener on record, with overrides of boolean and config features. Limits are
 * not applied (see `bucketsFor`).
 */
export function checkOnRecord(
  table: ProductsTable,
  question: Omit<CheckQuestion, 'plan'> & RecordedQuestion,
  facts: SubjectFacts,
  now: Temporal.Instant,
): CheckAnswer {
  const { feature, channel, at } = question;
  const answer = check(table, { ...listenerOf(question, facts), feature, channel, at }, now);
  const given = grantByHand(table, feature, facts, now.epochMilliseconds);
  if (given === undefined) return answer;
  const until = Temporal.Instant.fromEpochMilliseconds(given.override.untilMs).toString();
  return {
    outcome: 'allow',
    plan: answer.plan,
    feature,
    grant: given.grant,
    reason: { code: 'given-by-hand', message: `Override until ${until}: ${given.override.reason}` },
  };
}

/** The override of a boolean or config feature. Among several: the latest end, then the lowest id. */
export function grantByHand(
  table: ProductsTable,
  feature: string,
  { overrides }: SubjectFacts,
  nowMs: number,
): { readonly grant: Grant; readonly override: OverrideFacts } | undefined {
  const spec = table.features.get(feature)?.spec;
  if (spec === undefined || (spec.type !== 'boolean' && spec.type !== 'config')) return undefined;
  const { title, type, valueSchema } = spec;
  // An override with a value that the feature no longer accepts is ignored.
  const fits = ({ value }: OverrideFacts): boolean =>
    type === 'boolean' || (valueSchema !== undefined && valueFault(valueSchema, value) === undefined);
  const [override] = overrides
    .filter((one) => one.feature === feature && one.untilMs > nowMs && fits(one))
    .sort((a, b) => b.untilMs - a.untilMs || (a.id < b.id ? -1 : 1));
  if (override === undefined) return undefined;
  return { override, grant: { feature, title, type, ...(type === 'config' ? { value: override.value } : {}) } };
}
