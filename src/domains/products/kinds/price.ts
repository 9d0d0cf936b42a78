import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { isFault } from '../rules/fault.ts';
import { intervalInWords, parseInterval } from '../rules/intervals.ts';
import {
  inWords,
  overlapProblems,
  pastProblems,
  readTimeline,
  type PriceWindow,
  type TimelineRules,
} from '../rules/price-timeline.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { OPEN } from '../rules/times.ts';
import { describeNewTimeline, describeNotice, describeTimeline } from './describe-price.ts';
import { GROUP, MARKET, PLAN, PRICE, VERSION } from './identity.ts';
import { DEFAULT_CHANNEL, exponentOn, legalCurrencies, marketSpec, type MarketSpec } from './market-spec.ts';
import { Plan, isSoldIn } from './plan.ts';

/** Annotation that, set to "true", permits deleting a Price that has begun. */
export const DISCARD_HISTORY = 'products.backline.dev/discard-history';

const ENTRIES_MAX = 500;
/** Zone for dates while the market does not exist; the check before going live uses the market's. */
const ZONE_WITHOUT_MARKET = 'UTC';

const PriceSpecSchema = Type.Object(
  {
    plan: Type.String({ minLength: 1, description: 'Name of the Plan.' }),
    market: Type.String({ minLength: 1, description: 'Name of the Market.' }),
    interval: Type.String({ description: 'Billing interval: P1M (monthly), P1Y (yearly), P1W (weekly).' }),
    channel: Type.String({
      minLength: 1,
      maxLength: 40,
      default: DEFAULT_CHANNEL,
      description: 'A channel of the market.',
    }),
    currency: Type.Optional(
      Type.String({
        pattern: '^[A-Z]{3}$',
        description:
          'ISO 4217 code of all entries, for a market with several currencies at once: each needs its own Price. Absent: entries may differ.',
      }),
    ),
    timeline: Type.Array(
      Type.Object(
        {
          from: Type.String({
            description:
              'When it begins: an instant (RFC 3339), or a date, which means its first moment in the zone of the market.',
          }),
          until: Type.Optional(
            Type.String({ description: 'When it ends (not included); absent: where the next entry begins, or never.' }),
          ),
          amount: Type.String({ description: 'A decimal number, like "12.99".' }),
          currency: Type.String({ description: 'ISO 4217 code; legal in the market for the whole time.' }),
        },
        { description: 'A price and its time.' },
      ),
      {
        minItems: 1,
        maxItems: ENTRIES_MAX,
        description:
          'Prices over time, the earliest first. Entries that have begun cannot change; outside every entry the plan is not sold.',
      },
    ),
  },
  { description: 'Price of a plan in a market, over time.' },
);

type PriceSpec = Static<typeof PriceSpecSchema>;

/** Prices with one key form one series. */
export function priceKey(spec: PriceSpec): string {
  return spec.currency === undefined ? saleKey(spec) : `${saleKey(spec)}/${spec.currency}`;
}

/** Key within which each currency has one price at every moment. */
function saleKey({ plan, market, interval, channel }: PriceSpec): string {
  return `${market}/${plan}/${channel}/${interval}`;
}

/** Rules for reading a timeline: its market's zone and its channel's decimals. */
export function timelineRulesOf({ channel }: PriceSpec, market: MarketSpec | undefined): TimelineRules {
  return {
    zone: market?.zone ?? ZONE_WITHOUT_MARKET,
    exponentOf: (currency) => exponentOn(market, channel, currency),
  };
}

export const Price = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Price',
  plural: 'prices',
  categories: ['products'],
  scope: 'Namespaced',
  released: true,
  description: 'A price is the cost of a plan in a market over time, for one interval and channel.',
  spec: PriceSpecSchema,
  columns: [
    { name: 'Plan', type: 'string', description: 'Name of the Plan.', value: ({ spec }) => spec.plan },
    { name: 'Market', type: 'string', description: 'Markets in which it is sold.', value: ({ spec }) => spec.market },
    {
      name: 'Interval',
      type: 'string',
      description: 'Billing interval.',
      value: ({ spec }) => spec.interval,
    },
    { name: 'Channel', type: 'string', description: 'The way to buy.', value: ({ spec }) => spec.channel },
    {
      name: 'Now',
      type: 'string',
      description: 'The price in force, dates read in UTC.',
      value: ({ spec }, now) => {
        const { windows } = readTimeline(spec.timeline, timelineRulesOf(spec, undefined));
        const current = windows.find(
          ({ from, until }) => from <= now.epochMilliseconds && now.epochMilliseconds < until,
        );
        return current === undefined ? undefined : `${current.money.currency} ${spec.timeline[current.index]?.amount}`;
      },
    },
    {
      name: 'Entries',
      type: 'integer',
      description: 'Prices over time, past and future.',
      priority: 1,
      value: ({ spec }) => spec.timeline.length,
    },
  ],
  selectableFields: {
    'spec.plan': ['spec', 'plan'],
    'spec.market': ['spec', 'market'],
    'spec.channel': ['spec', 'channel'],
    'spec.interval': ['spec', 'interval'],
  },
  fieldIndexes: { 'spec.plan': 'plan', 'spec.market': 'market' },
  indexes: {
    key: (spec) => [priceKey(spec)],
    sale: (spec) => [saleKey(spec)],
    market: ({ market }) => [market],
    plan: ({ plan }) => [plan],
  },
  refs: ({ plan, market }) => [
    { path: ['spec', 'plan'], kind: PLAN, name: plan },
    { path: ['spec', 'market'], kind: MARKET, name: market },
  ],
  validate: (spec, { now, find, name, before }) => {
    const interval = parseInterval(spec.interval);
    if (isFault(interval)) return [{ path: ['spec', 'interval'], reason: 'FieldValueInvalid', detail: interval.fault }];

    const marketOf = (market: string) => {
      const found = find(MARKET, 'name', market)[0];
      return found === undefined ? undefined : marketSpec(found);
    };
    const reading = timelineRulesOf(spec, marketOf(spec.market));
    const { windows, problems } = readTimeline(spec.timeline, reading);
    if (problems.length > 0) return problems;
    const strangers = otherCurrencies(spec);
    if (strangers.length > 0) return strangers;

    const past = before === undefined ? [] : pastOf(before, { spec, windows }, marketOf, now.epochMilliseconds);
    const others = find(PRICE, 'sale', saleKey(spec)).filter((other) => other.metadata.name !== name);
    return [...past, ...others.flatMap((other) => collisions({ spec, windows }, other.metadata.name, other, reading))];
  },
  validateDelete: (spec, { now, find, annotations }) => {
    if (annotations[DISCARD_HISTORY] === 'true') return [];
    const market = find(MARKET, 'name', spec.market)[0];
    const { windows } = readTimeline(spec.timeline, timelineRulesOf(spec, market && marketSpec(market)));
    const begun = windows.find(({ from }) => from <= now.epochMilliseconds);
    if (begun === undefined) return [];
    const detail =
      `${inWords(begun)} has begun, and the past is kept. To stop selling, give the last entry an until; ` +
      `to delete the history too, set the annotation ${DISCARD_HISTORY} to "true".`;
    return [{ path: ['spec', 'timeline', begun.index], reason: 'FieldValueForbidden', detail }];
  },
  check: (spec, world, name) => {
    const market = world.get(MARKET, spec.market);
    const plan = world.get(PLAN, spec.plan);
    // The kernel reports dangling references.
    if (market === undefined || plan === undefined) return [];
    const reading = timelineRulesOf(spec, marketSpec(market));
    const { windows, problems } = readTimeline(spec.timeline, reading);
    if (problems.length > 0) return problems;
    return [
      ...channelProblems(spec, marketSpec(market)),
      ...soldProblems(spec, windows, Plan.spec(plan)),
      ...currencyProblems(windows, marketSpec(market)),
      ...world
        .find(PRICE, 'sale', saleKey(spec))
        .filter((other) => other.name !== name)
        .flatMap((other) => collisions({ spec, windows }, other.name, other, reading)),
    ];
  },
  describe: (name, { before, after }, { world, now }) => {
    const spec = after ?? before;
    if (spec === undefined) return [];
    const windowsOf = (price: PriceSpec | undefined) =>
      price === undefined
        ? []
        : readTimeline(price.timeline, timelineRulesOf(price, marketIn(world, price.market))).windows;
    const market = marketIn(world, spec.market);
    const zone = market?.zone ?? ZONE_WITHOUT_MARKET;
    const label = labelOf(spec, world);
    const moment = now.epochMilliseconds;
    if (after === undefined) return [`${label}: the price "${name}" is removed, with its history.`];
    if (before === undefined) return describeNewTimeline(label, windowsOf(after), zone, moment);
    if (priceKey(before) === priceKey(after)) {
      const [was, is] = [windowsOf(before), windowsOf(after)];
      const notice = market && describeNotice(market, was, is, moment);
      return [
        ...describeTimeline(label, { before: was, after: is }, zone, moment),
        ...(notice === undefined ? [] : [notice]),
      ];
    }
    return [
      `${labelOf(before, world)}: the price "${name}" moves to ${label}.`,
      ...describeNewTimeline(label, windowsOf(after), zone, moment),
    ];
  },
  example: {
    name: 'premium-de-monthly',
    spec: {
      plan: 'premium',
      market: 'de',
      interval: 'P1M',
      channel: 'web',
      timeline: [
        { from: '2025-01-01', amount: '12.99', currency: 'EUR' },
        { from: '2026-12-01', amount: '13.99', currency: 'EUR' },
      ],
    },
  },
});

function marketIn(world: World, name: string): MarketSpec | undefined {
  const market = world.get(MARKET, name);
  return market === undefined ? undefined : marketSpec(market);
}

function labelOf(spec: PriceSpec, world: World): string {
  const plan = world.get(PLAN, spec.plan);
  const planTitle = plan === undefined ? spec.plan : Plan.spec(plan).title;
  const marketTitle = marketIn(world, spec.market)?.title ?? spec.market;
  const inCurrency = spec.currency === undefined ? '' : `, ${spec.currency}`;
  return `${planTitle} in ${marketTitle} (${spec.channel}, ${intervalInWords(spec.interval)}${inCurrency})`;
}

function otherCurrencies({ currency, timeline }: PriceSpec): readonly Problem[] {
  if (currency === undefined) return [];
  return timeline.flatMap((entry, index): readonly Problem[] => {
    if (entry.currency === currency) return [];
    const detail = `All entries of this Price are in ${currency}; make another Price for ${entry.currency}.`;
    return [{ path: ['spec', 'timeline', index, 'currency'], reason: 'FieldValueInvalid', detail }];
  });
}

/** A price with its parsed timeline. */
interface ReadPrice {
  readonly spec: PriceSpec;
  readonly windows: readonly PriceWindow[];
}

/** Where two Prices of one sale overlap: never with one key, otherwise not in one currency. */
function collisions(
  { spec, windows }: ReadPrice,
  name: string,
  object: { readonly spec?: unknown },
  reading: TimelineRules,
): readonly Problem[] {
  const other = Price.spec(object);
  const others = readTimeline(other.timeline, reading).windows;
  if (priceKey(spec) === priceKey(other)) return overlapProblems(windows, { kind: PRICE, name, windows: others });
  const of = (all: readonly PriceWindow[], code: string) => all.filter(({ money }) => money.currency === code);
  return [...new Set(windows.map(({ money }) => money.currency))].flatMap((code) =>
    overlapProblems(of(windows, code), { kind: PRICE, name, windows: of(others, code) }),
  );
}

const IDENTITY = ['plan', 'market', 'interval', 'channel', 'currency'] as const;

function pastOf(
  before: PriceSpec,
  { spec: after, windows }: ReadPrice,
  marketOf: (name: string) => MarketSpec | undefined,
  now: number,
): readonly Problem[] {
  const past = readTimeline(before.timeline, timelineRulesOf(before, marketOf(before.market))).windows;
  const begun = past.find(({ from }) => from <= now);
  const moved = IDENTITY.filter((field) => before[field] !== after[field]);
  if (begun === undefined) return [];
  if (moved.length === 0) return pastProblems(past, windows, now);
  return moved.map((field) => ({
    path: ['spec', field],
    reason: 'FieldValueForbidden',
    detail: `${inWords(begun)} has begun for the ${field} "${before[field] ?? ''}"; create another Price for "${after[field] ?? ''}".`,
  }));
}

function channelProblems({ channel }: PriceSpec, market: MarketSpec): readonly Problem[] {
  const names = market.channels.map(({ name }) => name);
  if (names.includes(channel)) return [];
  const detail = `"${channel}" is not a channel of ${market.title}${didYouMean(nearSpellings(channel, names))}; it has ${names.join(', ')}.`;
  return [{ path: ['spec', 'channel'], reason: 'FieldValueNotFound', detail }];
}

/** Past prices of a plan that left the market may stay; open-ended ones may not. */
function soldProblems(
  { market }: PriceSpec,
  windows: readonly PriceWindow[],
  plan: { readonly title: string; readonly markets?: readonly string[] },
): readonly Problem[] {
  const open = windows.find(({ until }) => until === OPEN);
  if (isSoldIn(plan, market) || open === undefined) return [];
  const detail = `${plan.title} is not sold in "${market}", but ${inWords(open)} has no end. Add the market to the plan, or give the entry an until.`;
  return [{ path: ['spec', 'timeline', open.index], reason: 'FieldValueInvalid', detail }];
}

function currencyProblems(windows: readonly PriceWindow[], market: MarketSpec): readonly Problem[] {
  const legal = legalCurrencies(market);
  return windows.flatMap((window): readonly Problem[] => {
    const { money, from, until, index } = window;
    const periods = legal.filter(({ code }) => code === money.currency).toSorted((a, b) => a.from - b.from);
    let covered = from;
    for (const period of periods) if (period.from <= covered && covered < period.until) covered = period.until;
    if (covered >= until && covered > from) return [];
    const declared = market.currencies
      .filter(({ code }) => code === money.currency)
      .map(({ from = '', until = '' }) =>
        [from && `from ${from}`, until && `until ${until}`].filter(Boolean).join(' '),
      );
    const known =
      declared.length === 0
        ? `${money.currency} is not a currency of ${market.title}.`
        : `${money.currency} is legal in ${market.title} only ${declared.join(' and ')}.`;
    const detail = `${inWords(window)}: ${known}`;
    return [{ path: ['spec', 'timeline', index, 'currency'], reason: 'FieldValueInvalid', detail }];
  });
}
