import { randomUUID } from 'node:crypto';
import { Refusal } from '#kernel/base/failures.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import type { Doing, SubjectStore, Subscription } from './contract.ts';
import {
  factsOf,
  GRANT,
  grantRecord,
  OVERRIDE,
  overrideRecord,
  recordOf,
  subscriptionOf,
  type GrantRow,
  type OverrideRow,
} from './read-subjects.ts';

/** What a change did; undefined where all was so already, which is no change. */
interface Done {
  readonly action: string;
  readonly detail: object;
  /** Listeners that it is about besides those on the subscription. */
  readonly also?: readonly string[];
}

export function subjectStore(database: Database): SubjectStore {
  return {
    facts: (listener) => factsOf(database, listener),
    read: (listener) => recordOf(database, listener),
    subscription: (id) => subscriptionOf(database, id),
    subscribe: (wish, doing) =>
      once(doing, 'subscriptions', async (connection, known) => {
        if (known !== undefined) return subscriptionOf(connection, known);
        const { listener, plan, market, role, anchor, price } = wish;
        await touch(connection, [listener]);
        const [other] = await connection.query<{ subscription: string }>({
          text: 'select subscription from backline.subscription_members where listener = $1',
          values: [listener],
        });
        if (other !== undefined) {
          throw new Refusal(
            'products/already-subscribed',
            'Conflict',
            `Listener "${listener}" is on subscription "${other.subscription}" already.`,
            { remedy: 'Change the plan of that one, or end it first.' },
          );
        }
        const id = randomUUID();
        const now = doing.now.toString();
        await connection.query({
          text: `insert into backline.subscriptions
            (id, manager, household, plan, market, status, anchor_wall, anchor_zone, plan_since, gives_since, started_at, price,
              key)
            values ($1, $2, $2, $3, $4, 'active', $5, $6, $7, $7, $7, $8, $9)`,
          values: [id, listener, plan, market, anchor.wallTime, anchor.zone, now, jsonOf(price), doing.key],
        });
        await insertMember(connection, id, listener, role, now);
        await note(connection, [listener], doing, 'subscribed', { subscription: id, plan, market });
        return subscriptionOf(connection, id);
      }),
    changePlan: (id, { plan, role, price }, doing) =>
      change(id, doing, async (connection, before) => {
        const managerRole = before.members.find(({ listener }) => listener === before.manager)?.role;
        if (before.plan === plan && (role === undefined || role === managerRole)) return undefined;
        await connection.query({
          text: `update backline.subscriptions
            set plan = $2, plan_since = $3, gives_since = $3, price = coalesce($4, price) where id = $1`,
          values: [id, plan, doing.now.toString(), jsonOf(price)],
        });
        if (role !== undefined) {
          await connection.query({
            text: 'update backline.subscription_members set role = $3 where subscription = $1 and listener = $2',
            values: [id, before.manager, role],
          });
        }
        return { action: 'plan-changed', detail: { from: before.plan, to: plan } };
      }),
    setStatus: (id, status, doing) =>
      change(id, doing, async (connection, before) => {
        if (before.status === status) return undefined;
        if (before.status === 'ended' && status !== 'ended') {
          throw new Refusal('products/subscription-ended', 'Conflict', `Subscription "${id}" has ended.`, {
            remedy: 'Begin a new one.',
          });
        }
        const [ended, resumed] = ['ended', 'active'].map((one) => (status === one ? doing.now.toString() : null));
        await connection.query({
          text: `update backline.subscriptions
            set status = $2, ended_at = coalesce(ended_at, $3::timestamptz), gives_since = coalesce($4::timestamptz, gives_since)
            where id = $1`,
          values: [id, status, ended ?? null, resumed ?? null],
        });
        if (status === 'ended') {
          await connection.query({
            text: 'delete from backline.subscription_members where subscription = $1',
            values: [id],
          });
        }
        return { action: status === 'active' ? 'resumed' : status, detail: { from: before.status } };
      }),
    addMember: (id, { listener, role }, seats, doing) =>
      change(id, doing, async (connection, before) => {
        if (before.members.some((member) => member.listener === listener && member.role === role)) {
          return undefined;
        }
        if (before.members.length >= seats) {
          throw new Refusal(
            'products/no-seat',
            'Conflict',
            `Subscription "${id}" has ${seats} ${seats === 1 ? 'seat' : 'seats'} by its plan ${before.plan}, and all are taken.`,
            { remedy: 'Take a member off it, or change to a plan with more seats.' },
          );
        }
        await touch(connection, [listener]);
        await insertMember(connection, id, listener, role, doing.now.toString());
        return { action: 'member-added', detail: { listener, role }, also: [listener] };
      }),
    removeMember: (id, listener, doing) =>
      change(id, doing, async (connection, before) => {
        if (!before.members.some((member) => member.listener === listener)) return undefined;
        if (listener === before.manager) {
          throw new Refusal(
            'products/manager-stays',
            'Conflict',
            `Listener "${listener}" pays for subscription "${id}".`,
            {
              remedy: 'End the subscription instead.',
            },
          );
        }
        await connection.query({
          text: 'delete from backline.subscription_members where subscription = $1 and listener = $2',
          values: [id, listener],
        });
        return { action: 'member-removed', detail: { listener }, also: [listener] };
      }),
    grant: (wish, doing) =>
      once(doing, 'grants', async (connection, known) => {
        const id = known ?? randomUUID();
        if (known === undefined) {
          const { listener, addOn, feature, amount, validFrom, validUntil, anchor, price } = wish;
          await touch(connection, [listener]);
          await connection.query({
            text: `insert into backline.grants (${GRANT}, listener, price, key)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
            values: [
              id,
              addOn,
              feature,
              amount,
              doing.now.toString(),
              validFrom.toString(),
              validUntil?.toString() ?? null,
              anchor?.wallTime ?? null,
              anchor?.zone ?? null,
              listener,
              jsonOf(price),
              doing.key,
            ],
          });
          await note(connection, [listener], doing, 'granted', { grant: id, addOn, feature, amount });
        }
        const [row] = await connection.query<GrantRow>({
          text: `select ${GRANT} from backline.grants where id = $1`,
          values: [id],
        });
        if (row === undefined) throw new Error(`grant ${id} is gone`);
        return grantRecord(row);
      }),
    override: (wish, doing) =>
      once(doing, 'overrides', async (connection, known) => {
        const id = known ?? randomUUID();
        if (known === undefined) {
          const { listener, feature, limit, value, reason, until } = wish;
          await touch(connection, [listener]);
          await connection.query({
            text: `insert into backline.overrides (${OVERRIDE}, listener, created_at, key)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
            values: [
              id,
              feature,
              limit === undefined ? null : String(limit),
              jsonOf(value),
              reason,
              until.toString(),
              listener,
              doing.now.toString(),
              doing.key,
            ],
          });
          await note(connection, [listener], doing, 'overridden', {
            override: id,
            feature,
            ...(limit === undefined ? {} : { limit: String(limit) }),
            reason,
            until: until.toString(),
          });
        }
        const [row] = await connection.query<OverrideRow>({
          text: `select ${OVERRIDE} from backline.overrides where id = $1`,
          values: [id],
        });
        if (row === undefined) throw new Error(`override ${id} is gone`);
        return overrideRecord(row);
      }),
    erase: (listener) => erase(database, listener),
  };

  /** Does something once: with a key that was used before, `work` gets the id that it made then. */
  function once<Result>(
    { key }: Doing,
    table: 'subscriptions' | 'grants' | 'overrides',
    work: (connection: Queryable, known: string | undefined) => Promise<Result>,
  ): Promise<Result> {
    return database.transaction(async (connection) => {
      // Two with one key wait for each other.
      await connection.query({
        text: 'select pg_advisory_xact_lock(hashtextextended($1, 8))',
        values: [`${table} ${key}`],
      });
      const [known] = await connection.query<{ id: string }>({
        text: `select id from backline.${table} where key = $1`,
        values: [key],
      });
      return work(connection, known?.id);
    });
  }

  function change(
    id: string,
    doing: Doing,
    work: (connection: Queryable, before: Subscription) => Promise<Done | undefined>,
  ): Promise<Subscription> {
    return database.transaction(async (connection) => {
      await connection.query({ text: 'select 1 from backline.subscriptions where id = $1 for update', values: [id] });
      const before = await subscriptionOf(connection, id);
      const about = before.members.map(({ listener }) => listener);
      const done = await work(connection, before);
      if (done === undefined) return before;
      const { action, detail, also = [] } = done;
      const touched = [...new Set([before.manager, ...about, ...also])];
      await touch(connection, touched);
      await note(connection, touched, doing, action, { subscription: id, ...detail });
      return subscriptionOf(connection, id);
    });
  }
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** Counts the versions of listeners on; in one order, so that nobody waits in a circle. */
async function touch({ query }: Queryable, listeners: readonly string[]): Promise<void> {
  const values = [[...new Set(listeners)].sort()];
  await query({
    text: `insert into backline.subjects as s (listener) select * from unnest($1::text[]) order by 1
      on conflict (listener) do update set version = s.version + 1`,
    values,
  });
  await query({
    text: `select pg_notify('${CHANGES_CHANNEL}', listener) from unnest($1::text[]) as l (listener)`,
    values,
  });
}

/** Tells every process of whom something on record has changed, at the moment of the commit. */
export const CHANGES_CHANNEL = 'backline_subjects';

async function note(
  { query }: Queryable,
  listeners: readonly string[],
  { by, now }: Doing,
  action: string,
  detail: object,
): Promise<void> {
  await query({
    text: `insert into backline.subject_changes (at, listener, author, action, detail)
      select $1, listener, $2, $3, $4 from unnest($5::text[]) as l (listener)`,
    values: [now.toString(), by, action, JSON.stringify(detail), [...listeners]],
  });
}

async function insertMember(
  { query }: Queryable,
  id: string,
  listener: string,
  role: string,
  now: string,
): Promise<void> {
  const rows = await query({
    text: `insert into backline.subscription_members (listener, subscription, role, since) values ($1, $2, $3, $4)
      on conflict (listener) do update set role = excluded.role
      where backline.subscription_members.subscription = excluded.subscription returning listener`,
    values: [listener, id, role, now],
  });
  if (rows.length === 1) return;
  throw new Refusal('products/already-subscribed', 'Conflict', `Listener "${listener}" is on another subscription.`, {
    remedy: 'End that one, or take the listener off it.',
  });
}

function erase(database: Database, listener: string): Promise<number> {
  return database.transaction(async (connection) => {
    const { query } = connection;
    const values = [listener];
    // Those who shared what the listener paid for lose it.
    const others = await query<{ listener: string }>({
      text: `select m.listener from backline.subscription_members m join backline.subscriptions s on s.id = m.subscription
        where s.manager = $1 and m.listener <> $1`,
      values,
    });
    await touch(
      connection,
      others.map((other) => other.listener),
    );
    const deleted = [
      'delete from backline.subscriptions where manager = $1 returning 1',
      'delete from backline.subscription_members where listener = $1 returning 1',
      'delete from backline.grants where listener = $1 returning 1',
      'delete from backline.overrides where listener = $1 returning 1',
      `delete from backline.subject_changes where listener = $1 or detail ->> 'listener' = $1 returning 1`,
      'delete from backline.subjects where listener = $1 returning 1',
    ];
    await query({ text: `select pg_notify('${CHANGES_CHANNEL}', $1)`, values });
    let rows = 0;
    for (const text of deleted) rows += (await query({ text, values })).length;
    return rows;
  });
}
