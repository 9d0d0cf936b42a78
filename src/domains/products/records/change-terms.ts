import type { Queryable } from '#kernel/postgres/database.ts';
import { ownerOf } from '../rules/use-subject.ts';
import type { FormerTerms, SubjectFacts, SubscriptionFacts } from '../rules/subject-facts.ts';
import type { TermsWrite } from './contract.ts';
import { factsOf } from './read-subjects.ts';
import type { RecordTransaction } from './record-transaction.ts';

/** The effect of a change; undefined where nothing changed. */
interface Done {
  readonly action: string;
  readonly detail: object;
}

/** A change of the terms of listeners. */
export interface TermsChange {
  readonly listeners: readonly string[];
  readonly work: (now: Temporal.Instant, before: readonly SubjectFacts[]) => Promise<Done | undefined>;
}

/**
 * Per listener. Late use arrives within about a month; a listener who changes terms more often has used
 * little between.
 */
const FORMERS_MAX = 10;

/**
 * Changes the terms of listeners. One transaction records the former terms, the use to carry, and the change
 * itself.
 */
export async function changeTerms(
  transaction: RecordTransaction,
  { movesOf }: TermsWrite,
  { listeners, work }: TermsChange,
): Promise<void> {
  // Locks the listeners: everything read from here holds until the commit.
  await hold(transaction, listeners);
  const before = await factsOf(transaction, listeners);
  const now = await transaction.now();
  const done = await work(now, before);
  if (done === undefined) return;
  await transaction.touch(listeners);
  await transaction.note(listeners, done.action, done.detail);
  const after = await factsOf(transaction, listeners);
  const written = new Set<string>();
  for (const [index, facts] of after.entries()) {
    const former = formerTerms(before[index], facts, now.epochMilliseconds);
    if (former === undefined && before[index]?.subscription?.status === facts.subscription?.status) continue;
    if (former !== undefined) await keepFormer(transaction, facts.listener, former);
    if (facts.subscription?.status !== 'active') continue;
    const formers = former === undefined ? facts.formers : [former, ...facts.formers];
    for (const { subject, moves } of movesOf({ ...facts, formers }, now.epochMilliseconds)) {
      // Members of one scope would each carry the shared use.
      const rest = moves.filter((move) => !written.has(JSON.stringify([subject, move])));
      rest.forEach((move) => written.add(JSON.stringify([subject, move])));
      if (rest.length === 0) continue;
      await transaction.query({
        text: 'insert into backline.use_moves (owner, subject, at, moves) values ($1, $2, $3, $4)',
        values: [ownerOf(subject), subject, now.toString(), JSON.stringify(rest)],
      });
    }
  }
}

async function hold({ query }: Queryable, listeners: readonly string[]): Promise<void> {
  const values = [[...new Set(listeners)].sort()];
  await query({
    text: `insert into backline.subjects (listener, version) select l, 0 from unnest($1::text[]) as l order by 1
      on conflict do nothing`,
    values,
  });
  await query({
    text: 'select from backline.subjects where listener = any ($1::text[]) order by listener for update',
    values,
  });
}

/** The former terms, where they differ from the new ones. */
function formerTerms(before: SubjectFacts | undefined, after: SubjectFacts, nowMs: number): FormerTerms | undefined {
  const subscription = before?.subscription;
  if (before === undefined || subscription?.status !== 'active') return undefined;
  if (after.subscription !== undefined && termsText(subscription) === termsText(after.subscription)) return undefined;
  const { givesSinceMs, memberSinceMs } = subscription;
  const sinceMs = Math.max(givesSinceMs, memberSinceMs, before.formers[0]?.untilMs ?? 0);
  return { sinceMs, untilMs: nowMs, subscription };
}

function termsText({ id, plan, market, role, status, anchor }: SubscriptionFacts): string {
  return JSON.stringify([id, plan, market, role, status, anchor.wallTime, anchor.zone]);
}

async function keepFormer({ query }: Queryable, listener: string, former: FormerTerms): Promise<void> {
  const { id, manager, household, plan, market, role, anchor } = former.subscription;
  const [since, until] = [former.sinceMs, former.untilMs].map((ms) => Temporal.Instant.fromEpochMilliseconds(ms));
  await query({
    text: `insert into backline.former_terms
        (listener, since_at, until_at, subscription, manager, household, plan, market, role, anchor_wall, anchor_zone)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    values: [
      listener,
      since?.toString() ?? '',
      until?.toString() ?? '',
      id,
      manager,
      household,
      plan,
      market,
      role,
      anchor.wallTime,
      anchor.zone,
    ],
  });
  await query({
    text: `delete from backline.former_terms where listener = $1 and number not in (
        select number from backline.former_terms where listener = $1 order by number desc limit ${FORMERS_MAX})`,
    values: [listener],
  });
}
