import { Refusal } from '#kernel/base/failures.ts';
import type { Answer, CheckAnswer as Standing, Quotas } from '#kernel/quotas/contract.ts';
import { bucketsFor, usesOf, type MeteredUse, type UnmeteredUse, type UseQuestion } from './decisions/buckets-for.ts';
import { decideUse, type UseAnswer } from './decisions/decide-use.ts';
import { checkOnRecord } from './decisions/on-record.ts';
import type { CheckAnswer, ProductsTable } from './decisions/table.ts';
import type { SubjectStore } from './records/contract.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';

/** Where records and quotas are; a node without a database has none. */
export interface Desk {
  readonly subjects: SubjectStore;
  readonly quotas: Quotas;
}

/** Refuses `products/no-records` on a node without a database. */
export function requireDesk(desk: Desk | undefined): Desk {
  if (desk !== undefined) return desk;
  throw new Refusal(
    'products/no-records',
    'ServiceUnavailable',
    'This node has no database, and so no records of listeners.',
    { remedy: 'Ask another node, or start this one with DATABASE_URL.', retryAfterSeconds: 60 },
  );
}

/** A question about the use of a feature by a listener. */
export interface Use extends UseQuestion {
  readonly listener: string;
  readonly channel?: string | undefined;
}

/** Everything that is known before anything is counted. */
export interface Situation {
  readonly facts: SubjectFacts;
  /** What the plan says, and what was given by hand. */
  readonly base: CheckAnswer;
  readonly use: MeteredUse | UnmeteredUse;
}

export async function situationOf(
  { subjects }: Desk,
  table: ProductsTable,
  question: Use,
  now: Temporal.Instant,
): Promise<Situation> {
  const facts = await subjects.facts(question.listener);
  return {
    facts,
    base: checkOnRecord(table, question, facts, now),
    use: bucketsFor(table, question, facts, now.epochMilliseconds),
  };
}

/** What a listener gets of a feature now; nothing is charged. */
export async function look(
  desk: Desk,
  table: ProductsTable,
  question: Use,
  now: Temporal.Instant,
): Promise<(UseAnswer | CheckAnswer) & { readonly record: number }> {
  const { facts, base, use } = await situationOf(desk, table, question, now);
  // Slots are asked for, not looked at: whoever wants one acquires it.
  if (!use.metered || use.grant.type === 'concurrent') return { ...base, record: facts.version };
  const { quota, scope, buckets } = use;
  const standing = await desk.quotas.check({ subject: scope.subject, quota, buckets, amount: 1 });
  const { channel } = question;
  return { ...decideUse(table, base, use, standing, { amount: 1, channel }), record: facts.version };
}

/** What the quotas say of all that is used up, by feature. Slots are not used up, and not among them. */
export async function standingsOf(
  { quotas }: Desk,
  table: ProductsTable,
  question: Omit<Use, 'feature'>,
  facts: SubjectFacts,
  now: Temporal.Instant,
): Promise<ReadonlyMap<string, Standing>> {
  const uses = usesOf(table, question, facts, now.epochMilliseconds).filter(({ grant }) => grant.type === 'metered');
  const standings = await Promise.all(
    uses.map(async ({ feature, quota, scope, buckets }) => {
      const standing = await quotas.check({ subject: scope.subject, quota, buckets, amount: 0 });
      return [feature, standing] as const;
    }),
  );
  return new Map(standings);
}

/** What quotas did, as far as callers go by it. */
export function receiptOf({ amount, asked, receipt, replayed, expiresAtMs }: Answer): object {
  return {
    asked,
    charged: amount,
    receipt: receipt.map(({ bucket, window, amount: units }) => ({ bucket, window, amount: units })),
    replayed,
    ...(expiresAtMs === undefined ? {} : { expiresAt: instant(expiresAtMs) }),
  };
}

export function instant(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(ms).toString();
}

/** The use as it must be where something is counted. Refuses `products/not-counted` otherwise. */
export function counted({ use, base }: Situation): MeteredUse {
  if (use.metered) return use;
  throw new Refusal('products/not-counted', 'Conflict', use.reason.message, {
    remedy: base.outcome === 'allow' ? 'It is given without limit: nothing has to be counted.' : base.reason.message,
  });
}
