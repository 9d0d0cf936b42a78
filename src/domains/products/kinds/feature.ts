import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { valueFault } from '../rules/value-schema.ts';
import { FEATURE, GROUP, VERSION } from './identity.ts';

const TITLE_LENGTH_MAX = 100;
/** Listeners would not understand a longer chain of degradations. */
const DEGRADE_STEPS_MAX = 5;

const FeatureSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: TITLE_LENGTH_MAX, description: 'The name that people see.' }),
    type: Type.Enum(['boolean', 'config', 'metered', 'concurrent'], {
      description:
        'boolean: a plan has it or not. config: a plan sets its value. metered: an amount per period. concurrent: so many at once.',
    }),
    unit: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 40,
        description: 'Unit of the limit, in the plural: minutes, skips, streams.',
      }),
    ),
    valueSchema: Type.Optional(
      Type.Object(
        {
          type: Type.Enum(['string', 'integer', 'number', 'boolean'], { description: 'The JSON type of the value.' }),
          enum: Type.Optional(
            Type.Array(
              Type.Unknown({ 'x-kubernetes-preserve-unknown-fields': true, description: 'One allowed value.' }),
              { minItems: 1, maxItems: 100, description: 'The values that are allowed.' },
            ),
          ),
          minimum: Type.Optional(Type.Number({ description: 'The lowest number that is allowed.' })),
          maximum: Type.Optional(Type.Number({ description: 'The highest number that is allowed.' })),
        },
        { description: 'Permitted values of a config feature.' },
      ),
    ),
    degradeTo: Type.Optional(
      Type.String({ minLength: 1, description: 'The Feature to fall back to where a plan does not have this one.' }),
    ),
  },
  { description: 'Something that plans give to listeners.' },
);

export type FeatureSpec = Static<typeof FeatureSpecSchema>;

export const Feature = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Feature',
  plural: 'features',
  shortNames: ['feat'],
  categories: ['products'],
  scope: 'Namespaced',
  released: true,
  description:
    'A feature is something that plans give to listeners: a switch, a setting, an amount or a number at once.',
  spec: FeatureSpecSchema,
  columns: [
    {
      name: 'Title',
      type: 'string',
      description: 'The name that people see.',
      value: ({ spec }) => spec.title,
    },
    { name: 'Type', type: 'string', description: 'How it is given.', value: ({ spec }) => spec.type },
    {
      name: 'Unit',
      type: 'string',
      description: 'Unit of the limit.',
      value: ({ spec }) => spec.unit,
    },
    {
      name: 'Degrades To',
      type: 'string',
      description: 'The Feature that a listener without it gets.',
      value: ({ spec }) => spec.degradeTo,
    },
  ],
  refs: ({ degradeTo }) =>
    degradeTo === undefined ? [] : [{ path: ['spec', 'degradeTo'], kind: FEATURE, name: degradeTo }],
  validate: (spec, { name }) => [...shapeProblems(spec), ...valueSchemaProblems(spec), ...selfProblems(spec, name)],
  check: (spec, world, name) => loopProblems(spec, world, name),
  describe: (name, { before, after }) => {
    if (after === undefined) return [`Feature ${before?.title ?? name} is removed.`];
    if (before === undefined) return [`New feature: ${after.title} (${after.type}).`];
    const sentences: string[] = [];
    if (before.title !== after.title) sentences.push(`Feature ${before.title} is now called ${after.title}.`);
    if (before.type !== after.type) sentences.push(`${after.title}: ${before.type} → ${after.type}.`);
    if (before.unit !== after.unit) {
      sentences.push(`${after.title} is counted in ${after.unit ?? 'no unit'} instead of ${before.unit ?? 'no unit'}.`);
    }
    if (JSON.stringify(before.valueSchema) !== JSON.stringify(after.valueSchema)) {
      sentences.push(`${after.title}: the values that plans may set change.`);
    }
    if (before.degradeTo !== after.degradeTo) {
      sentences.push(
        after.degradeTo === undefined
          ? `${after.title} no longer degrades to ${before.degradeTo}.`
          : `${after.title} degrades to ${after.degradeTo} where a plan does not have it.`,
      );
    }
    return sentences;
  },
  example: {
    name: 'on-demand',
    spec: { title: 'Play any track on demand', type: 'boolean', degradeTo: 'shuffle' },
  },
});

function shapeProblems({ type, unit, valueSchema }: FeatureSpec): readonly Problem[] {
  const problems: Problem[] = [];
  const counted = type === 'metered' || type === 'concurrent';
  if (counted && unit === undefined) {
    problems.push({
      path: ['spec', 'unit'],
      reason: 'FieldValueRequired',
      detail: `A ${type} feature says what it counts, like minutes.`,
    });
  }
  if (!counted && unit !== undefined) {
    problems.push({
      path: ['spec', 'unit'],
      reason: 'FieldValueForbidden',
      detail: `A ${type} feature counts nothing; remove the unit "${unit}".`,
    });
  }
  if (type === 'config' && valueSchema === undefined) {
    problems.push({
      path: ['spec', 'valueSchema'],
      reason: 'FieldValueRequired',
      detail: 'A config feature says what values plans may set.',
    });
  }
  if (type !== 'config' && valueSchema !== undefined) {
    problems.push({
      path: ['spec', 'valueSchema'],
      reason: 'FieldValueForbidden',
      detail: `Only a config feature has values; this one is ${type}.`,
    });
  }
  return problems;
}

function valueSchemaProblems({ valueSchema }: FeatureSpec): readonly Problem[] {
  if (valueSchema === undefined) return [];
  const { type, minimum, maximum } = valueSchema;
  const path = ['spec', 'valueSchema'];
  const problems: Problem[] = [];
  const numeric = type === 'integer' || type === 'number';
  for (const [field, bound] of Object.entries({ minimum, maximum })) {
    if (bound === undefined || numeric) continue;
    problems.push({ path: [...path, field], reason: 'FieldValueForbidden', detail: `A ${type} has no ${field}.` });
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    problems.push({
      path: [...path, 'minimum'],
      reason: 'FieldValueInvalid',
      detail: `The minimum ${minimum} is above the maximum ${maximum}.`,
    });
  }
  for (const [index, value] of (valueSchema.enum ?? []).entries()) {
    const fault = valueFault(valueSchema, value);
    if (fault === undefined) continue;
    problems.push({
      path: [...path, 'enum', index],
      reason: 'FieldValueInvalid',
      detail: `${JSON.stringify(value)} ${fault}.`,
    });
  }
  return problems;
}

function selfProblems({ degradeTo }: FeatureSpec, name: string): readonly Problem[] {
  if (degradeTo !== name) return [];
  return [{ path: ['spec', 'degradeTo'], reason: 'FieldValueInvalid', detail: `"${name}" cannot degrade to itself.` }];
}

function loopProblems(spec: FeatureSpec, world: World, name: string): readonly Problem[] {
  const steps = [name];
  let next = spec.degradeTo;
  while (next !== undefined) {
    steps.push(next);
    if (next === name || steps.length > DEGRADE_STEPS_MAX + 1) {
      const what = next === name ? 'goes round in a circle' : `has more than ${DEGRADE_STEPS_MAX} steps`;
      return [
        {
          path: ['spec', 'degradeTo'],
          reason: 'FieldValueInvalid',
          detail: `The degradation ${steps.join(' → ')} ${what}.`,
        },
      ];
    }
    const target = world.get(FEATURE, next);
    next = target === undefined ? undefined : Feature.spec(target).degradeTo;
  }
  return [];
}
