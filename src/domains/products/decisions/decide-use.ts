import type { CheckAnswer as Standing } from '#kernel/quotas/rules/contract.ts';
import { capExactness } from '../rules/cap-choice.ts';
import { UNLIMITED, type Limit } from '../rules/entitlement.ts';
import { instantText, timeInWords } from '../rules/times.ts';
import { DEFAULT_ANCHOR, roughWindowDays } from '../rules/windows.ts';
import { planTermsFor, type MeteredUse } from './buckets-for.ts';
import { describeUsage, type UsageReport } from './describe-usage.ts';
import { grantsOf } from './lookup.ts';
import { onSaleAt, type CheckAnswer, type Grant, type OfferedPlan, type ProductsTable } from './table.ts';

/** An add-on of the feature that the listener may buy. */
export interface OfferedAddOn {
  readonly addOn: string;
  readonly title: string;
  readonly amount: number;
  readonly unit: string;
  readonly kind: 'recurring' | 'topUp';
  readonly per?: string;
  readonly validity?: string;
}

interface UseFacts {
  readonly plan: string;
  readonly feature: string;
  readonly usage: UsageReport;
  readonly reason: {
    readonly code: 'within-limit' | 'over-limit' | 'limit-reached' | 'not-enough-left';
    readonly message: string;
  };
  /** When part of the denied amount may fit; absent: never. */
  readonly retryAt?: string;
  /** Add-ons that give more, the smallest first. */
  readonly addOns?: readonly OfferedAddOn[];
}

export type UseAnswer =
  | (UseFacts & { readonly outcome: 'allow'; readonly grant: Grant })
  | (UseFacts & { readonly outcome: 'degrade'; readonly degradedTo: Grant })
  | (UseFacts & { readonly outcome: 'upsell'; readonly plans: readonly OfferedPlan[] })
  | (UseFacts & { readonly outcome: 'deny' });

/** A use and what is known of it before it is decided. */
export interface CountedUse {
  /** The answer of the plan itself (`checkOnRecord`): it stays where no plan, grant or override in force gives the feature. */
  readonly base: CheckAnswer;
  readonly use: MeteredUse;
}

export interface RequestedUse {
  /** Requested units. */
  readonly amount: number;
  /** The channel whose prices an upsell shows. Absent: the first of the market. */
  readonly channel?: string | undefined;
}

/**
 * Decides a counted use from the answer of the quotas. Order: allow while the quotas grant it; degrade where
 * the cap declares it; upsell to plans and add-ons that give more; deny. The answer has the reason, the units
 * left and the reset time.
 */
export function decideUse(
  table: ProductsTable,
  { base, use }: CountedUse,
  standing: Standing,
  { amount, channel }: RequestedUse,
): UseAnswer | CheckAnswer {
  const usage = describeUsage(use, standing);
  const { plan } = use.listener;
  const { feature, title, grant } = use;
  if (usage.by.length === 0 && base.outcome !== 'allow') return withNotes(base, use);
  if (standing.outcome === 'granted') {
    const code = usage.overLimit ? 'over-limit' : 'within-limit';
    return { outcome: 'allow', plan, feature, grant, usage, reason: { code, message: usage.sentence } };
  }
  const facts = { plan, feature, usage, ...retryOf(standing) };
  const reason = whyDenied(use, usage, standing, amount);
  if (use.degradeTo !== undefined) {
    const message = `${reason.message} ${use.degradeTo.title} is given instead.`;
    return { outcome: 'degrade', ...facts, degradedTo: use.degradeTo, reason: { ...reason, message } };
  }
  const plans = plansGivingMore(table, use, channel, standing.atMs);
  const addOns = addOnsFor(table, use);
  const buyable = addOns.length === 0 ? {} : { addOns };
  if (plans.length === 0 && addOns.length === 0) return { outcome: 'deny', ...facts, reason };
  const names = [...plans.map((one) => one.title), ...addOns.map((one) => one.title)];
  const message = `${reason.message} ${names.join(', ')} ${names.length === 1 ? 'includes' : 'include'} more ${title}.`;
  return { outcome: 'upsell', ...facts, ...buyable, plans, reason: { ...reason, message } };
}

/** Notes about suspended grants concern the listener, not the plan, so they follow the plan's reason. */
function withNotes(base: CheckAnswer, { notes }: MeteredUse): CheckAnswer {
  const { code, message } = base.reason;
  return { ...base, reason: { code, message: [message, ...notes].join(' ') } };
}

function retryOf({ retryAtMs }: Standing): { readonly retryAt?: string } {
  return retryAtMs === undefined ? {} : { retryAt: instantText(retryAtMs) };
}

function whyDenied(
  { unit, zone }: MeteredUse,
  usage: UsageReport,
  { retryAtMs }: Standing,
  amount: number,
): UseFacts['reason'] {
  if (usage.remaining !== 0 && usage.remaining !== UNLIMITED) {
    return { code: 'not-enough-left', message: `${usage.sentence} ${amount} ${unit} were requested.` };
  }
  const tellsWhen = usage.resetsAt !== undefined || retryAtMs === undefined;
  const when = tellsWhen ? '' : ` Some may be used again from ${timeInWords(retryAtMs, zone)}.`;
  return { code: 'limit-reached', message: `${usage.sentence}${when}` };
}

/** Plans for sale that give their buyer more of it, the lowest rank first. */
function plansGivingMore(
  table: ProductsTable,
  { feature, listener, plan, zone }: MeteredUse,
  channel: string | undefined,
  moment: number,
): readonly OfferedPlan[] {
  const market = table.markets.get(listener.market);
  if (market === undefined) return [];
  const offered = onSaleAt(market, channel ?? market.defaultChannel, moment)?.giving.get(feature) ?? [];
  const have = plan === undefined ? 0 : unitsPerDay(plan);
  return offered.filter((offer) => {
    if (offer.plan === listener.plan) return false;
    const row = grantsOf(market, offer.plan).firstRole;
    const buyer = { plan: offer.plan, market: market.name, role: row.role };
    const terms = planTermsFor(table, { feature, market, row, listener: buyer }, { at: DEFAULT_ANCHOR, zone });
    return terms !== undefined && unitsPerDay(terms) > have;
  });
}

/** Approximate units a day, to compare 30 minutes a day with 15 hours a month. */
function unitsPerDay({ limit, window }: NonNullable<MeteredUse['plan']>): number {
  const units: Limit = limit;
  return units === UNLIMITED ? Infinity : units / roughWindowDays(window);
}

/** Add-ons of the feature that a listener may buy, the smallest first. */
export function addOnsFor(
  table: ProductsTable,
  { feature, unit, listener }: Pick<MeteredUse, 'feature' | 'unit' | 'listener'>,
): readonly OfferedAddOn[] {
  return [...table.addOns.values()]
    .filter(({ spec }) => spec.feature === feature && capExactness(spec, listener) !== undefined)
    .map(({ name, spec: { title, amount, kind, per, validity } }) => ({
      addOn: name,
      title,
      amount,
      unit,
      kind,
      ...(per === undefined ? {} : { per }),
      ...(validity === undefined ? {} : { validity }),
    }))
    .sort((a, b) => a.amount - b.amount || (a.addOn < b.addOn ? -1 : 1));
}
