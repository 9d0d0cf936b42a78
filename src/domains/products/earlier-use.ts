import { Refusal } from '#kernel/base/failures.ts';
import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import type { Answer, Decided } from '#kernel/quotas/rules/contract.ts';
import type { MeteredUse } from './decisions/buckets-for.ts';
import { decideUse } from './decisions/decide-use.ts';
import type { ProductsTable } from './decisions/table.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';
import { factsAt } from './rules/terms-at.ts';
import { subjectsOfUse } from './rules/use-subject.ts';
import { receiptOf, situationBy, type Desk, type Situation, type Use } from './usage-desk.ts';

/** As many as the quotas take. */
const BUCKETS_MAX = 100;

/** Something that was decided before, and what the listener was on then. */
export interface Earlier {
  readonly subject: string;
  /** Undefined where the catalogue no longer has what counted then. */
  readonly situation: Situation | undefined;
  /** What it may be given back to: in force now, or then; only what is in force now is taken from. Undefined: its own. */
  readonly buckets: readonly Bucket[] | undefined;
}

/** The situation, where there is one: who is on nothing now may have been on something then. */
export function situationIfAny(make: () => Situation): Situation | Refusal {
  try {
    return make();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Whether what was decided before may have been counted for somebody else, or in another way, than it would be now. */
export function mayDiffer({ formers }: SubjectFacts, now: Situation | Refusal): boolean {
  return formers.length > 0 || now instanceof Refusal || !now.use.metered;
}

/** What was decided under a key, whatever the listener was on then; undefined when nothing was. */
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

/** What somebody was on when something was decided. */
export function earlierOf(
  table: ProductsTable,
  question: Use,
  { facts, now, found }: { readonly facts: SubjectFacts; readonly now: Situation | Refusal; readonly found: Decided },
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
  { buckets: taken }: Decided,
  now: MeteredUse | undefined,
  then: MeteredUse | undefined,
): readonly Bucket[] | undefined {
  const past = (then?.buckets ?? []).filter(({ id }) => !(now?.buckets ?? []).some((bucket) => bucket.id === id));
  const all = now === undefined ? past : [...now.buckets, ...past.map((bucket) => ({ ...bucket, suspended: true }))];
  // Late use is counted by what was had when it was used, which neither now nor the moment of the decision may know.
  const isKnown = taken.every((id) => all.some((bucket) => bucket.id === id || bucket.replaces?.includes(id) === true));
  return all.length === 0 || !isKnown ? undefined : all.slice(0, BUCKETS_MAX);
}

function meteredOf(situation: Situation | Refusal): MeteredUse | undefined {
  return situation instanceof Refusal || !situation.use.metered ? undefined : situation.use;
}

/** The answer of quotas in the words of products. */
export function said(table: ProductsTable, { base, use, facts }: Situation, result: Answer, amount: number): object {
  if (!use.metered) return { ...base, ...receiptOf(result), record: facts.version };
  const { balances, atMs, retryAtMs } = result;
  const standing = {
    outcome: result.outcome === 'denied' ? 'denied' : 'granted',
    balances,
    atMs,
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
  } as const;
  return { ...decideUse(table, base, use, standing, { amount }), ...receiptOf(result), record: facts.version };
}

/** The same of something that was decided before. */
export function saidOfEarlier(table: ProductsTable, { situation }: Earlier, result: Answer, amount: number): object {
  const answer = situation === undefined ? undefined : said(table, situation, result, amount);
  // Late use was counted by what was had before the moment of the decision, which may have given nothing of it.
  const fits =
    answer !== undefined && (result.outcome === 'denied' || ('outcome' in answer && answer.outcome === 'allow'));
  if (fits) return answer;
  return { outcome: result.outcome === 'denied' ? 'deny' : 'allow', ...receiptOf(result) };
}
