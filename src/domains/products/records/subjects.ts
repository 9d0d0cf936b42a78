import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from '#domains/products/refusals.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { openGroup } from '#kernel/quotas/group.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { ownerOf } from '../rules/use-subject.ts';
import { eraseSubject } from './erase-subject.ts';
import { changeTerms, type TermsChange } from './change-terms.ts';
import type { RecordWrite, SubjectStore, Subscription, TermsWrite } from './contract.ts';
import { grantsAndOverrides } from './grants-and-overrides.ts';
import { jsonOf } from './json-of.ts';
import { tidyWrites, writeOnce } from './record-writes.ts';
import { factsOf, recordOf, subscriptionOf } from './read-subjects.ts';
import { recordTransactions, type RecordTransaction } from './record-transaction.ts';

/** @param clock replaces the database time, for tests */
export function subjectStore(database: Database, clock?: Clock): SubjectStore {
  const watchers: ((listeners: readonly string[]) => void)[] = [];
  const notifyWatchers = (listeners: readonly string[]): void => watchers.forEach((watcher) => watcher(listeners));
  const plainly = recordTransactions(database, clock, notifyWatchers);
  const writes = writesOf(plainly, clock);

  // Listeners who are asked for together are read together, after the last of them was asked for.
  const reads = openGroup<string>((listeners) => factsOf(database, listeners), errorOf, 0);
  const facts = (listener: string): Promise<SubjectFacts> => reads.ask(listener, (outcome) => outcome as SubjectFacts);

  return {
    factsNow: () => undefined,
    facts,
    freshFacts: facts,
    read: (listener) => recordOf(database, listener),
    subscription: (id) => subscriptionOf(database, id),
    ...subscriptionWrites(writes),
    ...memberWrites(writes),
    ...grantsAndOverrides(writes.write),
    spend: (listener, ids) =>
      plainly(async ({ query, now, touch }) => {
        await touch([listener]);
        const at = (await now()).toString();
        await query({
          text: 'update backline.grants set spent_at = $3 where listener = $1 and id = any ($2::text[])',
          values: [listener, ids, at],
        });
      }),
    markMoved: (moves) =>
      plainly(async ({ query, touch }) => {
        const rows = await query<{ listener: string }>({
          text: `select m.listener from backline.subscription_members m join backline.subscriptions s on s.id = m.subscription
            where m.listener = any ($1::text[]) or s.household = any ($1::text[])`,
          values: [moves.map(({ subject }) => ownerOf(subject))],
        });
        await touch(rows.map(({ listener }) => listener));
        await query({
          text: 'delete from backline.use_moves where number = any ($1::bigint[])',
          values: [moves.map(({ number }) => number)],
        });
      }),
    onChange: (watcher) => void watchers.push(watcher),
    tidy: () => tidyWrites(database, clock?.()),
    erase: async (listener) => {
      const { rows, others } = await eraseSubject(database, listener);
      notifyWatchers([listener, ...others]);
      return rows;
    },
  };
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error('the record cannot be read', { cause: error });
}

/** Idempotent writes. */
interface Writes {
  /** Runs work once and repeats its answer under the key. */
  readonly write: <Result extends object>(
    doing: RecordWrite,
    work: (transaction: RecordTransaction) => Promise<Result>,
  ) => Promise<Result>;
  /** Changes a locked subscription. */
  readonly change: (
    id: string,
    doing: TermsWrite,
    plan: (transaction: RecordTransaction, before: Subscription) => TermsChange,
    isEnding?: boolean,
  ) => Promise<Subscription>;
}

function writesOf(plainly: ReturnType<typeof recordTransactions>, clock: Clock | undefined): Writes {
  return { write, change };

  async function write<Result extends object>(
    doing: RecordWrite,
    work: (transaction: RecordTransaction) => Promise<Result>,
  ): Promise<Result> {
    return plainly(
      (transaction, listeners) => writeOnce(transaction, doing, { listeners, now: clock?.() }, () => work(transaction)),
      doing.by,
    );
  }

  function change(
    id: string,
    doing: TermsWrite,
    plan: (transaction: RecordTransaction, before: Subscription) => TermsChange,
    isEnding = false,
  ): Promise<Subscription> {
    return write(doing, async (transaction) => {
      await transaction.query({ text: 'select from backline.subscriptions where id = $1 for update', values: [id] });
      const before = await subscriptionOf(transaction, id);
      // Ending an ended subscription changes nothing.
      if (before.status === 'ended' && !isEnding) throw subscriptionEnded(id);
      const { listeners, work } = plan(transaction, before);
      const all = [...new Set([before.manager, ...before.members.map(({ listener }) => listener), ...listeners])];
      await changeTerms(transaction, doing, {
        listeners: all,
        work: async (now, facts) => {
          const done = await work(now, facts);
          return done === undefined ? undefined : { ...done, detail: { subscription: id, ...done.detail } };
        },
      });
      return subscriptionOf(transaction, id);
    });
  }
}

/** Writes of subscriptions by their managers. */
function subscriptionWrites({ write, change }: Writes): Pick<SubjectStore, 'subscribe' | 'changePlan' | 'setStatus'> {
  return {
    subscribe: (listener, doing, wish) =>
      write(doing, async (transaction) => {
        const id = randomUUID();
        await changeTerms(transaction, doing, {
          listeners: [listener],
          work: async (now, [before]) => {
            if (before?.subscription !== undefined) throw alreadySubscribed(before);
            const { plan, market, role, anchor, price } = wish(now);
            await transaction.query({
              text: `insert into backline.subscriptions (id, manager, household, plan, market, status, anchor_wall,
                  anchor_zone, plan_since, gives_since, started_at, price)
                values ($1, $2, $2, $3, $4, 'active', $5, $6, $7, $7, $7, $8)`,
              values: [id, listener, plan, market, anchor.wallTime, anchor.zone, now.toString(), jsonOf(price)],
            });
            await insertMember(transaction, id, { listener, role }, now);
            return { action: 'subscribed', detail: { subscription: id, plan, market } };
          },
        });
        return subscriptionOf(transaction, id);
      }),
    changePlan: (id, doing, wish) =>
      change(id, doing, (transaction, before) => ({
        listeners: [],
        work: async (now) => {
          const { plan, role, price } = wish(before, now);
          const priced = jsonOf(price);
          const own = before.members.find(({ listener }) => listener === before.manager)?.role;
          const isSame = before.plan === plan && own === role;
          if (isSame && JSON.stringify(before.price) === JSON.stringify(price)) return undefined;
          await transaction.query({
            text: `update backline.subscriptions set plan = $2, price = $4,
                plan_since = case when plan = $2 then plan_since else $3 end,
                gives_since = case when plan = $2 then gives_since else $3 end
              where id = $1`,
            values: [id, plan, now.toString(), priced],
          });
          await transaction.query({
            text: 'update backline.subscription_members set role = $3 where subscription = $1 and listener = $2',
            values: [id, before.manager, role],
          });
          return { action: 'plan-changed', detail: { from: before.plan, to: plan } };
        },
      })),
    setStatus: (id, status, doing) =>
      change(
        id,
        doing,
        (transaction, before) => ({
          listeners: [],
          work: async (now) => {
            if (before.status === status) return undefined;
            const [endedAt, resumedAt] = ['ended', 'active'].map((one) => (status === one ? now.toString() : null));
            await transaction.query({
              text: `update backline.subscriptions set status = $2, ended_at = $3::timestamptz,
                gives_since = coalesce($4::timestamptz, gives_since) where id = $1`,
              values: [id, status, endedAt ?? null, resumedAt ?? null],
            });
            if (status === 'ended') {
              await transaction.query({
                text: 'delete from backline.subscription_members where subscription = $1',
                values: [id],
              });
            }
            return { action: status === 'active' ? 'resumed' : status, detail: { from: before.status } };
          },
        }),
        status === 'ended',
      ),
  };
}

/** Writes of members. */
function memberWrites({ change }: Writes): Pick<SubjectStore, 'addMember' | 'removeMember'> {
  return {
    addMember: (id, listener, doing, wish) =>
      change(id, doing, (transaction, before) => ({
        listeners: [listener],
        work: async (now, facts) => {
          const { role, seats } = wish(before);
          const member = before.members.find((one) => one.listener === listener);
          if (member?.role === role) return undefined;
          if (member === undefined) {
            const other = facts.find((one) => one.listener === listener);
            if (other?.subscription !== undefined) throw alreadySubscribed(other);
            if (before.members.length >= seats) throw noSeat(before, seats);
            await insertMember(transaction, id, { listener, role }, now);
            return { action: 'member-added', detail: { listener, role } };
          }
          await transaction.query({
            text: 'update backline.subscription_members set role = $3 where subscription = $1 and listener = $2',
            values: [id, listener, role],
          });
          return { action: 'role-changed', detail: { listener, from: member.role, role } };
        },
      })),
    removeMember: (id, listener, doing) =>
      change(id, doing, (transaction, before) => ({
        listeners: [listener],
        work: async () => {
          if (!before.members.some((member) => member.listener === listener)) return undefined;
          if (listener === before.manager) throw managerStays(id, listener);
          await transaction.query({
            text: 'delete from backline.subscription_members where subscription = $1 and listener = $2',
            values: [id, listener],
          });
          return { action: 'member-removed', detail: { listener } };
        },
      })),
  };
}

async function insertMember(
  { query }: Queryable,
  id: string,
  { listener, role }: { readonly listener: string; readonly role: string },
  now: Temporal.Instant,
): Promise<void> {
  await query({
    text: 'insert into backline.subscription_members (listener, subscription, role, since) values ($1, $2, $3, $4)',
    values: [listener, id, role, now.toString()],
  });
}

function alreadySubscribed({ listener, subscription }: SubjectFacts): Refusal {
  const { id, manager, status } = subscription ?? {};
  const isOwn = manager === listener;
  const what = status === 'lapsed' ? `subscription "${id}", which has lapsed` : `subscription "${id}" already`;
  return productRefusal(
    'already-subscribed',
    `Listener "${listener}" is on ${what}${isOwn ? '' : ', which another listener pays'}.`,
    {
      remedy: isOwn
        ? 'Change its plan, or end it first.'
        : 'Remove the listener from it first (/v1/subscriptions/members/remove).',
    },
  );
}

function noSeat({ id, plan }: Subscription, seats: number): Refusal {
  return productRefusal(
    'no-seat',
    `Subscription "${id}" has ${seats} ${seats === 1 ? 'seat' : 'seats'} on plan ${plan}, and all are taken.`,
    { remedy: 'Remove a member, or change to a plan with more seats.' },
  );
}

function managerStays(id: string, listener: string): Refusal {
  return productRefusal('manager-stays', `Listener "${listener}" pays for subscription "${id}".`);
}

function subscriptionEnded(id: string): Refusal {
  return productRefusal('subscription-ended', `Subscription "${id}" has ended.`);
}
