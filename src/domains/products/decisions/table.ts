import type { RankedAddOn } from '../kinds/add-on.ts';
import type { CapSpec } from '../kinds/cap-spec.ts';
import type { FeatureSpec } from '../kinds/feature.ts';
import type { LegalCurrency, MarketSpec } from '../kinds/market-spec.ts';
import type { PlanSpec } from '../kinds/plan.ts';
import type { Money } from '../rules/money.ts';

/**
 * CompiledObject table for all product decisions. Immutable: an update shares unchanged parts, and equal rows are
 * one object, so a market costs little more than its prices.
 */
export interface ProductsTable {
  readonly features: ReadonlyMap<string, CompiledObject<FeatureSpec>>;
  readonly plans: ReadonlyMap<string, CompiledObject<PlanSpec>>;
  readonly markets: ReadonlyMap<string, MarketTable>;
  /** Name of the market by territory. */
  readonly marketOfTerritory: ReadonlyMap<string, string>;
  /** Caps by feature. */
  readonly caps: ReadonlyMap<string, readonly CompiledObject<CapSpec>[]>;
  readonly addOns: ReadonlyMap<string, CompiledObject<RankedAddOn>>;
}

/** A live object, as explanations name it. */
export interface Source {
  readonly kind: string;
  readonly name: string;
  readonly revision: string;
}

export interface CompiledObject<Spec> {
  readonly source: Source;
  readonly name: string;
  readonly spec: Spec;
}

export interface MarketTable extends CompiledObject<MarketSpec> {
  readonly legal: readonly LegalCurrency[];
  readonly channels: readonly string[];
  /** The channel when the question names none: the first. */
  readonly defaultChannel: string;
  /** Grants by plan. */
  readonly grants: ReadonlyMap<string, PlanGrants>;
  /** Prices over time by `priceKey`, in the order of rank, plan, channel and interval. */
  readonly series: ReadonlyMap<string, PriceSeries>;
  /** Plans for sale, by channel. */
  readonly offers: ReadonlyMap<string, Offers>;
}

/** Grants of a plan in some markets; one object for all markets in which the same entitlements apply. */
export interface PlanGrants {
  /** Which of the plan's entitlements apply; `-` where the plan is not sold. */
  readonly signature: string;
  readonly firstRole: GrantRow;
  readonly rows: ReadonlyMap<string, GrantRow>;
  /** Features that at least one role of the plan gets. */
  readonly gives: ReadonlySet<string>;
}

/** Answers for one role. */
export interface GrantRow {
  readonly role: string;
  /** The answer for every declared feature; `deny` becomes `upsell` where a plan for sale gives it. */
  readonly answers: ReadonlyMap<string, AllowAnswer | DegradeAnswer | DenyAnswer>;
  /** Grants by name of the feature. */
  readonly grants: readonly Grant[];
}

/** A feature with the granted value or limit. */
export interface Grant {
  readonly feature: string;
  readonly title: string;
  readonly type: FeatureSpec['type'];
  readonly value?: unknown;
  readonly limit?: number | string;
  readonly unit?: string;
  readonly per?: string;
}

export interface AnswerReason {
  /** Permanent: programs may depend on it. */
  readonly code:
    | 'in-plan'
    | 'degraded'
    | 'not-in-plan'
    | 'not-for-role'
    | 'not-in-market'
    | 'plan-not-in-market'
    | 'plan-gone'
    | 'given-by-hand';
  readonly message: string;
}

interface AllowAnswer {
  readonly outcome: 'allow';
  readonly plan: string;
  readonly feature: string;
  readonly grant: Grant;
  readonly reason: AnswerReason;
}

interface DegradeAnswer {
  readonly outcome: 'degrade';
  readonly plan: string;
  readonly feature: string;
  /** The grant instead of the requested one. */
  readonly degradedTo: Grant;
  readonly reason: AnswerReason;
}

interface DenyAnswer {
  readonly outcome: 'deny';
  readonly plan: string;
  readonly feature: string;
  readonly reason: AnswerReason;
}

interface UpsellAnswer extends Omit<DenyAnswer, 'outcome'> {
  readonly outcome: 'upsell';
  /** Plans for sale that give the feature, the lowest rank first. */
  readonly plans: readonly OfferedPlan[];
}

export type CheckAnswer = AllowAnswer | DegradeAnswer | DenyAnswer | UpsellAnswer;

/** The price series of all Prices of a plan, market, channel and interval. */
export interface PriceSeries {
  readonly key: string;
  readonly plan: string;
  readonly channel: string;
  readonly interval: string;
  /** Set where the market has several currencies at once, each with its own prices. */
  readonly currency?: string;
  readonly sources: readonly Source[];
  /** In order of time, without overlaps. */
  readonly windows: readonly SeriesWindow[];
}

/**
 * A price in force from `from` up to, not including, `until` (milliseconds since the epoch, or `OPEN`). A
 * timeline entry has several windows where the tax rate changes; they share their span.
 */
export interface SeriesWindow {
  readonly from: number;
  readonly until: number;
  readonly money: Money;
  /** The span, formatted for answers. */
  readonly span: { readonly from: string; readonly until?: string };
  readonly price: PriceFacts;
  readonly source: Source;
}

/** An amount, formatted for answers. */
export interface PriceFacts {
  /** Decimal number in whole units of the currency. */
  readonly amount: string;
  /** The amount in units of 10^-exponent, as text because it can exceed the exact range of JSON numbers. */
  readonly minor: string;
  readonly currency: string;
  readonly exponent: number;
  /** Display text in the locale of the market. */
  readonly display: string;
  readonly tax: TaxFacts;
}

/** Parts of an amount; `net` plus `tax` is `gross`. Without a rate only the declared part is known. */
export interface TaxFacts {
  readonly name: string;
  /** True: the amount is `gross`. False: it is `net`. */
  readonly inclusive: boolean;
  /** In percent. */
  readonly rate?: string;
  readonly net: string;
  readonly tax?: string;
  readonly gross?: string;
}

/** Plans for sale on a channel over time. */
export interface Offers {
  /** Moments from which each of `onSale` holds, ascending. */
  readonly starts: readonly number[];
  readonly onSale: readonly OnSale[];
}

/** Plans for sale at one time; each list has the lowest rank first. */
export interface OnSale {
  readonly plans: readonly OfferedPlan[];
  /** Plans by the feature that they give; features given by the same plans share one list. */
  readonly giving: ReadonlyMap<string, readonly OfferedPlan[]>;
}

/** A plan that is for sale, at its shortest interval. */
export interface OfferedPlan {
  readonly plan: string;
  readonly title: string;
  readonly rank: number;
  readonly channel: string;
  readonly interval: string;
  readonly amount: string;
  readonly minor: string;
  readonly currency: string;
  readonly exponent: number;
  readonly display: string;
}

/** The last position whose start is at or before `moment`; -1 when there is none. `starts` is ascending. */
function positionAt(starts: readonly number[], moment: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? Infinity) <= moment) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Plans for sale in a market on a channel at a moment. */
export function onSaleAt({ offers }: MarketTable, channel: string, moment: number): OnSale | undefined {
  const found = offers.get(channel);
  return found?.onSale[positionAt(found.starts, moment)];
}
