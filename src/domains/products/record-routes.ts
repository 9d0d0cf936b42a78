import { Type, type TSchema } from 'typebox';
import type { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from './refusals.ts';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import { answerOf } from './answers.ts';
import { marketAt, planNamed, unknown } from './decisions/lookup.ts';
import { movesToNow } from './decisions/plan-change.ts';
import { windowAt } from './decisions/price-series.ts';
import { prices, seriesFor, usualPrice } from './decisions/prices.ts';
import type { MarketTable, ProductsTable } from './decisions/table.ts';
import type { FeatureSpec } from './kinds/feature.ts';
import { isSoldIn, type PlanSpec } from './kinds/plan.ts';
import type { NewPlan, NewSubscription, SubjectStore, Subscription, TermsWrite } from './records/contract.ts';
import { isFault } from './rules/fault.ts';
import { isZone, parseInstant, parseWallTime } from './rules/times.ts';
import { valueFault } from './rules/value-schema.ts';
import { carryNow, requireDesk, type Desk } from './usage-desk.ts';
import { input, KEY, name, text } from './usage-route.ts';

const REASON_LENGTH_MAX = 500;
const LIMIT_MAX = 1_000_000_000_000;
/** A longer override should be a plan. */
const OVERRIDE_DAYS_MAX = 366;
/** Months are counted from the anchor in both directions; a more distant anchor is a typing error. */
const ANCHOR_YEARS_MAX = 10;

/** Path of a listener's record, and the input that names the listener. */
export const RECORD = { input: 'listener', path: '/v1/subjects' } as const;

const ID = { subscription: name('Id of the subscription.') };
const BOUGHT = {
  channel: text('Sales channel, like web. Absent: the previous one, or the first of the market.'),
  interval: text('Billing interval, like P1M. Absent: the previous one, or a month.'),
  currency: text(
    'ISO 4217 code, where the market has several at once. Absent: the previous one, or the default of the market.',
  ),
};

/**
 * Routes for listener records: subscriptions and overrides. For server clients, and for people who may post
 * to the path. Uses the database clock.
 */
export function recordRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const changeTerms = termsChanger(desk);
  return [
    defineRoute({
      path: RECORD.path,
      access: 'records',
      recordOf: RECORD,
      summary: 'Shows the full record of a listener, with its latest changes.',
      forServers: true,
      input: input({ listener: name('Id of the listener.') }),
      answer: answerOf(RECORD.path),
      handle: ({ listener }) => requireDesk(desk).subjects.read(listener),
    }),
    ...subscriptionRoutes(changeTerms),
    ...memberRoutes(changeTerms),
    ...overrideRoutes(() => requireDesk(desk).subjects),
  ];
}

/** Makes a route that changes records. */
function change<Input extends TSchema>(
  route: Pick<Parameters<typeof defineRoute<ProductsTable, Input>>[0], 'path' | 'summary' | 'input' | 'handle'>,
): DecisionRoute<ProductsTable> {
  return defineRoute({ ...route, access: 'write', forServers: true, answer: answerOf(route.path) });
}

/** Changes the terms of listeners and carries their use at once. */
type ChangeTerms = (
  path: string,
  wish: { readonly key: string },
  context: Pick<AnswerContext<ProductsTable>, 'table' | 'by'>,
  write: (store: SubjectStore, write: TermsWrite) => Promise<Subscription>,
) => Promise<Subscription>;

function termsChanger(desk: Desk | undefined): ChangeTerms {
  return async (path, { key, ...request }, { table, by }, write) => {
    const movesOf: TermsWrite['movesOf'] = (after, nowMs) => movesToNow(table, after, nowMs);
    const changed = await write(requireDesk(desk).subjects, { by, path, key, request, movesOf });
    await carryNow(requireDesk(desk), changed);
    return changed;
  };
}

function subscriptionRoutes(changeTerms: ChangeTerms): readonly DecisionRoute<ProductsTable>[] {
  return [
    change({
      path: '/v1/subscriptions',
      summary: 'Begins a subscription. It keeps the price of this moment.',
      input: input({
        listener: name('Who pays.'),
        plan: name('Name of the Plan.'),
        market: text('Name of the Market. Required unless territory is given.'),
        territory: text('ISO 3166 code, like DE.'),
        ...BOUGHT,
        anchor: text('Wall-clock time at which its months begin, like 2026-01-31T15:00:00. Absent: now.'),
        zone: text('IANA zone of the anchor. Absent: that of the market.'),
        ...KEY,
      }),
      handle: (wish, { table, by }: AnswerContext<ProductsTable>) =>
        changeTerms('/v1/subscriptions', wish, { table, by }, (at, write) =>
          at.subscribe(wish.listener, write, (now) => newSubscription(table, wish, now)),
        ),
    }),
    change({
      path: '/v1/subscriptions/plan',
      summary:
        'Changes the plan of a subscription. onPlanChange of each Cap decides how use of current windows counts.',
      input: input({ ...ID, plan: name('Name of the Plan.'), ...BOUGHT, ...KEY }),
      handle: (wish, { table, by }: AnswerContext<ProductsTable>) =>
        changeTerms('/v1/subscriptions/plan', wish, { table, by }, (at, write) =>
          at.changePlan(wish.subscription, write, (before, now) => newPlan(table, before, wish, now)),
        ),
    }),
    ...(['lapse', 'resume', 'end'] as const).map((action) =>
      change({
        path: `/v1/subscriptions/${action}`,
        summary: {
          lapse: 'Pauses a subscription: it gives nothing, and its grants are suspended while their time runs.',
          resume: 'Resumes a lapsed subscription.',
          end: 'Ends a subscription permanently.',
        }[action],
        input: input({ ...ID, ...KEY }),
        handle: (wish, { table, by }: AnswerContext<ProductsTable>) =>
          changeTerms(`/v1/subscriptions/${action}`, wish, { table, by }, (at, write) =>
            at.setStatus(wish.subscription, STATUS_AFTER[action], write),
          ),
      }),
    ),
  ];
}

function memberRoutes(changeTerms: ChangeTerms): readonly DecisionRoute<ProductsTable>[] {
  return [
    change({
      path: '/v1/subscriptions/members',
      summary: 'Adds a listener to a subscription with a free seat, or changes the role of a member.',
      input: input({
        ...ID,
        listener: name('Who joins.'),
        role: text('A role of the plan. Absent: the last of the plan.'),
        ...KEY,
      }),
      handle: (wish, { table, by }: AnswerContext<ProductsTable>) =>
        changeTerms('/v1/subscriptions/members', wish, { table, by }, (at, write) =>
          at.addMember(wish.subscription, wish.listener, write, ({ plan }) => seatFor(table, plan, wish.role)),
        ),
    }),
    change({
      path: '/v1/subscriptions/members/remove',
      summary: 'Removes a listener from a subscription.',
      input: input({ ...ID, listener: name('Who leaves.'), ...KEY }),
      handle: (wish, { table, by }: AnswerContext<ProductsTable>) =>
        changeTerms('/v1/subscriptions/members/remove', wish, { table, by }, (at, write) =>
          at.removeMember(wish.subscription, wish.listener, write),
        ),
    }),
  ];
}

function overrideRoutes(store: () => SubjectStore): readonly DecisionRoute<ProductsTable>[] {
  return [
    change({
      path: '/v1/overrides',
      summary: 'Overrides a limit or value for a listener, with a reason and an end.',
      input: input({
        listener: name('Id of the listener.'),
        feature: name('Name of the Feature.'),
        limit: Type.Optional(
          Type.Union([Type.Integer({ minimum: 0, maximum: LIMIT_MAX }), Type.Literal('unlimited')], {
            description: 'Replaces the limit of the plan, for a counted feature.',
          }),
        ),
        value: Type.Optional(
          Type.Unknown({ description: 'Replaces the value of the plan; true for a boolean feature.' }),
        ),
        reason: Type.String({
          minLength: 3,
          maxLength: REASON_LENGTH_MAX,
          description: 'Reason, shown to other operators.',
        }),
        until: Type.String({ format: 'date-time', description: 'When it ends.' }),
        ...KEY,
      }),
      handle: ({ key, ...request }, { table, by }: AnswerContext<ProductsTable>) =>
        store().override(request.listener, { by, path: '/v1/overrides', key, request }, (now) => {
          const { feature: wanted, limit, value, reason, until } = request;
          const feature = table.features.get(wanted);
          if (feature === undefined) throw unknown('feature', wanted, table.features.keys());
          requireFits(feature.spec, limit, value);
          const given = { ...(limit === undefined ? {} : { limit }), ...(value === undefined ? {} : { value }) };
          return { feature: feature.name, reason, until: overrideEnd(until, now), ...given };
        }),
    }),
    change({
      path: '/v1/overrides/end',
      summary: 'Ends an override. Its use stays counted.',
      input: input({ override: name('Id of the override.'), ...KEY }),
      handle: ({ key, ...request }, { by }) =>
        store().endOverride(request.override, { by, path: '/v1/overrides/end', key, request }),
    }),
  ];
}

/** Terms of a new subscription. */
function newSubscription(table: ProductsTable, wish: SubscriptionWish, now: Temporal.Instant): NewSubscription {
  const market = marketAt(table, wish);
  const { spec, name: plan } = planNamed(table, wish.plan);
  requireOpen(spec, plan, market);
  const zone = zoneNamed(wish.zone ?? market.spec.zone);
  const price = agreedPrice(table, { market, plan }, wish, now);
  return {
    plan,
    market: market.name,
    role: spec.roles[0] ?? '',
    anchor: { wallTime: wallTime(wish.anchor, zone, now), zone },
    ...(price === undefined ? {} : { price }),
  };
}

type SubscriptionWish = Parameters<typeof marketAt>[1] &
  Bought & { readonly plan: string; readonly anchor?: string; readonly zone?: string };

/** The role of a new member, and the number of seats. */
function seatFor(
  table: ProductsTable,
  plan: string,
  wished: string | undefined,
): { readonly role: string; readonly seats: number } {
  const { spec } = planNamed(table, plan);
  const role = wished ?? spec.roles.at(-1) ?? '';
  if (!spec.roles.includes(role)) {
    throw unknown('role', role, spec.roles, { more: `The plan "${plan}" has the roles ${spec.roles.join(', ')}.` });
  }
  return { role, seats: spec.seats };
}

/** Terms of a subscription after a change of plan. */
function newPlan(
  table: ProductsTable,
  before: Subscription,
  wish: { readonly plan: string } & Bought,
  now: Temporal.Instant,
): NewPlan {
  const { spec, name: plan } = planNamed(table, wish.plan);
  const market = marketAt(table, { market: before.market, isOnRecord: true });
  const others = before.members.filter(({ listener }) => listener !== before.manager);
  const strangers = others.filter(({ role }) => !spec.roles.includes(role));
  const role = spec.roles[0] ?? '';
  if (before.members.length > spec.seats) throw tooFewSeats(before, plan, spec);
  if (strangers.length > 0) throw roleNotInPlan(strangers, plan, spec);
  const { channel, interval, currency } = (before.price ?? {}) as Bought;
  const isSame = [wish.channel, wish.interval, wish.currency].every((one) => one === undefined);
  if (plan === before.plan && isSame) return { plan, role, price: before.price };
  if (plan !== before.plan) requireOpen(spec, plan, market);
  const bought = { channel: wish.channel ?? channel, interval: wish.interval ?? interval };
  const price = agreedPrice(table, { market, plan, before: currency }, { ...bought, currency: wish.currency }, now);
  return { plan, role, ...(price === undefined ? {} : { price }) };
}

const STATUS_AFTER = { lapse: 'lapsed', resume: 'active', end: 'ended' } as const;

/** Refuses `products/plan-closed` for a plan that is closed to new listeners here. */
function requireOpen(spec: PlanSpec, plan: string, market: MarketTable): void {
  const why = !isSoldIn(spec, market.name)
    ? `it is not sold in ${market.spec.title}`
    : spec.openTo === 'existing'
      ? 'it is closed to new sign-ups'
      : undefined;
  if (why === undefined) return;
  throw productRefusal('plan-closed', `Plan "${plan}" cannot be begun: ${why}.`);
}

interface Bought {
  readonly channel?: string | undefined;
  readonly interval?: string | undefined;
  readonly currency?: string | undefined;
}

interface PricedPlan {
  readonly market: MarketTable;
  readonly plan: string;
  /** Currency of the previous price, which is kept. */
  readonly before?: string | undefined;
}

/**
 * The present price with its revision, in the requested currency, else preferably the previous one; undefined
 * for a plan without any price, which is free. Refuses `products/not-sold` for another channel, interval or
 * currency.
 */
function agreedPrice(
  table: ProductsTable,
  { market, plan, before }: PricedPlan,
  wish: Bought,
  now: Temporal.Instant,
): object | undefined {
  const { channel = market.defaultChannel, interval = 'P1M' } = wish;
  const answer = prices(table, { market: market.name, isOnRecord: true, plan, channel, interval }, now);
  const price =
    wish.currency === undefined
      ? (answer.prices.find(({ currency }) => currency !== undefined && currency === before) ?? usualPrice(answer))
      : answer.prices.find(({ currency }) => currency === wish.currency);
  if (price?.amount === undefined) {
    if (!isSoldAnywhere(table, plan)) return undefined;
    const message =
      price?.reason?.message ??
      `Plan "${plan}" has no price ${wish.currency === undefined ? 'here' : `in ${wish.currency} here`}.`;
    throw productRefusal('not-sold', message);
  }
  const series = seriesFor(market, { plan, channel, interval }).find(
    (one) => windowAt(one, now.epochMilliseconds)?.money.currency === price.currency,
  );
  const { amount, currency, minor, exponent } = price;
  return { amount, currency, minor, exponent, channel, interval, at: now.toString(), sources: series?.sources ?? [] };
}

function isSoldAnywhere({ markets }: ProductsTable, plan: string): boolean {
  for (const { series } of markets.values()) {
    for (const one of series.values()) if (one.plan === plan) return true;
  }
  return false;
}

/** An override of the wrong type would have no effect. */
function requireFits(spec: FeatureSpec, limit: unknown, value: unknown): void {
  const { title, type, valueSchema } = spec;
  const isCounted = type === 'metered' || type === 'concurrent';
  if (isCounted && value !== undefined) throw invalid('value', `${title} is counted: give a limit.`);
  if (isCounted && limit === undefined) throw invalid('limit', `${title} is counted: a limit is required.`);
  if (isCounted) return;
  if (limit !== undefined) throw invalid('limit', `${title} is a ${type} feature: give a value, not a limit.`);
  if (type === 'boolean' && value !== true)
    throw invalid('value', `${title} is a boolean feature: the value must be true.`);
  const fault = valueSchema === undefined ? undefined : valueFault(valueSchema, value);
  if (type === 'config' && fault !== undefined) {
    throw invalid('value', `${JSON.stringify(value) ?? 'nothing'} ${fault}, which ${title} takes.`);
  }
}

function overrideEnd(text: string, now: Temporal.Instant): Temporal.Instant {
  const untilMs = parseInstant(text);
  if (isFault(untilMs)) throw invalid('until', untilMs.fault);
  const days = (untilMs - now.epochMilliseconds) / 86_400_000;
  if (days <= 0 || days > OVERRIDE_DAYS_MAX) {
    throw invalid('until', `It must end in the future, within ${OVERRIDE_DAYS_MAX} days.`);
  }
  return Temporal.Instant.fromEpochMilliseconds(untilMs);
}

function roleNotInPlan(members: Subscription['members'], plan: string, { roles }: PlanSpec): Refusal {
  const who = members.map(({ listener, role }) => `"${listener}" (${role})`).join(', ');
  return productRefusal(
    'role-not-in-plan',
    `Plan "${plan}" has the roles ${roles.join(', ')}, and there is ${who} on the subscription.`,
  );
}

function tooFewSeats({ id, members }: Subscription, plan: string, { seats }: PlanSpec): Refusal {
  return productRefusal(
    'no-seat',
    `Subscription "${id}" has ${members.length} members, and plan "${plan}" has ${seats} ${seats === 1 ? 'seat' : 'seats'}.`,
  );
}

function zoneNamed(zone: string): string {
  if (isZone(zone)) return zone;
  throw invalid('zone', `"${zone}" is not an IANA time zone, like Europe/Berlin.`);
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
  return productRefusal('invalid-record', `${field}: ${detail}`, {
    problems: [{ path: [field], reason: 'FieldValueInvalid', detail }],
  });
}
