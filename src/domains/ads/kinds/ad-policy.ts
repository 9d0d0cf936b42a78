import { Type, type Static } from 'typebox';
import { ATTRIBUTE } from '#kernel/audiences/language/identity.ts';
import { attributeObjectName, BUILT_IN_ATTRIBUTES } from '#kernel/audiences/language/attributes.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean } from '#kernel/base/spelling.ts';
import { nearTerritories, TERRITORIES } from '#kernel/base/territories.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { LOAD_LIMITS, SESSION_PAUSE_MINUTES } from '../rules/ad-load.ts';
import { FRAMEWORKS, INTEREST_PURPOSES } from '../rules/consent/permission.ts';
import type { ListenerPolicy } from '../rules/listener-rules.ts';
import { GROUP, VERSION } from './identity.ts';
import { title } from './parts.ts';

const AGE_MAX = 100;
const RULES_MAX = 100;
const CATEGORIES_MAX = 200;
const ATTRIBUTES_MAX = 100;
/** A day. */
const REWARDED_MINUTES_MAX = 1_440;
/** Numbers of the Global Vendor List have 16 bits. */
const VENDOR_MAX = 65_535;

const territories = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1 alpha-2, in capitals.' }), {
      minItems: 1,
      maxItems: TERRITORIES.size,
      uniqueItems: true,
      description,
    }),
  );

const categoryNames = (description: string) =>
  Type.Array(Type.String({ pattern: '^[A-Za-z0-9][\\w.-]{0,49}$', description: 'A category, like IAB8-5.' }), {
    minItems: 1,
    maxItems: CATEGORIES_MAX,
    uniqueItems: true,
    description,
  });

const attributeNames = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 100, description: 'Name of an Attribute.' }), {
      minItems: 1,
      maxItems: ATTRIBUTES_MAX,
      uniqueItems: true,
      description,
    }),
  );

const AdPolicySpecSchema = Type.Object(
  {
    title,
    load: Type.Optional(
      Type.Object(
        {
          breaksPerHour: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: LOAD_LIMITS.breaksPerHourMax,
              description: 'The most breaks with ads in any 60 minutes.',
            }),
          ),
          gapSeconds: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: LOAD_LIMITS.gapSecondsMax,
              description: 'From the answer of a break to the next, at least; in a VMAP from one offset to the next.',
            }),
          ),
          graceMinutes: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: SESSION_PAUSE_MINUTES,
              description: `The first minutes of a session are without ads. A question for a break after ${SESSION_PAUSE_MINUTES} minutes without one begins a session of the listener; without permission for a history only a session that a server Client or user names has it.`,
            }),
          ),
          rewardedMinutes: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: REWARDED_MINUTES_MAX,
              description:
                'Of placements that are `rewarded`: so long after an ad was played to the end, no placement whose policy has a load has breaks.',
            }),
          ),
        },
        {
          description:
            'How often a listener gets breaks with ads: all placements whose policies have a load count together. Questions name the listener or the session; those without either get no ads.',
        },
      ),
    ),
    explicit: Type.Enum(['unlessFiltered', 'adults', 'never'], {
      default: 'unlessFiltered',
      description:
        'Who gets explicit ads: listeners who do not filter them; of those only adults; or nobody. Children never.',
    }),
    ages: Type.Object(
      {
        teenFrom: Type.Integer({
          minimum: 1,
          maximum: AGE_MAX,
          default: 13,
          description: 'Younger ones are children.',
        }),
        adultFrom: Type.Integer({ minimum: 1, maximum: AGE_MAX, default: 18, description: 'Younger ones are teens.' }),
      },
      { default: {}, description: 'Years of age at which the groups begin.' },
    ),
    childCategories: Type.Optional(
      categoryNames('Categories of advertisers that children may get. Absent: children get no ads.'),
    ),
    categories: Type.Optional(
      Type.Array(
        Type.Object(
          {
            categories: categoryNames('Categories of advertisers that the rule concerns.'),
            minAge: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: AGE_MAX,
                description: 'Years of age. A listener of unknown age counts as younger.',
              }),
            ),
            territories: territories('Served only here. An unknown territory is none of them.'),
            deniedIn: territories('Never served here, nor where the territory is unknown.'),
          },
          { description: 'One rule.' },
        ),
        { minItems: 1, maxItems: RULES_MAX, description: 'Rules for categories: all that name one apply.' },
      ),
    ),
    consent: Type.Array(
      Type.Object(
        {
          territories: territories('Where the rule applies. Absent: everywhere else; such a rule is the last one.'),
          framework: Type.Enum(FRAMEWORKS, {
            description:
              'tcf: the listener consents by a string of TCF 2.3. gpp: they did not opt out by the US national section of GPP. none: no consent is needed.',
          }),
          vendor: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: VENDOR_MAX,
              description: 'With tcf: the own number in the Global Vendor List.',
            }),
          ),
          legitimateInterests: Type.Optional(
            Type.Array(Type.Enum(INTEREST_PURPOSES, { description: '2 (limited ads) or 7 (measurement).' }), {
              minItems: 1,
              maxItems: INTEREST_PURPOSES.length,
              uniqueItems: true,
              description: 'With tcf: purposes declared there by legitimate interest. All others need consent.',
            }),
          ),
        },
        { description: 'One rule.' },
      ),
      {
        minItems: 1,
        maxItems: RULES_MAX,
        description:
          'Consent by territory: the first rule that fits applies. Where none fits, nothing is consented to.',
      },
    ),
    attributes: Type.Optional(
      Type.Object(
        {
          contextual: attributeNames('Attributes of the content: they choose ads without any consent.'),
          limited: attributeNames(
            'Attributes of the device and the rough place: they choose ads where limited data may be used.',
          ),
        },
        {
          description: 'Attributes that may choose ads without consent to personal ads. All others need that consent.',
        },
      ),
    ),
  },
  { description: 'Rules for what listeners may get, and for what may be known of them.' },
);

export type AdPolicySpec = Static<typeof AdPolicySpecSchema>;

export const AdPolicy = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'AdPolicy',
  plural: 'adpolicies',
  categories: ['advertising'],
  scope: 'Namespaced',
  released: true,
  description:
    'An ad policy has the rules of placements for consent, ages, territories and explicit ads. Without one a placement serves nothing.',
  spec: AdPolicySpecSchema,
  columns: [
    { name: 'Title', type: 'string', description: 'The name that people see.', value: ({ spec }) => spec.title },
    {
      name: 'Consent',
      type: 'string',
      description: 'Frameworks of its consent rules.',
      value: ({ spec }) => [...new Set(spec.consent.map(({ framework }) => framework))].join(','),
    },
  ],
  refs: ({ attributes = {} }) =>
    Object.entries(attributes).flatMap(([use, names]) =>
      (names as readonly string[]).flatMap((name, index) =>
        BUILT_IN_ATTRIBUTES.some((attribute) => attribute.name === name)
          ? []
          : [{ path: ['spec', 'attributes', use, index], kind: ATTRIBUTE, name: attributeObjectName(name) }],
      ),
    ),
  validate: (spec) => [
    ...loadProblems(spec),
    ...ageProblems(spec),
    ...categoryProblems(spec),
    ...consentProblems(spec),
  ],
  describe: (name, { before, after }) => {
    const label = `AdPolicy ${(after ?? before)?.title ?? name}`;
    if (after === undefined) return [`${label} is removed: placements that name it serve nothing.`];
    if (before === undefined) return [`New ${label}: consent by ${consentInWords(after)}.`];
    const [was, is] = [consentInWords(before), consentInWords(after)];
    return was === is ? [] : [`${label}: consent by ${was} → ${is}.`];
  },
  example: {
    name: 'standard',
    spec: {
      load: { breaksPerHour: 6, gapSeconds: 300, graceMinutes: 5, rewardedMinutes: 30 },
      explicit: 'unlessFiltered',
      ages: { teenFrom: 13, adultFrom: 18 },
      childCategories: ['IAB6'],
      categories: [{ categories: ['IAB8-5'], minAge: 21, deniedIn: ['NO'] }],
      consent: [
        { territories: ['DE', 'FR'], framework: 'tcf', vendor: 755, legitimateInterests: [7] },
        { territories: ['US'], framework: 'gpp' },
        { framework: 'none' },
      ],
      attributes: { contextual: ['genre'], limited: ['timeZone'] },
    },
  },
});

/** The policy as the decision reads it. */
export function listenerPolicy(spec: AdPolicySpec): ListenerPolicy {
  const { load, explicit, ages, childCategories = [], categories = [], consent, attributes = {} } = spec;
  const { contextual = [], limited = [] } = attributes;
  return { load, explicit, ages, childCategories, categories, consent, attributes: { contextual, limited } };
}

function loadProblems({ load }: AdPolicySpec): readonly Problem[] {
  if (load === undefined || Object.keys(load).length > 0) return [];
  const detail = 'a load has breaksPerHour, gapSeconds, graceMinutes or rewardedMinutes';
  return [{ path: ['spec', 'load'], reason: 'FieldValueRequired', detail }];
}

function ageProblems({ ages: { teenFrom, adultFrom } }: AdPolicySpec): readonly Problem[] {
  if (teenFrom <= adultFrom) return [];
  const detail = `teens begin at ${teenFrom}, after adults at ${adultFrom}`;
  return [{ path: ['spec', 'ages', 'teenFrom'], reason: 'FieldValueInvalid', detail }];
}

function categoryProblems({ categories = [] }: AdPolicySpec): readonly Problem[] {
  return categories.flatMap((rule, index) => {
    const path = ['spec', 'categories', index];
    const { minAge, territories: only, deniedIn } = rule;
    if (minAge === undefined && only === undefined && deniedIn === undefined) {
      const detail = 'a rule has minAge, territories or deniedIn: without, it does nothing';
      return [{ path, reason: 'FieldValueRequired' as const, detail }];
    }
    return [
      ...territoryProblems(only, [...path, 'territories']),
      ...territoryProblems(deniedIn, [...path, 'deniedIn']),
    ];
  });
}

function consentProblems({ consent }: AdPolicySpec): readonly Problem[] {
  return consent.flatMap(({ territories: where, framework, vendor, legitimateInterests }, index) => {
    const path = ['spec', 'consent', index];
    const problem = (field: string, reason: Problem['reason'], detail: string): Problem => ({
      path: [...path, field],
      reason,
      detail,
    });
    const isLast = index === consent.length - 1;
    const strays = framework === 'tcf' ? [] : (['vendor', 'legitimateInterests'] as const);
    return [
      ...territoryProblems(where, [...path, 'territories']),
      ...(where === undefined && !isLast
        ? [
            problem(
              'territories',
              'FieldValueRequired',
              'a rule for everywhere hides the rules after it: let it be the last',
            ),
          ]
        : []),
      ...(framework === 'tcf' && vendor === undefined
        ? [problem('vendor', 'FieldValueRequired', 'consent by tcf is given to a vendor')]
        : []),
      ...strays
        .filter((field) => ({ vendor, legitimateInterests })[field] !== undefined)
        .map((field) => problem(field, 'FieldValueForbidden', `it belongs to tcf, and the framework is ${framework}`)),
    ];
  });
}

function territoryProblems(codes: readonly string[] = [], path: Path): readonly Problem[] {
  return codes.flatMap((code, index) => {
    if (TERRITORIES.has(code)) return [];
    const detail = `"${code}" is not a code of ISO 3166-1${didYouMean(nearTerritories(code, TERRITORIES))}`;
    return [{ path: [...path, index], reason: 'FieldValueInvalid' as const, detail }];
  });
}

function consentInWords({ consent }: AdPolicySpec): string {
  return consent
    .map(
      ({ framework, territories: where }) =>
        `${framework} ${where === undefined ? 'everywhere else' : `in ${where.join(', ')}`}`,
    )
    .join('; ');
}
