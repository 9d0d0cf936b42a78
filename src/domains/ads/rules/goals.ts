import { divide, multiply, ONE, ratioOf, times, type Ratio } from './ratio.ts';

/** The event that an ad set pays for: an impression (by the thousand), a click, or an ad that played to its end. */
export const GOALS = ['cpm', 'cpc', 'cpcv'] as const;
export type Goal = (typeof GOALS)[number];

/** Expected clicks, and plays to the end, for each impression at a placement. */
export interface Priors {
  readonly clickRate: number;
  readonly completionRate: number;
}

/** Above every prior that a placement may have. */
export const RATES_MAX: Priors = { clickRate: 0.2, completionRate: 1 };

/** Decimals of a prior that count. */
export const RATE_DIGITS = 6;

const IMPRESSIONS = 1_000;
const THOUSAND: Ratio = { numerator: BigInt(IMPRESSIONS), denominator: 1n };

export interface Bid {
  readonly goal: Goal;
  /** In micro-units; of `cpm` for a thousand impressions. */
  readonly bid: number;
}

/** How much a thousand impressions are worth for each unit that is bid for an event of the goal. */
export function worthOf(goal: Goal, { clickRate, completionRate }: Priors): Ratio {
  if (goal === 'cpm') return ONE;
  return times(THOUSAND, ratioOf((goal === 'cpc' ? clickRate : completionRate).toFixed(RATE_DIGITS)));
}

/** Expected revenue of a thousand impressions (eCPM) at a worth, in whole micro-units, rounded down. */
export function ecpmOf({ bid }: Bid, worth: Ratio): number {
  return worth === ONE ? bid : multiply(bid, worth);
}

/**
 * Price of one event of the goal at this eCPM, in whole micro-units of the bid, rounded up; never above the bid, and the bid itself
 * where the eCPM is its own.
 */
export function chargeOf(bid: Bid, ecpm: number, worth: Ratio): number {
  const price = ecpm >= ecpmOf(bid, worth) ? bid.bid : Math.min(bid.bid, divide(ecpm, worth));
  return bid.goal === 'cpm' ? Math.ceil(price / IMPRESSIONS) : price;
}

/** The highest price of one event of the goal, whatever the placement. */
export function mostCharged({ goal, bid }: Bid): number {
  return goal === 'cpm' ? Math.ceil(bid / IMPRESSIONS) : bid;
}
