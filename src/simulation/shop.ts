import type { Chance } from './chance.ts';
import { factorOf, type Effect } from './effect.ts';
import type { Listener } from './listener.ts';
import type { AppEvent } from './session.ts';

/** The plan that listeners buy, for themselves or as a gift. */
const OFFERED_PLAN = 'premium';
/** The plan that they compare its price with. */
const DEAREST_PLAN = 'family';
/** Part of the visits that end in a purchase: far more than any real shop has, so that minutes tell what takes days there. */
const BUY_RATE = 0.4;
/** Of those who would have bought, so many do at a price that is no price. */
const TOO_DEAR_RATE = 0.1;

/** A price as `/v1/prices` answers it, as far as listeners look at it. */
export interface SeenPrice {
  readonly plan: string;
  readonly interval?: string;
  readonly channel?: string;
  readonly sellable: boolean;
  readonly amount?: string;
  readonly currency?: string;
  /** The announced price. */
  readonly next?: { readonly amount?: string };
}

/** The prices that a listener sees. */
export interface Shelf {
  readonly prices: readonly SeenPrice[];
  /** The releases of which the listener got what they carry. */
  readonly releases: readonly string[];
}

/**
 * A visit of the shop: the purchase that it ends with, if any. Nobody pays as much for one as for a family, neither now nor
 * soon: who is asked for that buys a tenth as often. Pure.
 */
export function visit(
  { market }: Listener,
  { prices, releases }: Shelf,
  effects: readonly Effect[],
  luck: Chance,
): AppEvent | undefined {
  const offered = monthly(prices, OFFERED_PLAN);
  if (offered?.amount === undefined || !offered.sellable) return undefined;
  const dearest = Math.max(Number(offered.amount), Number(offered.next?.amount ?? 0));
  const family = monthly(prices, DEAREST_PLAN)?.amount;
  const isTooDear = family !== undefined && dearest >= Number(family);
  const rate = BUY_RATE * (isTooDear ? TOO_DEAR_RATE : 1) * factorOf(effects, 'conversions', { releases });
  if (!luck.yes(Math.min(1, rate))) return undefined;
  const { amount, currency } = offered;
  return { type: 'purchase', atMs: 0, properties: { plan: OFFERED_PLAN, market, amount: Number(amount), currency } };
}

function monthly(prices: readonly SeenPrice[], plan: string): SeenPrice | undefined {
  const ofPlan = prices.filter((price) => price.plan === plan && price.interval === 'P1M');
  return ofPlan.find(({ channel }) => channel === 'web') ?? ofPlan[0];
}
