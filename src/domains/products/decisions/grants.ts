import type { FeatureSpec } from '../kinds/feature.ts';
import { isSoldIn, type PlanEntitlement, type PlanSpec } from '../kinds/plan.ts';
import { exactness, grantInWords } from '../rules/entitlement.ts';
import { grantsOf, rowOf } from './lookup.ts';
import type { AnswerReason, CompiledObject, Grant, GrantRow, MarketTable, PlanGrants, ProductsTable } from './table.ts';

/** Which of a plan's entitlements apply in a market. Equal signatures of one plan mean equal grants. */
export function grantSignature({ spec }: CompiledObject<PlanSpec>, market: string): string {
  if (!isSoldIn(spec, market)) return '-';
  return spec.entitlements
    .map(({ markets }) => (markets === undefined || markets.includes(market) ? '1' : '0'))
    .join('');
}

/** Grants of a plan in a market, by role. */
export function compileGrants(
  plan: CompiledObject<PlanSpec>,
  market: string,
  features: ProductsTable['features'],
  signature: string,
): PlanGrants {
  const sold = signature !== '-';
  const byFeature = Map.groupBy(plan.spec.entitlements, ({ feature }) => feature);
  const rows = new Map(
    plan.spec.roles.map((role): [string, GrantRow] => [
      role,
      compileRow({ plan, role, market, sold }, features, byFeature),
    ]),
  );
  const [firstRole] = rows.values();
  if (firstRole === undefined) throw new Error(`plan ${plan.name} has no role`);
  const gives = new Set([...rows.values()].flatMap(({ grants }) => grants.map(({ feature }) => feature)));
  return { signature, firstRole, rows, gives };
}

/** Rows of roles and plans that are on record but no longer declared, by the object that they were compiled from. */
const gone = new WeakMap<object, Map<string, GrantRow>>();

/**
 * Grants of a role. A role on record that the plan no longer has gets the entitlements for every role; a plan
 * that is no longer declared gives nothing. Otherwise refuses `products/unknown-plan` and
 * `products/unknown-role`.
 */
export function rowFor(
  { features, plans }: ProductsTable,
  market: MarketTable,
  asked: { readonly plan: string; readonly role?: string | undefined; readonly isOnRecord?: boolean },
): GrantRow {
  const { plan: name, role, isOnRecord = false } = asked;
  const grants = market.grants.get(name);
  if (!isOnRecord || role === undefined || grants?.rows.has(role) === true) {
    return rowOf(grantsOf(market, name), name, role);
  }
  const from = grants ?? features;
  const rows = gone.get(from) ?? new Map<string, GrantRow>();
  gone.set(from, rows);
  const key = `${name} ${role} ${market.name}`;
  const plan = plans.get(name);
  const row =
    rows.get(key) ?? (plan === undefined ? rowOfGone(name, role, features) : rowOfRole(plan, role, market, features));
  rows.set(key, row);
  return row;
}

function rowOfRole(
  plan: CompiledObject<PlanSpec>,
  role: string,
  market: MarketTable,
  features: ProductsTable['features'],
): GrantRow {
  const byFeature = Map.groupBy(plan.spec.entitlements, ({ feature }) => feature);
  return compileRow({ plan, role, market: market.name, sold: isSoldIn(plan.spec, market.name) }, features, byFeature);
}

function rowOfGone(plan: string, role: string, features: ProductsTable['features']): GrantRow {
  const reason = frozenReason('plan-gone', `The plan "${plan}" is no longer declared, so it gives nothing.`);
  const answers = [...features.keys()].map(
    (feature) => [feature, Object.freeze({ outcome: 'deny', plan, feature, reason } as const)] as const,
  );
  return { role, answers: new Map(answers), grants: [] };
}

/** The most exact entitlement of a feature for a role in a market. */
export function winner(
  entitlements: readonly PlanEntitlement[],
  role: string,
  market: string,
): PlanEntitlement | undefined {
  let best: PlanEntitlement | undefined;
  let bestExactness = -1;
  for (const entitlement of entitlements) {
    const exact = exactness(entitlement, role, market) ?? -1;
    if (exact > bestExactness) {
      best = entitlement;
      bestExactness = exact;
    }
  }
  return best;
}

/** A role of a plan in a market, whether or not the plan is sold there. */
interface RoleOfPlan {
  readonly plan: CompiledObject<PlanSpec>;
  readonly role: string;
  readonly market: string;
  readonly sold: boolean;
}

function compileRow(
  of: RoleOfPlan,
  features: ProductsTable['features'],
  byFeature: ReadonlyMap<string, readonly PlanEntitlement[]>,
): GrantRow {
  const { plan, role, market, sold } = of;
  const given = new Map<string, { readonly grant: Grant; readonly words: string }>();
  for (const [name, entitlements] of sold ? byFeature : []) {
    const entitlement = winner(entitlements, role, market);
    const feature = features.get(name);
    if (entitlement === undefined || feature === undefined) continue;
    given.set(name, { grant: grantOf(entitlement, feature.spec), words: grantInWords(entitlement, feature.spec) });
  }

  const title = plan.spec.title;
  const answers = new Map<string, GrantRow['answers'] extends ReadonlyMap<string, infer Answer> ? Answer : never>();
  for (const [name, feature] of features) {
    const named = { plan: plan.name, feature: name };
    const own = given.get(name);
    if (own !== undefined) {
      const reason = frozenReason('in-plan', `${title} includes ${own.words}.`);
      answers.set(name, Object.freeze({ outcome: 'allow', ...named, grant: own.grant, reason }));
      continue;
    }
    const fallback = fallbackOf(name, features, given);
    if (fallback === undefined) {
      const reason = whyNot(of, feature.spec, byFeature.get(name) ?? []);
      answers.set(name, Object.freeze({ outcome: 'deny', ...named, reason }));
    } else {
      const reason = frozenReason(
        'degraded',
        `${title} does not include ${feature.spec.title}; it includes ${fallback.words} instead.`,
      );
      answers.set(name, Object.freeze({ outcome: 'degrade', ...named, degradedTo: fallback.grant, reason }));
    }
  }
  const grants = Object.freeze(
    [...given.values()].map(({ grant }) => grant).sort((a, b) => (a.feature < b.feature ? -1 : 1)),
  );
  return { role, answers, grants };
}

function grantOf(entitlement: PlanEntitlement, feature: FeatureSpec): Grant {
  const { value, limit, per } = entitlement;
  return Object.freeze({
    feature: entitlement.feature,
    title: feature.title,
    type: feature.type,
    ...(value === undefined ? {} : { value }),
    ...(limit === undefined ? {} : { limit }),
    ...(feature.unit === undefined ? {} : { unit: feature.unit }),
    ...(per === undefined ? {} : { per }),
  });
}

/** The chain of `degradeTo`. A check keeps loops from going live; here each name is followed once. */
export function degradations(name: string, features: ProductsTable['features']): readonly string[] {
  const steps: string[] = [];
  for (let next = features.get(name)?.spec.degradeTo; next !== undefined; next = features.get(next)?.spec.degradeTo) {
    if (next === name || steps.includes(next)) break;
    steps.push(next);
  }
  return steps;
}

function fallbackOf<Given>(
  name: string,
  features: ProductsTable['features'],
  given: ReadonlyMap<string, Given>,
): Given | undefined {
  const step = degradations(name, features).find((candidate) => given.has(candidate));
  return step === undefined ? undefined : given.get(step);
}

function whyNot(
  { plan, role, market, sold }: RoleOfPlan,
  feature: FeatureSpec,
  entitlements: readonly PlanEntitlement[],
): AnswerReason {
  const { title } = plan.spec;
  if (!sold) return frozenReason('plan-not-in-market', `${title} is not offered in this market.`);
  const here = entitlements.filter(({ markets }) => markets === undefined || markets.includes(market));
  if (here.length > 0) {
    const roles = [...new Set(here.flatMap(({ roles = [] }) => roles))].join(', ');
    return frozenReason('not-for-role', `${title} gives ${feature.title} to ${roles}, not to ${role}.`);
  }
  if (entitlements.length > 0) {
    return frozenReason('not-in-market', `${title} includes ${feature.title} in other markets, not in this one.`);
  }
  return frozenReason('not-in-plan', `${title} does not include ${feature.title}.`);
}

function frozenReason(code: AnswerReason['code'], message: string): AnswerReason {
  return Object.freeze({ code, message });
}
