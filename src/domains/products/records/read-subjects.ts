import { Refusal } from '#kernel/base/failures.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { GrantFacts, OverrideFacts, SubjectFacts, SubscriptionFacts } from '../rules/subject-facts.ts';
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
export const GRANT = 'id, add_on, feature, amount, created_at, valid_from, valid_until, anchor_wall, anchor_zone';
export const OVERRIDE = 'id, feature, max_units, value, reason, until_at';
/** Changes that are shown of one listener, the latest first. */
const CHANGES_SHOWN = 100;

export async function subscriptionOf({ query }: Queryable, id: string): Promise<Subscription> {
  const [row] = await query<SubscriptionRow>({
    text: `select ${SUBSCRIPTION} from backline.subscriptions s where s.id = $1`,
    values: [id],
  });
  if (row === undefined) {
    throw new Refusal('products/no-subscription', 'NotFound', `There is no subscription "${id}".`);
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

export async function factsOf({ query }: Queryable, listener: string): Promise<SubjectFacts> {
  const [[subject], [subscription], grants, overrides] = await Promise.all([
    query<{ version: number }>({
      name: 'subject-version',
      text: 'select version from backline.subjects where listener = $1',
      values: [listener],
    }),
    query<SubscriptionRow & MemberRow>({
      name: 'subject-subscription',
      text: `select ${SUBSCRIPTION}, m.role, m.since from backline.subscription_members m
        join backline.subscriptions s on s.id = m.subscription where m.listener = $1`,
      values: [listener],
    }),
    query<GrantRow>({
      name: 'subject-grants',
      text: `select ${GRANT} from backline.grants where listener = $1 order by id`,
      values: [listener],
    }),
    query<OverrideRow>({
      name: 'subject-overrides',
      text: `select ${OVERRIDE} from backline.overrides where listener = $1 order by id`,
      values: [listener],
    }),
  ]);
  return {
    listener,
    version: subject?.version ?? 0,
    subscription: subscription === undefined ? undefined : subscriptionFacts(subscription),
    grants: grants.map(grantFacts),
    overrides: overrides.map(overrideFacts),
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
  const { version, subscription } = await factsOf(database, listener);
  const values = [listener];
  const [grants, overrides, changes] = await Promise.all([
    database.query<GrantRow>({
      text: `select ${GRANT} from backline.grants where listener = $1 order by created_at`,
      values,
    }),
    database.query<OverrideRow>({
      text: `select ${OVERRIDE} from backline.overrides where listener = $1 order by created_at`,
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
