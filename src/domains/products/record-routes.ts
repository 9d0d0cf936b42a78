import { hash } from 'node:crypto';
import { Type, type TSchema } from 'typebox';
import { Refusal } from '#kernel/base/failures.ts';
import { defineRoute, type DecisionRoute } from '#kernel/snapshots/module.ts';
import { marketAt, planNamed, rowOf, grantsOf, unknown } from './decisions/lookup.ts';
import { movesAtChange } from './decisions/plan-change.ts';
import { prices } from './decisions/prices.ts';
import type { MarketTable, ProductsTable } from './decisions/table.ts';
import { soldIn, type PlanSpec } from './kinds/plan.ts';
import type { Doing, SubjectStore, Subscription } from './records/contract.ts';
import { isFault } from './rules/fault.ts';
import { isZone, parseInstant, parseWallTime } from './rules/times.ts';
import { requireDesk, type Desk } from './usage-desk.ts';

const NAME_LENGTH_MAX = 253;
const REASON_LENGTH_MAX = 500;
const LIMIT_MAX = 1_000_000_000_000;
/** Longer than that, what somebody is given by hand should be a plan. */
const OVERRIDE_DAYS_MAX = 366;
/** Months are counted from it in both directions; one that is further away is a slip of a key. */
const ANCHOR_YEARS_MAX = 10;

const name = (description: string) => Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX, description });
const text = (description: string) => Type.Optional(name(description));
const input = <Properties extends Record<string, TSchema>>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

/** Where the record of a listener is read, and how it is named. */
export const RECORD = { input: 'listener', path: '/v1/subjects' } as const;

const KEY = {
  key: name('Names this request for good: sent again under the same key, it changes nothing and answers the same.'),
};
const ID = { subscription: name('Id of the subscription.') };
const answer = (description: string) => Type.Object({}, { additionalProperties: true, description });
const SUBSCRIPTION = answer('The subscription as it is now.');

/**
 * Records of listeners: who has which plan, what was bought beside it, what was given by hand. For server clients, and for
 * people who may post to the path.
 */
export function recordRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const store = (): SubjectStore => requireDesk(desk).subjects;
  const change = <Input extends TSchema>(
    route: Pick<Parameters<typeof defineRoute<ProductsTable, Input>>[0], 'path' | 'summary' | 'input' | 'handle'>,
  ): DecisionRoute<ProductsTable> => defineRoute({ ...route, access: 'write', forServers: true, answer: SUBSCRIPTION });

  return [
    defineRoute({
      path: RECORD.path,
      access: 'records',
      recordOf: RECORD,
      summary: 'Everything that is on record for a listener, with who changed it when.',
      forServers: true,
      input: input({ listener: name('Id of the listener.') }),
      answer: answer('The subscription, grants, overrides, and the latest changes.'),
      handle: (_table: ProductsTable, { listener }) => store().read(listener),
    }),
    change({
      path: '/v1/subscriptions',
      summary: 'Begins a subscription. The price is agreed on at this moment, and kept with it.',
      input: input({
        listener: name('Who pays.'),
        plan: name('Name of the Plan.'),
        market: text('Name of the Market. This or territory is needed.'),
        territory: text('ISO 3166 code, like DE.'),
        channel: text('Where it is bought, like web. Absent: the first of the market.'),
        interval: text('What one payment covers, like P1M. Absent: a month.'),
        anchor: text('Wall-clock time from which its months are counted, like 2026-01-31T15:00:00. Absent: now.'),
        zone: text('IANA zone of the anchor. Absent: that of the market.'),
        ...KEY,
      }),
      handle: (table: ProductsTable, wish, now, by) => {
        const market = marketAt(table, wish);
        const { spec, name: plan } = planNamed(table, wish.plan);
        requireOpen(spec, plan, market);
        const zone = zoneNamed(wish.zone ?? market.spec.zone);
        const price = agreedPrice(table, market, plan, wish, now);
        return store().subscribe(
          {
            listener: wish.listener,
            plan,
            market: market.name,
            role: spec.roles[0] ?? '',
            anchor: { wallTime: wallTime(wish.anchor, zone, now), zone },
            ...(price === undefined ? {} : { price }),
          },
          { by, key: wish.key, now },
        );
      },
    }),
    change({
      path: '/v1/subscriptions/plan',
      summary: 'Changes the plan of a subscription. Use in the current windows goes along as each Cap says.',
      input: input({ ...ID, plan: name('Name of the Plan.'), ...KEY }),
      handle: async (table: ProductsTable, { subscription, plan, key }, now, by) => {
        const doing: Doing = { by, key, now };
        const before = await store().subscription(subscription);
        const { spec } = planNamed(table, plan);
        const market = marketAt(table, { market: before.market });
        if (plan !== before.plan) requireOpen(spec, plan, market);
        if (before.members.length > spec.seats) throw tooFewSeats(before, plan, spec);
        const price = agreedPrice(table, market, plan, {}, now);
        const role = spec.roles[0];
        // First, and under a key of its own: whoever tries again after a crash finds it done, and the plan still to change.
        if (desk !== undefined && plan !== before.plan) await carryUse(desk, table, before, { plan, role }, doing);
        return store().changePlan(
          subscription,
          { plan, ...(role === undefined ? {} : { role }), ...(price === undefined ? {} : { price }) },
          doing,
        );
      },
    }),
    ...(['lapse', 'resume', 'end'] as const).map((action) =>
      change({
        path: `/v1/subscriptions/${action}`,
        summary: {
          lapse: 'Lets a subscription rest: it gives nothing, and what was bought beside it waits and ages.',
          resume: 'Lets a lapsed subscription give again.',
          end: 'Ends a subscription for good.',
        }[action],
        input: input({ ...ID, ...KEY }),
        handle: (_table: ProductsTable, { subscription, key }, now, by) =>
          store().setStatus(subscription, STATUS_AFTER[action], { by, key, now }),
      }),
    ),
    change({
      path: '/v1/subscriptions/members',
      summary: 'Takes a listener onto a subscription, as far as there are seats.',
      input: input({
        ...ID,
        listener: name('Who joins.'),
        role: text('A role of the plan. Absent: the last of the plan.'),
        ...KEY,
      }),
      handle: async (table: ProductsTable, { subscription, listener, role, key }, now, by) => {
        const { plan, market } = await store().subscription(subscription);
        const { spec } = planNamed(table, plan);
        const given = role ?? spec.roles.at(-1) ?? '';
        rowOf(grantsOf(marketAt(table, { market }), plan), plan, given);
        return store().addMember(subscription, { listener, role: given }, spec.seats, { by, key, now });
      },
    }),
    change({
      path: '/v1/subscriptions/members/remove',
      summary: 'Takes a listener off a subscription.',
      input: input({ ...ID, listener: name('Who leaves.'), ...KEY }),
      handle: (_table: ProductsTable, { subscription, listener, key }, now, by) =>
        store().removeMember(subscription, listener, { by, key, now }),
    }),
    change({
      path: '/v1/overrides',
      summary: 'Gives a listener something by hand, for a reason and a time.',
      input: input({
        listener: name('Who gets it.'),
        feature: name('Name of the Feature.'),
        limit: Type.Optional(
          Type.Union([Type.Integer({ minimum: 0, maximum: LIMIT_MAX }), Type.Literal('unlimited')], {
            description: 'In place of the limit of the plan.',
          }),
        ),
        value: Type.Optional(Type.Unknown({ description: 'In place of the value of the plan.' })),
        reason: Type.String({ minLength: 3, maxLength: REASON_LENGTH_MAX, description: 'Why; others will read it.' }),
        until: Type.String({ format: 'date-time', description: 'When it ends.' }),
        ...KEY,
      }),
      handle: (table: ProductsTable, wish, now, by) => {
        const feature = table.features.get(wish.feature);
        if (feature === undefined) throw unknown('feature', wish.feature, table.features.keys());
        const { limit, value, listener, reason } = wish;
        if ((limit === undefined) === (value === undefined)) {
          throw invalid('limit', 'An override has either a limit or a value.');
        }
        const untilMs = parseInstant(wish.until);
        if (isFault(untilMs)) throw invalid('until', untilMs.fault);
        const until = Temporal.Instant.fromEpochMilliseconds(untilMs);
        const days = (untilMs - now.epochMilliseconds) / 86_400_000;
        if (days <= 0 || days > OVERRIDE_DAYS_MAX) {
          throw invalid('until', `It must end within ${OVERRIDE_DAYS_MAX} days from now, and not before.`);
        }
        const given = { ...(limit === undefined ? {} : { limit }), ...(value === undefined ? {} : { value }) };
        return store().override(
          { listener, feature: feature.name, reason, until, ...given },
          { by, key: wish.key, now },
        );
      },
    }),
  ];
}

/** Takes the use of everybody on a subscription along to another plan, as the caps of that plan say. */
async function carryUse(
  { subjects, quotas }: Desk,
  table: ProductsTable,
  { manager, members }: Subscription,
  to: { readonly plan: string; readonly role: string | undefined },
  { key, now }: Doing,
): Promise<void> {
  for (const { listener } of members) {
    const facts = await subjects.facts(listener);
    const { subscription } = facts;
    if (subscription === undefined) continue;
    const role = listener === manager ? (to.role ?? subscription.role) : subscription.role;
    const givesSinceMs = now.epochMilliseconds;
    const after = { ...facts, subscription: { ...subscription, plan: to.plan, role, givesSinceMs } };
    const moves = movesAtChange(table, { question: {}, facts }, { question: {}, facts: after }, givesSinceMs);
    for (const move of moves) await quotas.carry({ ...move, key: carryKey(key) });
  }
}

/** Each subject has keys of its own; the caller's may be as long as a key can be. */
function carryKey(key: string): string {
  return `carry ${hash('sha256', key, 'base64url')}`;
}

const STATUS_AFTER = { lapse: 'lapsed', resume: 'active', end: 'ended' } as const;

/** Refuses `products/plan-closed` for a plan that new listeners cannot have here. */
function requireOpen(spec: PlanSpec, plan: string, market: MarketTable): void {
  const why = !soldIn(spec, market.name)
    ? `it is not sold in ${market.spec.title}`
    : spec.openTo === 'existing'
      ? 'it is closed for new sign-ups'
      : undefined;
  if (why === undefined) return;
  throw new Refusal('products/plan-closed', 'Conflict', `Plan "${plan}" cannot be begun: ${why}.`, {
    remedy: 'See /v1/prices for the plans that can be bought here.',
  });
}

/** The price of the moment with its revision, for plans that have one. */
function agreedPrice(
  table: ProductsTable,
  market: MarketTable,
  plan: string,
  { channel = market.defaultChannel, interval = 'P1M' }: { readonly channel?: string; readonly interval?: string },
  now: Temporal.Instant,
): object | undefined {
  const [price] = prices(table, { market: market.name, plan, channel, interval }, now).prices;
  if (price?.amount === undefined) return undefined;
  const series = [...market.series.values()].find(
    (each) => each.plan === plan && each.channel === channel && each.interval === interval,
  );
  const { amount, currency, minor, exponent } = price;
  return { amount, currency, minor, exponent, channel, interval, at: now.toString(), sources: series?.sources ?? [] };
}

function tooFewSeats({ id, members }: Subscription, plan: string, { seats }: PlanSpec): Refusal {
  return new Refusal(
    'products/no-seat',
    'Conflict',
    `Subscription "${id}" has ${members.length} members, and plan "${plan}" has ${seats} ${seats === 1 ? 'seat' : 'seats'}.`,
    { remedy: 'Take members off it first.' },
  );
}

function zoneNamed(zone: string): string {
  if (isZone(zone)) return zone;
  throw invalid('zone', `"${zone}" is no time zone of the IANA database, like Europe/Berlin.`);
}

function wallTime(given: string | undefined, zone: string, now: Temporal.Instant): string {
  if (given === undefined) {
    return now.toZonedDateTimeISO(zone).toPlainDateTime().toString({ smallestUnit: 'second' });
  }
  const read = parseWallTime(given);
  if (isFault(read)) throw invalid('anchor', read.fault);
  const latest = now.toZonedDateTimeISO(zone).add({ years: ANCHOR_YEARS_MAX }).toPlainDateTime();
  if (Temporal.PlainDateTime.compare(read, latest) <= 0) return read;
  throw invalid('anchor', `"${given}" is more than ${ANCHOR_YEARS_MAX} years from now.`);
}

function invalid(field: string, detail: string): Refusal {
  return new Refusal('products/invalid-record', 'Invalid', `${field}: ${detail}`, {
    problems: [{ path: [field], reason: 'FieldValueInvalid', detail }],
  });
}
