import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { SpecChange, World } from '#kernel/kinds/kind.ts';
import { entitlementsCollide, entitlementFaults, grantInWords, limitFault, UNLIMITED } from '../rules/entitlement.ts';
import { isFault } from '../rules/fault.ts';
import { periodInWords } from '../rules/intervals.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { Feature, type FeatureSpec } from './feature.ts';
import { FEATURE, GROUP, MARKET, VERSION } from './identity.ts';
import { marketSpec } from './market-spec.ts';

/** Role of a listener who is alone on a plan, or pays for the others. */
const DEFAULT_ROLE = 'manager';
const ROLES_MAX = 10;
const ENTITLEMENTS_MAX = 1_000;
const MARKETS_MAX = 500;

const NAME_PATTERN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';

const marketNames = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, description: 'Name of a Market.' }), {
      minItems: 1,
      maxItems: MARKETS_MAX,
      description,
    }),
  );

const PlanSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' }),
    group: Type.String({
      pattern: NAME_PATTERN,
      maxLength: 63,
      description: 'Plans of one group replace each other: a listener has at most one of them.',
    }),
    rank: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      description: 'Order within the group: a higher rank is a better plan.',
    }),
    seats: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 1,
      description: 'Number of listeners who share the plan.',
    }),
    roles: Type.Array(Type.String({ pattern: NAME_PATTERN, maxLength: 63, description: 'A role.' }), {
      minItems: 1,
      maxItems: ROLES_MAX,
      default: [DEFAULT_ROLE],
      description: 'Roles of the listeners on the plan; the first is the payer.',
    }),
    markets: marketNames('Markets in which it is sold. Absent: all.'),
    openTo: Type.Enum(['everyone', 'existing'], {
      default: 'everyone',
      description: 'existing: closed to new sign-ups; existing subscribers keep it.',
    }),
    entitlements: Type.Array(
      Type.Object(
        {
          feature: Type.String({ minLength: 1, description: 'Name of the Feature.' }),
          value: Type.Optional(
            Type.Unknown({
              'x-kubernetes-preserve-unknown-fields': true,
              description: 'The value of a config feature.',
            }),
          ),
          limit: Type.Optional(
            Type.Unsafe<number | string>({
              'x-kubernetes-int-or-string': true,
              description: 'Limit of a metered or concurrent feature: a whole number, or "unlimited".',
            }),
          ),
          per: Type.Optional(
            Type.String({ description: 'Period after which a metered limit resets: P1M, P1D, PT1H (ISO 8601).' }),
          ),
          roles: Type.Optional(
            Type.Array(Type.String({ minLength: 1, description: 'A role of the plan.' }), {
              minItems: 1,
              maxItems: ROLES_MAX,
              description: 'Roles that get it. Absent: all.',
            }),
          ),
          markets: marketNames('Markets in which the plan gives it. Absent: all markets of the plan.'),
        },
        { description: 'A feature of the plan: its value or limit, roles and markets.' },
      ),
      {
        maxItems: ENTITLEMENTS_MAX,
        default: [],
        description:
          'Features of the plan. If two entries match one feature, the one that names the market wins, then the one that names the role.',
      },
    ),
  },
  { description: 'A tier that listeners subscribe to or have for free.' },
);

export type PlanEntitlement = PlanSpec['entitlements'][number];

export type PlanSpec = Static<typeof PlanSpecSchema>;

/** True when the plan is sold, or still honoured, in the market. */
export function isSoldIn({ markets }: { readonly markets?: readonly string[] }, market: string): boolean {
  return markets === undefined || markets.includes(market);
}

export const Plan = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Plan',
  plural: 'plans',
  categories: ['products'],
  scope: 'Namespaced',
  released: true,
  description: 'A plan is a tier that listeners subscribe to or have for free, with its features by role and market.',
  spec: PlanSpecSchema,
  columns: [
    { name: 'Title', type: 'string', description: 'The name that people see.', value: ({ spec }) => spec.title },
    {
      name: 'Group',
      type: 'string',
      description: 'Plans of one group replace each other.',
      value: ({ spec }) => spec.group,
    },
    { name: 'Rank', type: 'integer', description: 'Order within the group.', value: ({ spec }) => spec.rank },
    {
      name: 'Seats',
      type: 'integer',
      description: 'Number of listeners who share it.',
      value: ({ spec }) => spec.seats,
    },
    { name: 'Open To', type: 'string', description: 'Who may sign up.', value: ({ spec }) => spec.openTo },
    {
      name: 'Features',
      type: 'integer',
      description: 'Number of entitlements.',
      value: ({ spec }) => new Set(spec.entitlements.map(({ feature }) => feature)).size,
    },
    {
      name: 'Markets',
      type: 'string',
      description: 'Markets in which it is sold.',
      priority: 1,
      value: ({ spec }) => spec.markets?.join(',') ?? 'all',
    },
  ],
  selectableFields: { 'spec.group': ['spec', 'group'], 'spec.openTo': ['spec', 'openTo'] },
  indexes: { feature: ({ entitlements }) => [...new Set(entitlements.map(({ feature }) => feature))] },
  refs: ({ markets = [], entitlements }) => [
    ...markets.map((name, index) => ({ path: ['spec', 'markets', index], kind: MARKET, name })),
    ...entitlements.flatMap((entitlement, index) => [
      { path: ['spec', 'entitlements', index, 'feature'], kind: FEATURE, name: entitlement.feature },
      ...(entitlement.markets ?? []).map((name, market) => ({
        path: ['spec', 'entitlements', index, 'markets', market],
        kind: MARKET,
        name,
      })),
    ]),
  ],
  validate: (spec) => [
    ...duplicatesIn(spec.roles, ['spec', 'roles']),
    ...duplicatesIn(spec.markets ?? [], ['spec', 'markets']),
    ...entitlementProblems(spec),
  ],
  check: ({ entitlements }, world) =>
    entitlements.flatMap((entitlement, index) => {
      const feature = world.get(FEATURE, entitlement.feature);
      if (feature === undefined) return [];
      return entitlementFaults(entitlement, Feature.spec(feature)).map(({ field, fault }): Problem => ({
        path: ['spec', 'entitlements', index, field],
        reason: 'FieldValueInvalid',
        detail: fault,
      }));
    }),
  describe: describePlan,
  example: {
    name: 'family',
    spec: {
      title: 'Family',
      group: 'music',
      rank: 40,
      seats: 6,
      roles: ['manager', 'member', 'child'],
      openTo: 'everyone',
      entitlements: [
        { feature: 'on-demand' },
        { feature: 'audio-quality', value: 'lossless' },
        { feature: 'streams', limit: 1 },
        { feature: 'audiobooks', limit: 900, per: 'P1M', roles: ['manager'] },
        { feature: 'skips', limit: UNLIMITED },
      ],
    },
  },
});

/** Names that occur twice in a list. */
export function duplicatesIn(names: readonly string[], path: readonly string[]): readonly Problem[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: [...path, index], reason: 'FieldValueDuplicate', detail: `"${name}" is listed twice.` } as const],
  );
}

function entitlementProblems(spec: PlanSpec): readonly Problem[] {
  const problems: Problem[] = [];
  const byFeature = new Map<string, { readonly entitlement: PlanEntitlement; readonly index: number }[]>();
  for (const [index, entitlement] of spec.entitlements.entries()) {
    const path = ['spec', 'entitlements', index];
    const refuse = (more: readonly (string | number)[], detail: string) =>
      problems.push({ path: [...path, ...more], reason: 'FieldValueInvalid', detail });
    const { feature, limit, per, roles = [], markets = [] } = entitlement;

    const fault = limit === undefined ? undefined : limitFault(limit);
    if (fault !== undefined) refuse(['limit'], fault);
    const period = per === undefined ? '' : periodInWords(per);
    if (isFault(period)) refuse(['per'], period.fault);
    for (const [at, role] of roles.entries()) {
      if (spec.roles.includes(role)) continue;
      refuse(
        ['roles', at],
        `"${role}" is not a role of this plan${didYouMean(nearSpellings(role, spec.roles))}; it has ${spec.roles.join(', ')}.`,
      );
    }
    for (const [at, market] of markets.entries()) {
      if (!isSoldIn(spec, market))
        refuse(['markets', at], `The plan is not sold in "${market}"; spec.markets does not have it.`);
    }

    const others = byFeature.get(feature) ?? [];
    const other = others.find((earlier) => entitlementsCollide(earlier.entitlement, entitlement));
    if (other !== undefined) {
      refuse(
        ['feature'],
        `Entitlement ${other.index} matches some of the same listeners for "${feature}" equally exactly; ` +
          'name other roles or markets, or remove one.',
      );
    }
    byFeature.set(feature, [...others, { entitlement, index }]);
  }
  return problems;
}

function describePlan(
  name: string,
  { before, after }: SpecChange<PlanSpec>,
  { world }: { readonly world: World },
): readonly string[] {
  if (after === undefined) {
    return [
      `Plan ${before?.title ?? name} is removed: its listeners lose all of its features. To stop selling it only, set openTo to existing.`,
    ];
  }
  const { title } = after;
  const words = planWords(world);
  if (before === undefined) {
    const given = [...words.grants(after).values()].map((grant) => grant.words);
    const seats = after.seats === 1 ? '' : `, ${after.seats} seats`;
    return [
      `New plan ${title} (rank ${after.rank} in ${after.group}${seats}) in ${words.marketsOf(after)}.`,
      ...(given.length === 0 ? [] : [`${title} gives: ${given.join('; ')}.`]),
    ];
  }
  return describeChanges(before, after, words);
}

/** How sentences name the markets and grants of a plan, with the titles of a world. */
function planWords(world: World) {
  const featureOf = (feature: string): Pick<FeatureSpec, 'title' | 'type'> => {
    const found = world.get(FEATURE, feature);
    return found === undefined ? { title: feature, type: 'boolean' } : Feature.spec(found);
  };
  const marketTitle = (market: string) => {
    const found = world.get(MARKET, market);
    return found === undefined ? market : marketSpec(found).title;
  };
  const marketsOf = ({ markets }: { readonly markets?: readonly string[] }) =>
    markets === undefined ? 'every market' : markets.map(marketTitle).join(', ');
  const grants = ({ entitlements }: PlanSpec) =>
    new Map(
      entitlements.map((entitlement): [string, { title: string; words: string }] => {
        const { feature, roles, markets } = entitlement;
        const to = roles === undefined ? '' : ` for ${roles.join(', ')}`;
        const where = markets === undefined ? '' : ` in ${marketsOf({ markets })}`;
        const { title } = featureOf(feature);
        return [
          `${feature}${to}${where}`,
          { title: title + to + where, words: grantInWords(entitlement, featureOf(feature)) + to + where },
        ];
      }),
    );
  return { marketsOf, grants };
}

function describeChanges(
  before: PlanSpec,
  after: PlanSpec,
  { marketsOf, grants }: ReturnType<typeof planWords>,
): readonly string[] {
  const { title } = after;
  const sentences: string[] = [];
  if (before.title !== title) sentences.push(`Plan ${before.title} is now called ${title}.`);
  if (before.openTo !== after.openTo) {
    sentences.push(
      after.openTo === 'existing'
        ? `${title} is closed to new sign-ups; existing subscribers keep it.`
        : `${title} is open to new sign-ups again.`,
    );
  }
  if (marketsOf(before) !== marketsOf(after)) {
    const gained = after.markets?.filter((market) => !isSoldIn(before, market)) ?? [];
    const lost = before.markets?.filter((market) => !isSoldIn(after, market)) ?? [];
    if (before.markets === undefined || after.markets === undefined) {
      sentences.push(`${title} is sold in ${marketsOf(after)} instead of ${marketsOf(before)}.`);
    } else {
      if (gained.length > 0) sentences.push(`${title} is now sold in ${marketsOf({ markets: gained })}.`);
      if (lost.length > 0) sentences.push(`${title} is no longer sold in ${marketsOf({ markets: lost })}.`);
    }
  }
  if (before.seats !== after.seats) sentences.push(`${title}: ${before.seats} → ${after.seats} seats.`);
  if (before.rank !== after.rank) sentences.push(`${title}: rank ${before.rank} → ${after.rank}.`);
  if (before.group !== after.group) sentences.push(`${title} moves from the group ${before.group} to ${after.group}.`);
  if (before.roles.join(', ') !== after.roles.join(', ')) {
    sentences.push(`${title}: roles ${before.roles.join(', ')} → ${after.roles.join(', ')}.`);
    const lost = before.roles.filter((role) => !after.roles.includes(role));
    if (lost.length > 0) {
      sentences.push(`${title}: the role ${lost.join(' or ')} gets only the entitlements for every role.`);
    }
  }
  const had = grants(before);
  const has = grants(after);
  for (const [key, grant] of has) {
    const old = had.get(key);
    if (old === undefined) sentences.push(`${title} now gives ${grant.words}.`);
    else if (old.words !== grant.words) sentences.push(`${title}: ${old.words} → ${grant.words}.`);
  }
  for (const [key, grant] of had) {
    if (!has.has(key)) sentences.push(`${title} no longer gives ${grant.title}.`);
  }
  return sentences;
}
