import { productRefusal } from '#domains/products/refusals.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type {
  FormerTerms,
  GrantFacts,
  GrantTerms,
  OverrideFacts,
  PendingMoves,
  SubjectFacts,
  SubscriptionFacts,
} from '../rules/subject-facts.ts';
import type { GrantRecord, OverrideRecord, SubjectRecord, Subscription } from './contract.ts';

interface SubscriptionRow {
  readonly id: string;
  readonly manager: string;
  readonly household: string;
  readonly plan: string;
  readonly market: string;
  readonly status: Subscription['status'];
  readonly anchor_wall: string;
  readonly anchor_zone: string;
  readonly plan_since: Temporal.Instant;
  readonly gives_since: Temporal.Instant;
  readonly started_at: Temporal.Instant;
  readonly ended_at: Temporal.Instant | null;
  readonly price: unknown;
}

interface MemberRow {
  readonly role: string;
  readonly since: Temporal.Instant;
  readonly moves: readonly PendingMoves[] | null;
}

export interface GrantRow {
  readonly id: string;
  readonly add_on: string;
  readonly feature: string;
  readonly amount: number;
  readonly created_at: Temporal.Instant;
  readonly valid_from: Temporal.Instant;
  readonly valid_until: Temporal.Instant | null;
  readonly anchor_wall: string | null;
  readonly anchor_zone: string | null;
  readonly terms: GrantTerms | null;
}

export interface OverrideRow {
  readonly id: string;
  readonly feature: string;
  readonly max_units: string | null;
  readonly value: unknown;
  readonly reason: string;
  readonly until_at: Temporal.Instant;
}

const SUBSCRIPTION = `s.id, s.manager, s.household, s.plan, s.market, s.status, s.anchor_wall, s.anchor_zone,
  s.plan_since, s.gives_since, s.started_at, s.ended_at, s.price`;
export const GRANT =
  'id, add_on, feature, amount, created_at, valid_from, valid_until, anchor_wall, anchor_zone, terms';
export const OVERRIDE = 'id, feature, max_units, value, reason, until_at';
/** Changes shown per listener, the latest first. */
const CHANGES_SHOWN = 100;

export async function subscriptionOf({ query }: Queryable, id: string): Promise<Subscription> {
  const [row] = await query<SubscriptionRow>({
    text: `select ${SUBSCRIPTION} from backline.subscriptions s where s.id = $1`,
    values: [id],
  });
  if (row === undefined) {
    throw productRefusal('no-subscription', `There is no subscription "${id}".`);
  }
  const members = await query<{ listener: string; role: string; since: Temporal.Instant }>({
    text: 'select listener, role, since from backline.subscription_members where subscription = $1 order by since, listener',
    values: [id],
  });
  return {
    id,
    manager: row.manager,
    household: row.household,
    plan: row.plan,
    market: row.market,
    status: row.status,
    anchor: { wallTime: row.anchor_wall, zone: row.anchor_zone },
    planSince: row.plan_since.toString(),
    startedAt: row.started_at.toString(),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at.toString() }),
    ...(row.price === null ? {} : { price: row.price }),
    members: members.map(({ listener, role, since }) => ({ listener, role, since: since.toString() })),
  };
}

/**
 * Reads the facts of these listeners, in order. Most have nothing on record, which the row of the version shows: every change of
 * a record makes one. It is read before the rest, so what is read is at least as new as the version that answers name. Pending moves
 * are read in the same statement as the terms they belong to.
 */
export async function factsOf({ query }: Queryable, listeners: readonly string[]): Promise<readonly SubjectFacts[]> {
  const versions = await query<Of<{ version: number }>>({
    name: 'subject-versions',
    text: 'select listener, version from backline.subjects where listener = any ($1::text[])',
    values: [listeners],
  });
  if (versions.length === 0) return listeners.map(nothingOnRecord);
  const values = [versions.map(({ listener }) => listener)];
  const [subscriptions, formers, grants, overrides] = await Promise.all([
    query<Of<SubscriptionRow & MemberRow>>({
      name: 'subject-subscriptions',
      text: `select m.listener, ${SUBSCRIPTION}, m.role, m.since, (
          select json_agg(json_build_object('number', number, 'subject', subject,
            'changedAtMs', floor(extract(epoch from at) * 1000)::bigint, 'moves', moves) order by number)
          from backline.use_moves where owner in (m.listener, s.household)
        ) as moves
        from backline.subscription_members m join backline.subscriptions s on s.id = m.subscription
        where m.listener = any ($1::text[])`,
      values,
    }),
    query<Of<FormerRow>>({
      name: 'subject-formers',
      text: `select listener, since_at, until_at, subscription, manager, household, plan, market, role, anchor_wall, anchor_zone
        from backline.former_terms where listener = any ($1::text[]) order by number desc`,
      values,
    }),
    query<Of<GrantRow>>({
      name: 'subject-grants',
      text: `select listener, ${GRANT} from backline.grants
        where listener = any ($1::text[]) and spent_at is null order by id`,
      values,
    }),
    query<Of<OverrideRow>>({
      name: 'subject-overrides',
      text: `select listener, ${OVERRIDE} from backline.overrides where listener = any ($1::text[]) order by id`,
      values,
    }),
  ]);
  const known = new Map(versions.map(({ listener, version }) => [listener, version]));
  return listeners.map((listener): SubjectFacts => {
    const version = known.get(listener);
    if (version === undefined) return nothingOnRecord(listener);
    const of = <Row extends { readonly listener: string }>(rows: readonly Row[]) =>
      rows.filter((row) => row.listener === listener);
    const [subscription] = of(subscriptions);
    return {
      listener,
      version,
      subscription: subscription === undefined ? undefined : subscriptionFacts(subscription),
      formers: of(formers).map(formerTerms),
      grants: of(grants).map(grantFacts),
      overrides: of(overrides).map(overrideFacts),
      moves: subscription?.moves ?? [],
    };
  });
}

const NONE: readonly never[] = [];

/** The facts of a listener without a record. */
export function nothingOnRecord(listener: string): SubjectFacts {
  return { listener, version: 0, subscription: undefined, formers: NONE, grants: NONE, overrides: NONE, moves: NONE };
}

type Of<Row> = Row & { readonly listener: string };

interface FormerRow {
  readonly since_at: Temporal.Instant;
  readonly until_at: Temporal.Instant;
  readonly subscription: string;
  readonly manager: string;
  readonly household: string;
  readonly plan: string;
  readonly market: string;
  readonly role: string;
  readonly anchor_wall: string;
  readonly anchor_zone: string;
}

function formerTerms(row: FormerRow): FormerTerms {
  const { subscription: id, manager, household, plan, market, role, anchor_wall: wallTime, anchor_zone: zone } = row;
  const [sinceMs, untilMs] = [row.since_at.epochMilliseconds, row.until_at.epochMilliseconds];
  const anchor = { wallTime, zone };
  const since = { givesSinceMs: sinceMs, memberSinceMs: sinceMs };
  return {
    sinceMs,
    untilMs,
    subscription: { id, manager, household, plan, market, role, anchor, status: 'active', ...since },
  };
}

function subscriptionFacts(row: SubscriptionRow & MemberRow): SubscriptionFacts {
  return {
    id: row.id,
    plan: row.plan,
    market: row.market,
    role: row.role,
    manager: row.manager,
    household: row.household,
    status: row.status === 'active' ? 'active' : 'lapsed',
    anchor: { wallTime: row.anchor_wall, zone: row.anchor_zone },
    givesSinceMs: row.gives_since.epochMilliseconds,
    memberSinceMs: row.since.epochMilliseconds,
  };
}

function grantFacts(row: GrantRow): GrantFacts {
  const { anchor_wall: wallTime, anchor_zone: zone } = row;
  return {
    id: row.id,
    addOn: row.add_on,
    feature: row.feature,
    amount: row.amount,
    createdMs: row.created_at.epochMilliseconds,
    validFromMs: row.valid_from.epochMilliseconds,
    validUntilMs: row.valid_until?.epochMilliseconds,
    anchor: wallTime === null || zone === null ? undefined : { wallTime, zone },
    terms: row.terms ?? undefined,
  };
}

function overrideFacts(row: OverrideRow): OverrideFacts {
  return {
    id: row.id,
    feature: row.feature,
    limit: limitOf(row),
    value: row.value ?? undefined,
    reason: row.reason,
    untilMs: row.until_at.epochMilliseconds,
  };
}

function limitOf({ max_units: text }: OverrideRow): number | 'unlimited' | undefined {
  if (text === null) return undefined;
  return text === 'unlimited' ? text : Number(text);
}

export function grantRecord(row: GrantRow): GrantRecord {
  return {
    id: row.id,
    addOn: row.add_on,
    feature: row.feature,
    amount: row.amount,
    validFrom: row.valid_from.toString(),
    ...(row.valid_until === null ? {} : { validUntil: row.valid_until.toString() }),
    recurring: row.anchor_wall !== null,
  };
}

export function overrideRecord(row: OverrideRow): OverrideRecord {
  const limit = limitOf(row);
  return {
    id: row.id,
    feature: row.feature,
    ...(limit === undefined ? {} : { limit }),
    ...(row.value === null ? {} : { value: row.value }),
    reason: row.reason,
    until: row.until_at.toString(),
  };
}

export async function recordOf(database: Queryable, listener: string): Promise<SubjectRecord> {
  const [{ version, subscription } = { version: 0, subscription: undefined }] = await factsOf(database, [listener]);
  const values = [listener];
  const [grants, overrides, changes] = await Promise.all([
    database.query<GrantRow>({
      text: `select ${GRANT} from backline.grants where listener = $1 order by created_at, id`,
      values,
    }),
    database.query<OverrideRow>({
      text: `select ${OVERRIDE} from backline.overrides where listener = $1 order by created_at, id`,
      values,
    }),
    database.query<{ at: Temporal.Instant; author: string; action: string; detail: unknown }>({
      text: `select at, author, action, detail from backline.subject_changes where listener = $1
        order by number desc limit ${CHANGES_SHOWN}`,
      values,
    }),
  ]);
  return {
    listener,
    version,
    ...(subscription === undefined ? {} : { subscription: await subscriptionOf(database, subscription.id) }),
    grants: grants.map(grantRecord),
    overrides: overrides.map(overrideRecord),
    changes: changes.map(({ at, author, action, detail }) => ({ at: at.toString(), by: author, action, detail })),
  };
}
