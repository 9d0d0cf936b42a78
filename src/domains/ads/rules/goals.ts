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

const IMPRESSIONS = 1_000;

export interface Bid {
  readonly goal: Goal;
  /** In micro-units; of `cpm` for a thousand impressions. */
  readonly bid: number;
}

/** Expected revenue of a thousand impressions (eCPM), in micro-units. */
export function ecpmOf({ goal, bid }: Bid, priors: Priors): number {
  return goal === 'cpm' ? bid : bid * IMPRESSIONS * rateOf(goal, priors);
}

/** Price of one event of the goal at this eCPM: whole micro-units, never above the bid. */
export function chargeOf({ goal, bid }: Bid, ecpm: number, priors: Priors): number {
  if (goal === 'cpm') return Math.ceil(Math.min(ecpm, bid) / IMPRESSIONS);
  return Math.min(bid, Math.ceil(ecpm / (IMPRESSIONS * rateOf(goal, priors))));
}

function rateOf(goal: Exclude<Goal, 'cpm'>, { clickRate, completionRate }: Priors): number {
  return goal === 'cpc' ? clickRate : completionRate;
}
