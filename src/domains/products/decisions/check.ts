import { DEFAULT_CHANNEL } from '../kinds/market-spec.ts';
import { grantsOf, marketAt, momentOf, requireChannel, rowOf, unknown, type Place } from './lookup.ts';
import { positionAt, type CheckAnswer, type MarketTable, type OfferedPlan, type ProductsTable } from './table.ts';

export interface CheckQuestion extends Place {
  readonly plan: string;
  /** Absent: the first role of the plan. */
  readonly role?: string | undefined;
  readonly feature: string;
  /** The channel whose prices an upsell shows. Absent: the web. */
  readonly channel?: string | undefined;
  /** The moment that is asked about. Absent: now. */
  readonly at?: string | undefined;
}

/**
 * Whether a listener on a plan gets a feature in a market: allow, degrade to another feature, upsell to plans that can
 * be bought, or deny. Answers of plans are shared and frozen. Refuses names that do not exist.
 */
export function check(table: ProductsTable, question: CheckQuestion, now: Temporal.Instant): CheckAnswer {
  const market = marketAt(table, question);
  const { plan, feature, role, channel, at } = question;
  const row = rowOf(grantsOf(market, plan), plan, role);
  const answer = row.answers.get(feature);
  if (answer === undefined) throw unknown('feature', feature, row.answers.keys());
  if (channel !== undefined) requireChannel(market, channel);
  if (answer.outcome !== 'deny') return answer;
  const plans = plansGiving(market, feature, plan, channel ?? DEFAULT_CHANNEL, momentOf(at, market, now));
  return plans.length === 0 ? answer : { ...answer, outcome: 'upsell', plans };
}

/** Other plans that give a feature in a market and can be bought at a moment, the lowest rank first. */
function plansGiving(
  market: MarketTable,
  feature: string,
  except: string,
  channel: string,
  moment: number,
): readonly OfferedPlan[] {
  const offers = market.offers.get(channel);
  if (offers === undefined) return [];
  const onSale = offers.plans[positionAt(offers.starts, moment)] ?? [];
  return onSale.filter(({ plan }) => plan !== except && market.grants.get(plan)?.gives.has(feature) === true);
}
