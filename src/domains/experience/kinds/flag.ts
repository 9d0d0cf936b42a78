import { attributeLookup } from '#kernel/audiences/kinds/attribute.ts';
import { ruleProblems } from '#kernel/audiences/language/check-rule.ts';
import { BUILT_IN_ATTRIBUTES } from '#kernel/audiences/language/attributes.ts';
import { AUDIENCE } from '#kernel/audiences/language/identity.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { CheckContext, World } from '#kernel/kinds/kind.ts';
import { splitProblems, trafficProblems, unitProblems } from './check-split.ts';
import { audienceRefs } from './audience-refs.ts';
import { describeFlag } from './describe-flag.ts';
import { flagKey, FlagSpecSchema, flagSpec, type FlagRule, type FlagSpec, type Requirement } from './flag-spec.ts';
import { EXPERIMENT, FLAG, GROUP, HOLDOUT, VERSION } from './identity.ts';

/** Maximum size of a value: bulk answers include every value. */
const VALUE_CHARS_MAX = 32_768;

/** The fields of keys and references. Attributes that every installation has are no references. */
const REFERRING = new RegExp(
  `"(?:key|requires|audience)":|"attribute":"(?!(?:${BUILT_IN_ATTRIBUTES.map(({ name }) => name).join('|')})")`,
);

export const Flag = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Flag',
  plural: 'flags',
  categories: ['experience'],
  scope: 'Namespaced',
  released: true,
  decidedBy: [AUDIENCE, EXPERIMENT, HOLDOUT],
  description: 'A flag is a value that the app reads; rules and experiments choose the variant for each listener.',
  spec: FlagSpecSchema,
  columns: [
    {
      name: 'Key',
      type: 'string',
      description: 'The key that code uses.',
      priority: 1,
      value: ({ spec, metadata }) => flagKey(metadata.name, spec),
    },
    { name: 'Type', type: 'string', description: 'The JSON type of its values.', value: ({ spec }) => spec.type },
    {
      name: 'Variants',
      type: 'string',
      description: 'Its variants.',
      value: ({ spec }) => spec.variants.map(({ name }) => name).join(','),
    },
    {
      name: 'Default',
      type: 'string',
      description: 'The variant without a matching rule or experiment.',
      value: ({ spec }) => spec.default,
    },
    {
      name: 'Rules',
      type: 'integer',
      description: 'Number of rules.',
      value: ({ spec }) => spec.rules?.length ?? 0,
    },
    { name: 'Enabled', type: 'boolean', description: 'Whether it is on.', value: ({ spec }) => spec.enabled },
    {
      name: 'Owner',
      type: 'string',
      description: 'Team or person to contact.',
      priority: 1,
      value: ({ spec }) => spec.owner,
    },
  ],
  refs: (spec) => [
    ...requirementsIn(spec).map(({ flag, path }) => ({ path: [...path, 'flag'], kind: FLAG, name: flag })),
    ...(spec.rules ?? []).flatMap((rule, index) => audienceRefs(rule, ['spec', 'rules', index])),
  ],
  indexes: { key: ({ key }) => (key === undefined ? [] : [key]) },
  isAlone: (specText) => !REFERRING.test(specText),
  validate: (spec, context) => {
    const attributes = attributeLookup(context);
    return [
      ...keyProblems(spec, context),
      ...variantProblems(spec),
      ...requireProblems(spec, context.name),
      ...unitProblems(spec.unit, attributes, ['spec', 'unit']),
      ...repeatedNames(spec.rules ?? [], ['spec', 'rules']),
      ...(spec.rules ?? []).flatMap((rule, index): readonly Problem[] => {
        const at: Path = ['spec', 'rules', index];
        return [
          ...(rule.when === undefined ? [] : ruleProblems(rule.when, [...at, 'when'], attributes)),
          ...serveProblems(rule, spec, at),
          ...unitProblems(rule.unit, attributes, [...at, 'unit']),
          ...trafficProblems(rule.traffic, attributes, [...at, 'traffic']),
        ];
      }),
    ];
  },
  check: (spec, world, name) => requirementProblems(spec, world, name),
  checksReferencesOnly: true,
  describe: describeFlag,
  example: {
    name: 'night-mode',
    spec: {
      title: 'Night mode',
      owner: 'app-team',
      type: 'boolean',
      variants: [
        { name: 'on', value: true },
        { name: 'off', value: false },
      ],
      default: 'off',
      enabled: true,
      rules: [
        {
          name: 'sweden',
          when: { anyOf: [{ allOf: [{ attribute: 'targetingKey', startsWith: ['test-'] }] }] },
          serve: 'on',
        },
        { name: 'ramp', traffic: { percent: 10 }, serve: 'on' },
      ],
    },
  },
});

/** Requirements of a flag and its rules, with their paths. */
function requirementsIn({ requires = [], rules = [] }: FlagSpec): readonly (Requirement & { readonly path: Path })[] {
  return [
    ...requires.map((each, index) => ({ ...each, path: ['spec', 'requires', index] })),
    ...rules.flatMap((rule, at) =>
      (rule.requires ?? []).map((each, index) => ({ ...each, path: ['spec', 'rules', at, 'requires', index] })),
    ),
  ];
}

/** The problem of a variant reference. */
export function variantProblem(name: string, variants: readonly { readonly name: string }[], path: Path): Problem[] {
  const names = variants.map((variant) => variant.name);
  if (names.includes(name)) return [];
  const detail = `there is no variant "${name}"${didYouMean(nearSpellings(name, names))}; there are ${names.join(', ')}`;
  return [{ path, reason: 'FieldValueNotFound', detail }];
}

/** Flag keys are unique and immutable: code uses them. */
function keyProblems(spec: FlagSpec, context: CheckContext & { name: string; before?: FlagSpec }): Problem[] {
  const path: Path = ['spec', 'key'];
  const { name, before, find } = context;
  const key = flagKey(name, spec);
  const was = before === undefined ? key : flagKey(name, before);
  if (was !== key) {
    const detail = `code uses "${was}"; a flag with another key is another flag`;
    return [{ path, reason: 'FieldValueForbidden', detail }];
  }
  const named = find(FLAG, 'name', key).filter((other) => flagSpec(other).key === undefined);
  const other = [...find(FLAG, 'key', key), ...named].find(({ metadata }) => metadata.name !== name);
  if (other === undefined) return [];
  const detail = `Flag "${other.metadata.name}" has the key "${key}" already`;
  const about = { kind: FLAG, name: other.metadata.name, instead: `another flag has the key "${key}" already` };
  return [{ path, reason: 'FieldValueDuplicate', detail, about }];
}

function variantProblems({ type, variants, default: fallback }: FlagSpec): Problem[] {
  return [
    ...repeatedNames(variants, ['spec', 'variants']),
    ...variants.flatMap(({ value }, index): Problem[] => {
      const path: Path = ['spec', 'variants', index, 'value'];
      const found = typeof value;
      const fits = type === 'object' ? found === 'object' && value !== null : found === type;
      if (!fits) {
        const shown = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80);
        return [{ path, reason: 'FieldValueInvalid', detail: `${shown} is not of the type ${type} of the flag` }];
      }
      const chars = JSON.stringify(value).length;
      return chars <= VALUE_CHARS_MAX
        ? []
        : [
            {
              path,
              reason: 'FieldValueTooLong',
              detail: `the value has ${chars} characters as JSON, at most ${VALUE_CHARS_MAX} are allowed`,
            },
          ];
    }),
    ...(fallback === undefined ? [] : variantProblem(fallback, variants, ['spec', 'default'])),
  ];
}

function repeatedNames(items: readonly { readonly name: string }[], path: Path): Problem[] {
  return items.flatMap(({ name }, index): Problem[] =>
    items.findIndex((other) => other.name === name) === index
      ? []
      : [{ path: [...path, index, 'name'], reason: 'FieldValueDuplicate', detail: `"${name}" is listed twice` }],
  );
}

function serveProblems(rule: FlagRule, { variants }: FlagSpec, at: Path): readonly Problem[] {
  const { serve, split, bucketing, unit } = rule;
  if ((serve === undefined) === (split === undefined)) {
    const detail = 'a rule needs exactly one of serve (one variant) and split (variants with weights)';
    return [
      {
        path: serve === undefined ? at : [...at, 'split'],
        reason: serve === undefined ? 'FieldValueRequired' : 'FieldValueForbidden',
        detail,
      },
    ];
  }
  if (serve !== undefined) {
    const unused = bucketing !== undefined ? 'bucketing' : unit !== undefined ? 'unit' : undefined;
    return [
      ...variantProblem(serve, variants, [...at, 'serve']),
      ...(unused === undefined
        ? []
        : [
            {
              path: [...at, unused],
              reason: 'FieldValueForbidden' as const,
              detail: `${unused} needs a split; for the share that takes part, set it in traffic`,
            },
          ]),
    ];
  }
  return [
    ...splitProblems(split ?? [], [...at, 'split']),
    ...(split ?? []).flatMap(({ variant }, index) =>
      variantProblem(variant, variants, [...at, 'split', index, 'variant']),
    ),
  ];
}

function requireProblems(spec: FlagSpec, name: string): Problem[] {
  return requirementsIn(spec).flatMap(({ flag, path }): Problem[] =>
    flag === name
      ? [
          {
            path: [...path, 'flag'],
            reason: 'FieldValueInvalid',
            detail: 'a flag cannot require itself',
          },
        ]
      : [],
  );
}

/** References to missing variants, and loops of requirements. */
function requirementProblems(spec: FlagSpec, world: World, name: string): Problem[] {
  return requirementsIn(spec).flatMap(({ flag, variants, path }): Problem[] => {
    const required = world.get(FLAG, flag);
    if (required === undefined) return [];
    const known = flagSpec(required).variants;
    const circle = pathTo(world, name, [name, flag]);
    return [
      ...variants.flatMap((variant, at) => variantProblem(variant, known, [...path, 'variants', at])),
      ...(circle === undefined
        ? []
        : [
            {
              path: [...path, 'flag'],
              reason: 'FieldValueInvalid' as const,
              detail: `flags require each other in a loop: ${circle.join(' → ')}`,
            },
          ]),
    ];
  });
}

/** Follows requirements from the last flag of a path to the wanted one; undefined when none lead there. */
function pathTo(
  world: World,
  wanted: string,
  path: readonly string[],
  seen = new Set<string>(),
): readonly string[] | undefined {
  const from = path.at(-1) ?? wanted;
  if (from === wanted) return path;
  if (seen.has(from)) return undefined;
  seen.add(from);
  const object = world.get(FLAG, from);
  for (const { flag } of object === undefined ? [] : requirementsIn(flagSpec(object))) {
    const found = pathTo(world, wanted, [...path, flag], seen);
    if (found !== undefined) return found;
  }
  return undefined;
}
