import { randomUUID } from 'node:crypto';
import { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from './refusals.ts';
import type { Answer, CheckAnswer as Standing, Quotas } from '#kernel/quotas/rules/contract.ts';
import { bucketsFor, usesOf, type MeteredUse, type UnmeteredUse, type UseQuestion } from './decisions/buckets-for.ts';
import { decideUse, type UseAnswer } from './decisions/decide-use.ts';
import { checkOnRecord } from './decisions/on-record.ts';
import type { CheckAnswer, ProductsTable } from './decisions/table.ts';
import type { SubjectStore } from './records/contract.ts';
import type { PendingMoves, SubjectFacts } from './rules/subject-facts.ts';

/** Listener records and quotas; a node without a database has none. */
export interface Desk {
  readonly subjects: SubjectStore;
  readonly quotas: Quotas;
  /** Signal of the request: after it fires, nothing more is counted. */
  readonly signal?: AbortSignal;
}

/** Refuses `products/no-records` on a node without a database. */
export function requireDesk(desk: Desk | undefined): Desk {
  if (desk !== undefined) return desk;
  throw productRefusal('no-records', 'This node has no database, so it has no listener records.', {
    retryAfterSeconds: 60,
  });
}

/** A question about the use of a feature by a listener. */
export interface Use extends UseQuestion {
  readonly listener: string;
  readonly channel?: string | undefined;
}

/** Everything known before counting. */
export interface Situation {
  readonly facts: SubjectFacts;
  /** The answer of the plan and of overrides. */
  readonly base: CheckAnswer;
  readonly use: MeteredUse | UnmeteredUse;
}

/** Facts of a listener, after all pending moves are carried. */
export async function factsOf(desk: Desk, listener: string, isFresh = false): Promise<SubjectFacts> {
  const { subjects, signal } = desk;
  const facts = await (isFresh ? subjects.freshFacts(listener) : subjects.facts(listener));
  signal?.throwIfAborted();
  if (facts.moves.length === 0) return facts;
  await carryAlong(desk, facts.moves);
  return { ...facts, moves: [] };
}

/** Carries the use of all members of a subscription, where that is pending. */
export async function carryNow(
  desk: Desk,
  { manager, members }: { readonly manager: string; readonly members: readonly { readonly listener: string }[] },
): Promise<void> {
  for (const listener of new Set([manager, ...members.map((member) => member.listener)])) {
    await factsOf(desk, listener);
  }
}

/** Maximum moves in one request to the quotas. */
const MOVES_MAX = 50;
/** Longer than any caller's key, so that none collides with ours. */
const OWN_KEY_LENGTH = 254;

/** Carries recorded moves. Any process may do it; the key makes it happen once. */
async function carryAlong({ subjects, quotas }: Desk, all: readonly PendingMoves[]): Promise<void> {
  for (const { number, subject, changedAtMs, moves } of all) {
    for (let index = 0; index < moves.length; index += MOVES_MAX) {
      const key = ownKey(`carry ${number} ${index}`);
      await quotas.carry({ subject, key, changedAtMs, moves: moves.slice(index, index + MOVES_MAX) });
    }
  }
  await subjects.markMoved(all);
}

function ownKey(name: string): string {
  return name.padEnd(OWN_KEY_LENGTH, '.');
}

/** The situation of a listener by these facts. */
export function situationBy(
  table: ProductsTable,
  question: Use,
  facts: SubjectFacts,
  now: Temporal.Instant,
): Situation {
  return {
    facts,
    base: checkOnRecord(table, question, facts, now),
    use: bucketsFor(table, question, facts, now.epochMilliseconds),
  };
}

async function situationOf(desk: Desk, table: ProductsTable, question: Use, now: Temporal.Instant): Promise<Situation> {
  return situationBy(table, question, await factsOf(desk, question.listener), now);
}

/** Retries of a charge whose terms changed meanwhile. */
const TRIES_MAX = 3;

/**
 * Charges on the present terms. When the quotas report that use has moved to another plan, the facts are read
 * again; if the record confirms the plan, its counters are taken into force.
 */
export async function chargeOnTerms<Result>(
  desk: Desk,
  listener: string,
  charge: (facts: SubjectFacts) => Promise<Result>,
  bucketsNow: (facts: SubjectFacts) => readonly MeteredUse[],
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    const facts = await factsOf(desk, listener, tries > 1);
    try {
      return await charge(facts);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'quotas/moved' || tries === TRIES_MAX) throw error;
      if (tries === 1) continue;
      for (const { scope, buckets } of bucketsNow(await factsOf(desk, listener, true))) {
        const moves = buckets.map((bucket) => ({ from: bucket, to: bucket, onPlanChange: 'carry' }) as const);
        await desk.quotas.carry({ subject: scope.subject, key: ownKey(`reclaim ${randomUUID()}`), moves });
      }
    }
  }
}

/** Decides a feature without charging. */
export async function checkUse(
  desk: Desk,
  table: ProductsTable,
  question: Use,
  now: Temporal.Instant,
): Promise<(UseAnswer | CheckAnswer) & { readonly record: number }> {
  const { facts, base, use } = await situationOf(desk, table, question, now);
  // Slots are only acquired: a look would promise a slot that another session may take.
  if (!use.metered || use.grant.type === 'concurrent') return { ...base, record: facts.version };
  const { quota, scope, buckets } = use;
  const standing = await desk.quotas.check({ subject: scope.subject, quota, buckets, amount: 1 }, desk.signal);
  const { channel } = question;
  return { ...decideUse(table, { base, use }, standing, { amount: 1, channel }), record: facts.version };
}

/** Answers of the quotas for all metered features, by feature; concurrent features are not among them. */
export async function checkAllUse(
  { quotas, signal }: Desk,
  table: ProductsTable,
  { question, facts }: { readonly question: Omit<Use, 'feature'>; readonly facts: SubjectFacts },
  now: Temporal.Instant,
): Promise<ReadonlyMap<string, Standing>> {
  const uses = usesOf(table, question, facts, now.epochMilliseconds).filter(({ grant }) => grant.type === 'metered');
  const standings = await Promise.all(
    uses.map(async ({ feature, quota, scope, buckets }) => {
      const standing = await quotas.check({ subject: scope.subject, quota, buckets, amount: 0 }, signal);
      return [feature, standing] as const;
    }),
  );
  return new Map(standings);
}

/** The parts of a quota answer that callers rely on. */
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

/** The use, which must be counted. Refuses `products/not-counted` otherwise. */
export function requireCounted({ use, base }: Situation): MeteredUse {
  if (use.metered) return use;
  throw productRefusal('not-counted', use.reason.message, {
    remedy: base.outcome === 'allow' ? 'The feature is unlimited: there is nothing to count.' : base.reason.message,
  });
}

/** The use as a list, empty when it is not counted. */
export function meteredUse({ use }: Situation): readonly MeteredUse[] {
  return use.metered ? [use] : [];
}

/** Refuses `products/not-used-up` for concurrent features, which only slots count. */
export function requireUsedUp(table: ProductsTable, feature: string): void {
  const spec = table.features.get(feature)?.spec;
  if (spec?.type !== 'concurrent') return;
  const message = `${spec.title} is concurrent, not metered.`;
  throw productRefusal('not-used-up', message);
}

/** Refuses `products/not-at-once` for metered features, which have no slots. */
export function requireAtOnce(table: ProductsTable, feature: string): void {
  const spec = table.features.get(feature)?.spec;
  if (spec?.type !== 'metered') return;
  const message = `${spec.title} is metered, not concurrent.`;
  throw productRefusal('not-at-once', message);
}
