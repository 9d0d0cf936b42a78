import { Refusal } from '#kernel/base/failures.ts';
import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import type { Answer, PastOperation } from '#kernel/quotas/rules/contract.ts';
import type { MeteredUse } from './decisions/buckets-for.ts';
import { decideUse } from './decisions/decide-use.ts';
import type { ProductsTable } from './decisions/table.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';
import { factsAt } from './rules/terms-at.ts';
import { subjectsOfUse } from './rules/use-subject.ts';
import { receiptOf, situationBy, type Desk, type Situation, type Use } from './usage-desk.ts';

/** Limit of the quotas. */
const BUCKETS_MAX = 100;

/** A decision under an earlier key, with the listener's terms at that time. */
export interface Earlier {
  readonly subject: string;
  /** Undefined where the catalogue no longer has the feature, plan or cap of that decision. */
  readonly situation: Situation | undefined;
  /**
   * Buckets that may take units back: those in force now or then. Only those in force now are charged.
   * Undefined: the quotas use the decision's own buckets.
   */
  readonly buckets: readonly Bucket[] | undefined;
}

/** The situation, or its refusal: a listener without terms now may have had some at the earlier decision. */
export function situationIfAny(make: () => Situation): Situation | Refusal {
  try {
    return make();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Whether an earlier decision may have used another subject or other terms than a decision now. */
export function mayDiffer({ formers }: SubjectFacts, now: Situation | Refusal): boolean {
  return formers.length > 0 || now instanceof Refusal || !now.use.metered;
}

/** Finds the decision under a key, on any terms that the listener has had; undefined when there is none. */
export async function earlierUse(
  { quotas }: Desk,
  table: ProductsTable,
  question: Use,
  { facts, now, key }: { readonly facts: SubjectFacts; readonly now: Situation | Refusal; readonly key: string },
): Promise<Earlier | undefined> {
  const present = now instanceof Refusal ? undefined : subjectOfNow(now);
  const subjects = new Set([...(present === undefined ? [] : [present]), ...subjectsOfUse(facts, question)]);
  const found = await quotas.find([...subjects], key);
  return found === undefined ? undefined : earlierOf(table, question, { facts, now, found });
}

/** The listener's situation at the moment of a decision. */
export function earlierOf(
  table: ProductsTable,
  question: Use,
  {
    facts,
    now,
    found,
  }: { readonly facts: SubjectFacts; readonly now: Situation | Refusal; readonly found: PastOperation },
): Earlier {
  const { subject, atMs } = found;
  const at = factsAt(facts, atMs, question.plan !== undefined);
  const then = situationIfAny(() =>
    situationBy(table, question, at.facts, Temporal.Instant.fromEpochMilliseconds(at.atMs)),
  );
  const of = (one: Situation | Refusal): MeteredUse | undefined => {
    const use = meteredOf(one);
    return use?.scope.subject === subject ? use : undefined;
  };
  const isKnown = !(then instanceof Refusal) && (of(then) !== undefined || isFreeFor(then, subject));
  return {
    subject,
    situation: isKnown ? then : undefined,
    buckets: bucketsOf(found, of(now), of(then)),
  };
}

function subjectOfNow({ use }: Situation): string | undefined {
  return use.metered ? use.scope.subject : use.freeFor;
}

function isFreeFor({ use }: Situation, subject: string): boolean {
  return !use.metered && use.freeFor === subject;
}

function bucketsOf(
  { buckets: taken }: PastOperation,
  now: MeteredUse | undefined,
  then: MeteredUse | undefined,
): readonly Bucket[] | undefined {
  const past = (then?.buckets ?? []).filter(({ id }) => !(now?.buckets ?? []).some((bucket) => bucket.id === id));
  const all = now === undefined ? past : [...now.buckets, ...past.map((bucket) => ({ ...bucket, suspended: true }))];
  // Late use is counted on the terms at its time of use. Neither present terms nor those at the decision need
  // include them.
  const isKnown = taken.every((id) => all.some((bucket) => bucket.id === id || bucket.replaces?.includes(id) === true));
  return all.length === 0 || !isKnown ? undefined : all.slice(0, BUCKETS_MAX);
}

function meteredOf(situation: Situation | Refusal): MeteredUse | undefined {
  return situation instanceof Refusal || !situation.use.metered ? undefined : situation.use;
}

/** Translates an answer of the quotas into a products answer. */
export function translateAnswer(
  table: ProductsTable,
  { base, use, facts }: Situation,
  result: Answer,
  amount: number,
): object {
  if (!use.metered) return { ...base, ...receiptOf(result), record: facts.version };
  const { balances, atMs, retryAtMs } = result;
  const standing = {
    outcome: result.outcome === 'denied' ? 'denied' : 'granted',
    balances,
    atMs,
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
  } as const;
  return { ...decideUse(table, { base, use }, standing, { amount }), ...receiptOf(result), record: facts.version };
}

/** Translates the answer of an earlier decision. */
export function translateEarlier(table: ProductsTable, { situation }: Earlier, result: Answer, amount: number): object {
  const answer = situation === undefined ? undefined : translateAnswer(table, situation, result, amount);
  // Late use counts on the terms at its time of use; the terms at the decision may not give the feature.
  const fits =
    answer !== undefined && (result.outcome === 'denied' || ('outcome' in answer && answer.outcome === 'allow'));
  if (fits) return answer;
  return { outcome: result.outcome === 'denied' ? 'deny' : 'allow', ...receiptOf(result) };
}
