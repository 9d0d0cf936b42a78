import { productRefusal } from '#domains/products/refusals.ts';
import { currencyAt } from '../kinds/market-spec.ts';
import { isSoldIn, type PlanSpec } from '../kinds/plan.ts';
import { displayMoney, isLocale } from '../rules/display-money.ts';
import { isFault } from '../rules/fault.ts';
import { intervalInWords, parseInterval } from '../rules/intervals.ts';
import { instantText, OPEN, timeInWords } from '../rules/times.ts';
import { marketAt, momentOf, planNamed, requireChannel, type KnownPlace } from './lookup.ts';
import { windowAt } from './price-series.ts';
import type { CompiledObject, MarketTable, PriceFacts, PriceSeries, ProductsTable, SeriesWindow } from './table.ts';

export interface PricesQuestion extends KnownPlace {
  /** Absent: every plan with a price in the market. */
  readonly plan?: string | undefined;
  /** Absent: every channel. */
  readonly channel?: string | undefined;
  /** Absent: every interval. */
  readonly interval?: string | undefined;
  /** One of several simultaneous currencies. Absent: all. */
  readonly currency?: string | undefined;
  /** BCP 47 tag of the language for amounts. Absent: that of the market. */
  readonly locale?: string | undefined;
  /** Moment to answer for. Absent: now. */
  readonly at?: string | undefined;
}

export interface PricesAnswer {
  readonly market: string;
  readonly title: string;
  readonly zone: string;
  /** The market's default currency at that moment. */
  readonly currency?: string;
  readonly at: string;
  readonly prices: readonly PriceAnswer[];
}

/** Price of a plan for an interval on a channel. The amount is present whenever existing subscribers pay it. */
interface PriceAnswer extends Partial<PriceFacts> {
  readonly plan: string;
  readonly title: string;
  readonly interval?: string;
  readonly channel?: string;
  /** Whether new subscribers can buy it. */
  readonly sellable: boolean;
  /** Why it is not for sale. */
  readonly reason?: {
    readonly code: 'closed' | 'not-now' | 'no-price' | 'plan-not-in-market';
    readonly message: string;
  };
  /** When the amount came into force, and when it ends (not included). */
  readonly from?: string;
  readonly until?: string;
  /** The next declared change. */
  readonly next?: NextPrice;
}

type NextPrice =
  | { readonly at: string; readonly amount: string; readonly currency: string; readonly display: string }
  | { readonly at: string; readonly ends: true };

/** Prices of plans in a market, now or at any moment. Outside every price it states the previous and next one. */
export function prices(table: ProductsTable, question: PricesQuestion, now: Temporal.Instant): PricesAnswer {
  const market = marketAt(table, question);
  const moment = momentOf(question.at, market, now);
  const plan = question.plan === undefined ? undefined : planNamed(table, question.plan);
  if (question.channel !== undefined) requireChannel(market, question.channel);
  if (question.interval !== undefined) requireInterval(question.interval);
  if (question.locale !== undefined) requireLocale(question.locale);
  const currency = currencyAt(market.legal, moment);
  const all =
    plan === undefined ? pricesOfAll(table, market, question, moment) : pricesOf(market, plan, question, moment);
  return {
    market: market.name,
    title: market.spec.title,
    zone: market.spec.zone,
    ...(currency === undefined ? {} : { currency }),
    at: instantText(moment),
    prices: question.currency === undefined ? all : all.filter((price) => price.currency === question.currency),
  };
}

/** The price that applies when the buyer names no currency: in the market's default currency, else the first. */
export function usualPrice({ currency, prices: all }: PricesAnswer): PriceAnswer | undefined {
  const known = all.filter(({ amount }) => amount !== undefined);
  return known.find((price) => price.currency === currency) ?? known[0] ?? all[0];
}

type Filter = Pick<PricesQuestion, 'plan' | 'channel' | 'interval' | 'locale'>;

function requireInterval(text: string): void {
  const interval = parseInterval(text);
  if (!isFault(interval)) return;
  throw productRefusal('bad-interval', `interval: ${interval.fault}`, {
    problems: [{ path: ['interval'], reason: 'FieldValueInvalid', detail: interval.fault }],
  });
}

function requireLocale(locale: string): void {
  if (isLocale(locale)) return;
  const detail = `"${locale}" is not a supported BCP 47 locale; write it like "fr-CH".`;
  throw productRefusal('bad-locale', `locale: ${detail}`, {
    problems: [{ path: ['locale'], reason: 'FieldValueInvalid', detail }],
  });
}

/** The price series that a question selects, in order. */
export function seriesFor(market: MarketTable, { plan, channel, interval }: Filter): readonly PriceSeries[] {
  return [...market.series.values()].filter(
    (series) =>
      (plan === undefined || series.plan === plan) &&
      (channel === undefined || series.channel === channel) &&
      (interval === undefined || series.interval === interval),
  );
}

function pricesOfAll(
  table: ProductsTable,
  market: MarketTable,
  filter: Filter,
  moment: number,
): readonly PriceAnswer[] {
  return seriesFor(market, filter).flatMap((series) => {
    const plan = table.plans.get(series.plan);
    return plan === undefined ? [] : [priceAnswer({ series, plan, market }, moment, filter.locale)];
  });
}

function pricesOf(
  market: MarketTable,
  plan: CompiledObject<PlanSpec>,
  filter: Filter,
  moment: number,
): readonly PriceAnswer[] {
  const found = seriesFor(market, { ...filter, plan: plan.name });
  if (found.length > 0) return found.map((series) => priceAnswer({ series, plan, market }, moment, filter.locale));
  const { channel, interval } = filter;
  const asked = [channel, interval === undefined ? undefined : intervalInWords(interval)].filter(
    (part) => part !== undefined,
  );
  const where = `${market.spec.title}${asked.length === 0 ? '' : ` (${asked.join(', ')})`}`;
  return [
    {
      plan: plan.name,
      title: plan.spec.title,
      ...(channel === undefined ? {} : { channel }),
      ...(interval === undefined ? {} : { interval }),
      sellable: false,
      reason: isSoldIn(plan.spec, market.name)
        ? { code: 'no-price', message: `${plan.spec.title} has no price in ${where}, so it is not sold there.` }
        : notInMarket(plan.spec, market),
    },
  ];
}

function notInMarket({ title }: PlanSpec, market: MarketTable): NonNullable<PriceAnswer['reason']> {
  return { code: 'plan-not-in-market', message: `${title} is not offered in ${market.spec.title}.` };
}

/**
 * Caches answers by plan and window while a price is in force. An update replaces the key objects, so entries
 * need no invalidation.
 */
const inForce = new WeakMap<CompiledObject<PlanSpec>, WeakMap<SeriesWindow, PriceAnswer>>();

/** A plan with one of its price series in a market. */
interface Offer {
  readonly series: PriceSeries;
  readonly plan: CompiledObject<PlanSpec>;
  readonly market: MarketTable;
}

function priceAnswer(offer: Offer, moment: number, locale: string | undefined): PriceAnswer {
  const { series, plan } = offer;
  const window = windowAt(series, moment);
  if (window === undefined || locale !== undefined) return answerAt(offer, moment, locale);
  let ofPlan = inForce.get(plan);
  if (ofPlan === undefined) inForce.set(plan, (ofPlan = new WeakMap()));
  let answer = ofPlan.get(window);
  if (answer === undefined) ofPlan.set(window, (answer = Object.freeze(answerAt(offer, moment))));
  return answer;
}

function answerAt({ series, plan, market }: Offer, moment: number, locale?: string): PriceAnswer {
  const { name, spec } = plan;
  const named = { plan: name, title: spec.title, interval: series.interval, channel: series.channel };
  const window = windowAt(series, moment);
  const next = nextPrice(series, moment, locale);
  const known = {
    ...named,
    sellable: false,
    ...(window === undefined ? {} : { ...window.price, display: displayPrice(window, locale), ...window.span }),
    ...(next === undefined ? {} : { next }),
  };
  if (!isSoldIn(spec, market.name)) return { ...known, reason: notInMarket(spec, market) };
  if (window === undefined)
    return { ...known, reason: { code: 'not-now', message: whenSold(series, spec, market, moment) } };
  if (spec.openTo === 'everyone') return { ...known, sellable: true };
  return {
    ...known,
    reason: {
      code: 'closed',
      message: `${spec.title} is closed to new sign-ups; existing subscribers pay this price.`,
    },
  };
}

function nextPrice(series: PriceSeries, moment: number, locale: string | undefined): NextPrice | undefined {
  const window = windowAt(series, moment);
  const later = series.windows.find(({ from, span }) => from > moment && span !== window?.span);
  const untilMs = series.windows.findLast(({ span }) => span === window?.span)?.until ?? OPEN;
  if (window !== undefined && untilMs < OPEN && untilMs !== later?.from) {
    return { at: instantText(untilMs), ends: true };
  }
  if (later === undefined) return undefined;
  const { amount, currency } = later.price;
  return { at: later.span.from, amount, currency, display: displayPrice(later, locale) };
}

function displayPrice({ price, money }: SeriesWindow, locale: string | undefined): string {
  return locale === undefined ? price.display : displayMoney(money, locale);
}

function whenSold(series: PriceSeries, { title }: PlanSpec, { spec }: MarketTable, moment: number): string {
  const past = series.windows.findLast(({ until }) => until <= moment);
  const later = series.windows.find(({ from }) => from > moment);
  const what = `${title} in ${spec.title} (${series.channel}, ${intervalInWords(series.interval)})`;
  const was = past === undefined ? undefined : `was sold until ${timeInWords(past.until, spec.zone)}`;
  const will = later === undefined ? undefined : `will be sold from ${timeInWords(later.from, spec.zone)}`;
  return `${what} is not sold on ${timeInWords(moment, spec.zone)}; it ${[was, will].filter((part) => part !== undefined).join(' and ')}.`;
}
