import type { LiveObject } from '#kernel/kinds/kind.ts';
import { taxRateAt, taxRates, type MarketSpec } from '../kinds/market-spec.ts';
import { isSoldIn, type PlanSpec } from '../kinds/plan.ts';
import { Price, priceKey, timelineRulesOf } from '../kinds/price.ts';
import { displayMoney } from '../rules/display-money.ts';
import { isFault } from '../rules/fault.ts';
import { compareIntervals } from '../rules/intervals.ts';
import { formatAmount, type Money } from '../rules/money.ts';
import { readTimeline } from '../rules/price-timeline.ts';
import { parseDecimal } from '../rules/rational.ts';
import { addExclusive, splitInclusive } from '../rules/tax.ts';
import { instantText, OPEN } from '../rules/times.ts';
import type {
  CompiledObject,
  MarketTable,
  OnSale,
  OfferedPlan,
  Offers,
  PriceFacts,
  PriceSeries,
  ProductsTable,
  SeriesWindow,
  TaxFacts,
} from './table.ts';

/** Merges all Prices of one key into one series; `undefined` when there are none. */
export function compileSeries(prices: readonly LiveObject[], market: MarketSpec): PriceSeries | undefined {
  const byName = prices.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const [first] = byName;
  if (first === undefined) return undefined;
  const sources = byName.map(({ kind, name, revision }) => ({ kind, name, revision }));
  const rates = taxRates(market);
  const windows = byName.flatMap((price, index): SeriesWindow[] => {
    const spec = Price.spec(price);
    const source = sources[index];
    if (source === undefined) return [];
    return readTimeline(spec.timeline, timelineRulesOf(spec, market)).windows.flatMap(({ from, until, money }) => {
      const span = Object.freeze({ from: instantText(from), ...(until === OPEN ? {} : { until: instantText(until) }) });
      // One price; its parts change with the tax rate.
      const cuts = [from, ...rates.map((rate) => rate.from).filter((cut) => from < cut && cut < until), until];
      return cuts.slice(0, -1).map((cut, place): SeriesWindow => ({
        from: cut,
        until: cuts[place + 1] ?? until,
        money,
        span,
        price: priceFacts(money, market, taxRateAt(rates, cut)),
        source,
      }));
    });
  });
  windows.sort((a, b) => a.from - b.from);
  const { plan, channel, interval, currency } = Price.spec(first);
  const one = currency === undefined ? {} : { currency };
  return { key: priceKey(Price.spec(first)), plan, channel, interval, ...one, sources, windows };
}

function priceFacts(money: Money, market: MarketSpec, rate: string | undefined): PriceFacts {
  return Object.freeze({
    amount: formatAmount(money),
    minor: money.minor.toString(),
    currency: money.currency,
    exponent: money.exponent,
    display: displayMoney(money, market.locale),
    tax: taxFacts(money, market, rate),
  });
}

function taxFacts(
  money: Money,
  { tax: { name, inclusive }, rounding }: MarketSpec,
  rate: string | undefined,
): TaxFacts {
  const percent = rate === undefined ? undefined : parseDecimal(rate);
  if (rate === undefined || percent === undefined || isFault(percent)) {
    return Object.freeze({ name, inclusive, net: formatAmount(money) });
  }
  const split = (inclusive ? splitInclusive : addExclusive)(money, percent, rounding.mode);
  return Object.freeze({
    name,
    inclusive,
    rate,
    net: formatAmount(split.net),
    tax: formatAmount(split.tax),
    gross: formatAmount(split.gross),
  });
}

/** The price in force at a moment. */
export function windowAt({ windows }: PriceSeries, moment: number): SeriesWindow | undefined {
  return windows.findLast(({ from, until }) => from <= moment && moment < until);
}

/** The order of price answers: rank and name of the plan, channel, length of the interval, currency. */
export function compareSeries(plans: ProductsTable['plans']): (a: PriceSeries, b: PriceSeries) => number {
  const rank = (name: string) => plans.get(name)?.spec.rank ?? 0;
  return (a, b) =>
    rank(a.plan) - rank(b.plan) ||
    order(a.plan, b.plan) ||
    order(a.channel, b.channel) ||
    compareIntervals(a.interval, b.interval) ||
    order(a.currency ?? '', b.currency ?? '');
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Plans for sale in a market, by channel: open plans with a price. `series` is in order. */
export function compileOffers(
  series: Iterable<PriceSeries>,
  market: string,
  plans: ProductsTable['plans'],
  grants: MarketTable['grants'],
): ReadonlyMap<string, Offers> {
  const forSale = [...series].filter(({ plan }) => {
    const spec = plans.get(plan)?.spec;
    return spec !== undefined && spec.openTo === 'everyone' && isSoldIn(spec, market);
  });
  return new Map(
    [...Map.groupBy(forSale, ({ channel }) => channel)].map(([channel, all]) => [
      channel,
      offersOf(all, plans, grants),
    ]),
  );
}

function offersOf(
  series: readonly PriceSeries[],
  plans: ProductsTable['plans'],
  grants: MarketTable['grants'],
): Offers {
  const offered = new Map<SeriesWindow, OfferedPlan>();
  for (const one of series) {
    const plan = plans.get(one.plan);
    if (plan === undefined) continue;
    for (const window of one.windows) offered.set(window, offeredPlan(one, window, plan));
  }
  const bounds = series.flatMap(({ windows }) => windows.flatMap(({ from, until }) => [from, until]));
  const starts = [...new Set(bounds)].filter((bound) => bound < OPEN).sort((a, b) => a - b);
  const onSale = starts.map((start) => {
    const byPlan = new Map<string, OfferedPlan>();
    for (const one of series) {
      const window = byPlan.has(one.plan) ? undefined : windowAt(one, start);
      const offer = window === undefined ? undefined : offered.get(window);
      if (offer !== undefined) byPlan.set(one.plan, offer);
    }
    return onSaleOf([...byPlan.values()], grants);
  });
  return { starts, onSale };
}

function onSaleOf(plans: readonly OfferedPlan[], grants: MarketTable['grants']): OnSale {
  const givers = new Map<string, OfferedPlan[]>();
  for (const offer of plans) {
    for (const feature of grants.get(offer.plan)?.gives ?? []) {
      const known = givers.get(feature);
      if (known === undefined) givers.set(feature, [offer]);
      else known.push(offer);
    }
  }
  const lists = new Map<string, readonly OfferedPlan[]>();
  const giving = new Map<string, readonly OfferedPlan[]>();
  for (const [feature, found] of givers) {
    const key = found.map(({ plan }) => plan).join(' ');
    const list = lists.get(key) ?? Object.freeze(found);
    lists.set(key, list);
    giving.set(feature, list);
  }
  return { plans: Object.freeze(plans), giving };
}

function offeredPlan(
  { plan, channel, interval }: PriceSeries,
  { price }: SeriesWindow,
  { spec }: CompiledObject<PlanSpec>,
): OfferedPlan {
  const { amount, minor, currency, exponent, display } = price;
  return Object.freeze({
    plan,
    title: spec.title,
    rank: spec.rank,
    channel,
    interval,
    amount,
    minor,
    currency,
    exponent,
    display,
  });
}
