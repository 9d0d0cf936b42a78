import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { SpecChange, World } from '#kernel/kinds/kind.ts';
import { ANCHORED_PERIOD } from '#kernel/quotas/rules/window-spec.ts';
import { LIMIT_MAX } from '../rules/entitlement.ts';
import { isFault } from '../rules/fault.ts';
import { periodInWords } from '../rules/intervals.ts';
import { rolloverFaults, rolloverInWords, RolloverSchema } from '../rules/rollover.ts';
import { Feature } from './feature.ts';
import { FEATURE, GROUP, MARKET, PLAN, VERSION } from './identity.ts';
import { Plan, duplicatesIn } from './plan.ts';

/** After the plan's own units (100): first recurring add-ons, then top-ups. */
const PRIORITY = { recurring: 200, topUp: 300 } as const;

const VALIDITY = /^P([1-9]\d{0,2})([DWMY])$/;

const names = (item: string, description: string, maxItems = 500) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, description: item }), { minItems: 1, maxItems, description }));

const AddOnSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' }),
    feature: Type.String({ minLength: 1, description: 'The metered or concurrent Feature that it adds units to.' }),
    amount: Type.Integer({
      minimum: 1,
      maximum: LIMIT_MAX,
      description: 'Purchased units; for a recurring add-on, per period.',
    }),
    kind: Type.Enum(['recurring', 'topUp'], {
      description: 'recurring: gives its units in every period until it ends. topUp: bought once.',
    }),
    per: Type.Optional(Type.String({ description: 'Period of a recurring add-on, counted from the purchase: P1M.' })),
    validity: Type.Optional(Type.String({ description: 'How long a top-up can be used: P12M. Absent: without end.' })),
    plans: names('Name of a Plan.', 'Plans whose listeners may buy it. Absent: all.'),
    roles: names('A role of a plan.', 'Roles that may buy it. Absent: all.', 10),
    markets: names('Name of a Market.', 'Markets in which it is sold. Absent: all.'),
    priority: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000,
        description:
          'Lower numbers are consumed first. Absent: 200 for a recurring add-on, 300 for a top-up; plans have 100.',
      }),
    ),
    rollover: Type.Optional(RolloverSchema),
    whileLapsed: Type.Enum(['suspended', 'kept'], {
      default: 'suspended',
      description: 'Without a subscription: suspended cannot be used, and its time runs; kept can be used.',
    }),
  },
  { description: 'More units of a feature, bought beside a plan.' },
);

type AddOnSpec = Static<typeof AddOnSpecSchema>;

/** An add-on with its priority; the kind gives the default. */
export type RankedAddOn = AddOnSpec & { readonly priority: number };

export function rankedAddOn(object: { readonly spec?: unknown }): RankedAddOn {
  const spec = AddOn.spec(object);
  return { ...spec, priority: priorityOf(spec) };
}

function priorityOf({ priority, kind }: AddOnSpec): number {
  return priority ?? PRIORITY[kind];
}

export const AddOn = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'AddOn',
  plural: 'addons',
  categories: ['products'],
  scope: 'Namespaced',
  released: true,
  description: 'An add-on gives more units of a feature beside a plan: in each period, or once.',
  spec: AddOnSpecSchema,
  columns: [
    {
      name: 'Title',
      type: 'string',
      description: 'The name that people see.',
      value: ({ spec }) => spec.title,
    },
    {
      name: 'Feature',
      type: 'string',
      description: 'The Feature that it adds units to.',
      value: ({ spec }) => spec.feature,
    },
    {
      name: 'Amount',
      type: 'integer',
      description: 'Purchased units.',
      value: ({ spec }) => spec.amount,
    },
    { name: 'Kind', type: 'string', description: 'recurring or topUp.', value: ({ spec }) => spec.kind },
    {
      name: 'Time',
      type: 'string',
      description: 'The period of a recurring add-on, or the validity of a top-up.',
      value: ({ spec }) => spec.per ?? spec.validity,
    },
    {
      name: 'Plans',
      type: 'string',
      description: 'Plans whose listeners may buy it.',
      priority: 1,
      value: ({ spec }) => spec.plans?.join(',') ?? 'all',
    },
  ],
  selectableFields: { 'spec.feature': ['spec', 'feature'] },
  fieldIndexes: { 'spec.feature': 'feature' },
  indexes: { feature: ({ feature }) => [feature] },
  refs: ({ feature, plans = [], markets = [] }) => [
    { path: ['spec', 'feature'], kind: FEATURE, name: feature },
    ...plans.map((name, index) => ({ path: ['spec', 'plans', index], kind: PLAN, name })),
    ...markets.map((name, index) => ({ path: ['spec', 'markets', index], kind: MARKET, name })),
  ],
  validate: (spec, { before }) => [
    ...duplicatesIn(spec.plans ?? [], ['spec', 'plans']),
    ...duplicatesIn(spec.roles ?? [], ['spec', 'roles']),
    ...duplicatesIn(spec.markets ?? [], ['spec', 'markets']),
    ...timeProblems(spec),
    ...rolloverProblems(spec),
    ...soldProblems(spec, before),
  ],
  check: (spec, world) => [...featureProblems(spec, world), ...roleProblems(spec, world)],
  describe: describeAddOn,
  example: {
    name: 'audiobooks-10h',
    spec: {
      title: '10 hours of audiobooks',
      feature: 'audiobooks',
      amount: 600,
      kind: 'topUp',
      validity: 'P12M',
      plans: ['premium', 'duo', 'family'],
      roles: ['manager'],
      priority: 300,
      whileLapsed: 'suspended',
    },
  },
});

function wrong(field: string, detail: string, reason: Problem['reason'] = 'FieldValueInvalid'): Problem {
  return { path: ['spec', ...field.split('.')], reason, detail };
}

function timeProblems({ kind, per, validity }: AddOnSpec): readonly Problem[] {
  const problems: Problem[] = [];
  if (kind === 'recurring') {
    if (per === undefined) {
      problems.push(wrong('per', 'A recurring add-on has a period, like P1M.', 'FieldValueRequired'));
    } else if (!ANCHORED_PERIOD.test(per)) {
      problems.push(
        wrong('per', `"${per}" is not a period; it is a whole number up to 999 of one unit: P1M, P30D, PT6H.`),
      );
    }
    if (validity !== undefined) {
      problems.push(
        wrong('validity', 'A recurring add-on runs until it is ended; remove validity.', 'FieldValueForbidden'),
      );
    }
  } else {
    if (per !== undefined) {
      problems.push(wrong('per', 'A top-up is bought once; how long it lasts is its validity.', 'FieldValueForbidden'));
    }
    if (validity !== undefined && !VALIDITY.test(validity)) {
      problems.push(wrong('validity', `"${validity}" is not a validity; write it like P12M, P30D or P1Y.`));
    }
  }
  return problems;
}

function rolloverProblems({ rollover, kind, per }: AddOnSpec): readonly Problem[] {
  if (rollover === undefined) return [];
  if (kind === 'topUp' || per === undefined) {
    return [wrong('rollover', 'A top-up has one period; how long it lasts is its validity.', 'FieldValueForbidden')];
  }
  return rolloverFaults(rollover, { type: 'anchored', per }).map(({ field, fault }) => wrong(field, fault));
}

/** Sold grants keep their terms, so feature, kind and period cannot change; another product is another add-on. */
function soldProblems(spec: AddOnSpec, before: AddOnSpec | undefined): readonly Problem[] {
  if (before === undefined) return [];
  return (['feature', 'kind', 'per'] as const).flatMap((field) =>
    before[field] === spec[field]
      ? []
      : [
          wrong(
            field,
            `It was sold with ${field} ${before[field] ?? 'absent'}, and its buyers rely on that; declare a new add-on instead.`,
            'FieldValueForbidden',
          ),
        ],
  );
}

function featureProblems({ feature: name, kind }: AddOnSpec, world: World): readonly Problem[] {
  const found = world.get(FEATURE, name);
  if (found === undefined) return [];
  const { title, type } = Feature.spec(found);
  if (type === 'metered' || (type === 'concurrent' && kind === 'recurring')) return [];
  const why =
    type === 'concurrent'
      ? 'is concurrent; only a recurring add-on adds to it'
      : `is a ${type} feature; an add-on needs a metered or concurrent one`;
  return [wrong('feature', `${title} ${why}.`)];
}

function roleProblems({ plans, roles = [] }: AddOnSpec, world: World): readonly Problem[] {
  const named = plans?.flatMap((name) => world.get(PLAN, name) ?? []) ?? [...world.list(PLAN)];
  const known = new Set(named.flatMap((plan) => Plan.spec(plan).roles));
  return roles.flatMap((role, index): readonly Problem[] =>
    known.has(role)
      ? []
      : [
          {
            path: ['spec', 'roles', index],
            reason: 'FieldValueNotFound',
            detail: `"${role}" is not a role of those plans; they have ${[...known].join(', ')}.`,
          },
        ],
  );
}

function describeAddOn(
  name: string,
  { before, after }: SpecChange<AddOnSpec>,
  { world }: { readonly world: World },
): readonly string[] {
  if (after === undefined) return [`Add-on ${before?.title ?? name} is no longer sold; what was bought stays.`];
  const found = world.get(FEATURE, after.feature);
  const feature = found === undefined ? { title: after.feature } : Feature.spec(found);
  const units = 'unit' in feature ? feature.unit : 'units';
  const gives = ({ amount, per, validity }: AddOnSpec): string => {
    if (per !== undefined) {
      const often = periodInWords(per);
      return `${amount} ${units} of ${feature.title} ${isFault(often) ? per : often}`;
    }
    return `${amount} ${units} of ${feature.title}, usable ${validity === undefined ? 'without an end' : `for ${lengthInWords(validity)}`}`;
  };
  const buyers = ({ plans, roles, markets }: AddOnSpec): string =>
    [
      plans === undefined ? 'those on any plan' : `those on ${plans.join(', ')}`,
      ...(roles === undefined ? [] : [`as ${roles.join(', ')}`]),
      ...(markets === undefined ? [] : [`in ${markets.join(', ')}`]),
    ].join(' ');
  const describeLapse = ({ whileLapsed }: AddOnSpec): string =>
    whileLapsed === 'kept'
      ? 'it can be used without a subscription'
      : 'it is suspended, and its time runs, without a subscription';
  if (before === undefined) {
    const rest = after.kind === 'recurring' ? `; ${rolloverInWords(after.rollover, units)}` : '';
    return [`New add-on ${after.title} for ${buyers(after)}: ${gives(after)}${rest}; ${describeLapse(after)}.`];
  }
  const sentences: string[] = [];
  if (before.title !== after.title) sentences.push(`Add-on ${before.title} is now called ${after.title}.`);
  if (gives(before) !== gives(after)) {
    sentences.push(`${after.title}: ${gives(before)} → ${gives(after)}, for purchases from now on.`);
  }
  for (const words of [buyers, describeLapse]) {
    if (words(before) !== words(after)) sentences.push(`${after.title}: ${words(before)} → ${words(after)}.`);
  }
  const goesOn = ({ rollover }: AddOnSpec): string => rolloverInWords(rollover, units);
  if (goesOn(before) !== goesOn(after)) {
    sentences.push(`${after.title}: ${goesOn(before)} → ${goesOn(after)}.`);
  }
  if (priorityOf(before) !== priorityOf(after)) {
    sentences.push(`${after.title}: its priority is ${priorityOf(after)} instead of ${priorityOf(before)}.`);
  }
  return sentences;
}

function lengthInWords(validity: string): string {
  const [, count = '', unit = 'D'] = VALIDITY.exec(validity) ?? [];
  const name = { D: 'day', W: 'week', M: 'month', Y: 'year' }[unit];
  return count === '1' ? `a ${name}` : `${count} ${name}s`;
}
