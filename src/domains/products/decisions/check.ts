import { rowFor } from './grants.ts';
import { marketAt, momentOf, requireChannel, unknown, type KnownPlace } from './lookup.ts';
import { onSaleAt, type CheckAnswer, type OfferedPlan, type ProductsTable } from './table.ts';

export interface CheckQuestion extends KnownPlace {
  readonly plan: string;
  /** Absent: the first role of the plan. */
  readonly role?: string | undefined;
  readonly feature: string;
  /** The channel whose prices an upsell shows. Absent: the first of the market. */
  readonly channel?: string | undefined;
  /** Moment to answer for. Absent: now. */
  readonly at?: string | undefined;
}

/**
 * Whether a listener on a plan gets a feature in a market: allow, degrade to another feature, upsell to plans that can
 * be bought, or deny. Answers of plans are shared and frozen. Refuses names that do not exist.
 */
export function check(table: ProductsTable, question: CheckQuestion, now: Temporal.Instant): CheckAnswer {
  const market = marketAt(table, question);
  const { plan, feature, channel, at } = question;
  const row = rowFor(table, market, question);
  const answer = row.answers.get(feature);
  if (answer === undefined) throw unknown('feature', feature, row.answers.keys());
  if (channel !== undefined) requireChannel(market, channel);
  // Resolving the moment costs more than the rest of a check; only an upsell needs the current time.
  const moment = at === undefined ? undefined : momentOf(at, market, now);
  if (answer.outcome !== 'deny') return answer;
  const onSale = onSaleAt(market, channel ?? market.defaultChannel, moment ?? now.epochMilliseconds);
  const plans = plansGiving(onSale, feature, plan);
  if (plans.length === 0) return answer;
  return { outcome: 'upsell', plan, feature, plans, reason: answer.reason };
}

/** Other plans on sale that give a feature, the lowest rank first. */
function plansGiving(onSale: ReturnType<typeof onSaleAt>, feature: string, except: string): readonly OfferedPlan[] {
  const giving = onSale?.giving.get(feature) ?? [];
  // The plan itself may give it to another role.
  return giving.some(({ plan }) => plan === except) ? giving.filter(({ plan }) => plan !== except) : giving;
}
