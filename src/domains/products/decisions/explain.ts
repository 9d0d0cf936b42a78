import { isSoldIn, type PlanEntitlement, type PlanSpec } from '../kinds/plan.ts';
import { grantInWords } from '../rules/entitlement.ts';
import { intervalInWords } from '../rules/intervals.ts';
import { codeAndAmount } from '../rules/money.ts';
import { OPEN, timeInWords } from '../rules/times.ts';
import { check } from './check.ts';
import { explainUse, type RecordedUse, type Step } from './explain-use.ts';
import { degradations, rowFor, winner } from './grants.ts';
import { marketAt, momentOf, planNamed, type KnownPlace, type Place } from './lookup.ts';
import { checkOnRecord, listenerOf } from './on-record.ts';
import { windowAt } from './price-series.ts';
import { prices, seriesFor, type PricesAnswer } from './prices.ts';
import {
  onSaleAt,
  type CheckAnswer,
  type CompiledObject,
  type MarketTable,
  type OfferedPlan,
  type ProductsTable,
} from './table.ts';

interface ExplainQuestion extends KnownPlace {
  readonly plan: string;
  readonly role?: string | undefined;
  /** Absent: the prices of the plan are explained. */
  readonly feature?: string | undefined;
  readonly channel?: string | undefined;
  readonly interval?: string | undefined;
  readonly at?: string | undefined;
}

interface ExplainAnswer {
  /** The answer of `check`, or of `prices` without a feature. */
  readonly answer: CheckAnswer | PricesAnswer;
  /** The objects that led to the answer, and the contribution of each. */
  readonly steps: readonly Step[];
  /** The other plans and their answers, the lowest rank first. */
  readonly alternatives: readonly Alternative[];
}

interface Alternative {
  readonly plan: string;
  readonly title: string;
  /** Whether the plan gives the feature in this market. */
  readonly gives: boolean;
  /** Its price there, when it is for sale. */
  readonly offer?: OfferedPlan;
  readonly says: string;
}

/**
 * Explains an answer in sentences that name the objects, with the answers of other plans. For a listener on
 * record it also explains the record and the buckets of the feature.
 */
export function explain(
  table: ProductsTable,
  asked: ExplainQuestion,
  now: Temporal.Instant,
  recorded?: RecordedUse,
): ExplainAnswer {
  const question =
    recorded === undefined
      ? asked
      : { ...asked, role: undefined, territory: undefined, ...listenerOf(asked, recorded.facts) };
  const market = marketAt(table, question);
  if (recorded !== undefined && !table.plans.has(question.plan) && question.feature !== undefined) {
    const { feature } = question;
    const answer = checkOnRecord(table, { ...question, feature }, recorded.facts, now);
    return { answer, steps: [], alternatives: [] };
  }
  const plan = planNamed(table, question.plan);
  const steps = [placeStep(market, question), planStep(plan, market)];
  const { feature } = question;
  if (feature === undefined) {
    const answer = prices(table, question, now);
    return {
      answer,
      steps: [...steps, ...priceSteps(market, question, momentOf(question.at, market, now))],
      alternatives: [],
    };
  }
  const answer =
    recorded === undefined
      ? check(table, { ...question, feature }, now)
      : checkOnRecord(table, { ...question, feature }, recorded.facts, now);
  const { role } = rowFor(table, market, question);
  if (isSoldIn(plan.spec, market.name)) {
    steps.push(
      roleStep(plan, role, question.role),
      ...entitlementSteps(table, { plan, feature, role, market: market.name }),
    );
    if (answer.outcome !== 'allow') steps.push(...degradeSteps(table, { plan, feature, role, market: market.name }));
  }
  if (recorded !== undefined) steps.push(...explainUse(table, { ...question, feature }, recorded, now));
  return { answer, steps, alternatives: alternativesTo(table, { plan, market, feature }, question, now) };
}

function placeStep({ source, spec }: MarketTable, { territory }: Place): Step {
  return {
    object: source,
    says:
      territory === undefined
        ? `The market is ${spec.title}.`
        : `The territory ${territory} belongs to the market ${spec.title}.`,
  };
}

function planStep({ source, spec }: CompiledObject<PlanSpec>, market: MarketTable): Step {
  const where = isSoldIn(spec, market.name) ? 'is offered' : 'is not offered';
  const because = spec.markets === undefined ? 'it is in every market' : `it is in ${spec.markets.join(', ')}`;
  const closed = spec.openTo === 'existing' ? ' It is closed to new sign-ups.' : '';
  return { object: source, says: `${spec.title} ${where} in ${market.spec.title}: ${because}.${closed}` };
}

function roleStep({ source, spec }: CompiledObject<PlanSpec>, role: string, asked: string | undefined): Step {
  return {
    object: source,
    says: asked === undefined ? `No role is given, so the first of ${spec.title}: ${role}.` : `The role is ${role}.`,
  };
}

/** Whether a role of a plan is given a feature in a market. */
interface GrantQuestion {
  readonly plan: CompiledObject<PlanSpec>;
  readonly feature: string;
  readonly role: string;
  readonly market: string;
}

function entitlementSteps(table: ProductsTable, { plan, feature, role, market }: GrantQuestion): readonly Step[] {
  const found = table.features.get(feature);
  if (found === undefined) return [];
  const entitlements = plan.spec.entitlements.filter((entitlement) => entitlement.feature === feature);
  if (entitlements.length === 0) {
    return [{ object: plan.source, says: `${plan.spec.title} has no entitlement for ${found.spec.title}.` }];
  }
  const chosen = winner(entitlements, role, market);
  return entitlements.map((entitlement) => {
    const to = `for ${entitlement.roles?.join(', ') ?? 'every role'} in ${entitlement.markets?.join(', ') ?? 'every market'}`;
    const position = plan.spec.entitlements.indexOf(entitlement);
    const says = `Entitlement ${position} gives ${grantInWords(entitlement, found.spec)} ${to}: ${verdict(entitlement, chosen, role, market)}.`;
    return { object: plan.source, says };
  });
}

function verdict(
  entitlement: PlanEntitlement,
  chosen: PlanEntitlement | undefined,
  role: string,
  market: string,
): string {
  if (entitlement === chosen) return 'it counts';
  if (entitlement.roles !== undefined && !entitlement.roles.includes(role)) return `it is not for ${role}`;
  if (entitlement.markets !== undefined && !entitlement.markets.includes(market)) return 'it is not for this market';
  return 'a more exact one applies';
}

function degradeSteps(table: ProductsTable, { plan, feature, role, market }: GrantQuestion): readonly Step[] {
  const steps: Step[] = [];
  let from = table.features.get(feature);
  for (const name of degradations(feature, table.features)) {
    const to = table.features.get(name);
    if (from === undefined || to === undefined) break;
    const has =
      winner(
        plan.spec.entitlements.filter((entitlement) => entitlement.feature === name),
        role,
        market,
      ) !== undefined;
    const outcome = `which ${plan.spec.title} ${has ? 'has' : 'does not have'}`;
    steps.push({ object: from.source, says: `${from.spec.title} degrades to ${to.spec.title}, ${outcome}.` });
    if (has) break;
    from = to;
  }
  return steps;
}

function priceSteps(market: MarketTable, question: ExplainQuestion, moment: number): readonly Step[] {
  return seriesFor(market, question).flatMap((series) => {
    const current = windowAt(series, moment);
    const entries = Map.groupBy(series.windows, ({ span }) => span);
    return [...entries.values()].flatMap(([window, ...more]) => {
      if (window === undefined) return [];
      const { zone } = market.spec;
      const untilMs = (more.at(-1) ?? window).until;
      const end = untilMs === OPEN ? 'with no end' : `until ${timeInWords(untilMs, zone)}`;
      const when = window.span === current?.span ? 'in force' : window.from > moment ? 'still to come' : 'over';
      const what = `${intervalInWords(series.interval)} on ${series.channel}`;
      return {
        object: window.source,
        says: `${codeAndAmount(window.money)} ${what} from ${timeInWords(window.from, zone)} ${end}: ${when}.`,
      };
    });
  });
}

function alternativesTo(
  table: ProductsTable,
  {
    plan,
    market,
    feature,
  }: { readonly plan: CompiledObject<PlanSpec>; readonly market: MarketTable; readonly feature: string },
  question: ExplainQuestion,
  now: Temporal.Instant,
): readonly Alternative[] {
  const moment = momentOf(question.at, market, now);
  const onSale = onSaleAt(market, question.channel ?? market.defaultChannel, moment)?.plans ?? [];
  const title = table.features.get(feature)?.spec.title ?? feature;
  return [...table.plans.values()]
    .filter(({ name }) => name !== plan.name)
    .sort((a, b) => a.spec.rank - b.spec.rank)
    .flatMap(({ name, spec }): Alternative[] => {
      const gives = market.grants.get(name)?.gives.has(feature) === true;
      const offer = onSale.find((candidate) => candidate.plan === name);
      const does = `${spec.title} ${gives ? 'gives' : 'does not give'} ${title} here`;
      const sold =
        offer === undefined
          ? whyNotSold(spec, market)
          : `it costs ${offer.display} (${intervalInWords(offer.interval)})`;
      const alternative = { plan: name, title: spec.title, gives, says: `${does}; ${sold}.` };
      return [offer === undefined ? alternative : { ...alternative, offer }];
    });
}

function whyNotSold(spec: PlanSpec, market: MarketTable): string {
  if (!isSoldIn(spec, market.name)) return `it is not offered in ${market.spec.title}`;
  if (spec.openTo === 'existing') return 'it is closed to new sign-ups';
  return 'it has no price at that time';
}
