import { Type, type Static } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { defineKind } from '#kernel/resources/define-kind.ts';
import type { World } from '#kernel/resources/kind.ts';
import { itemFault } from '../field-check.ts';
import { durationProblems, durationText } from '#kernel/resources/schema/duration.ts';
import { eventTypeSpec } from './event-type-spec.ts';
import { EVENT_TYPE, GROUP, VERSION } from './identity.ts';

const FILTERS_MAX = 10;
const VALUES_MAX = 100;

const Scalar = (description: string) => Type.Unknown({ 'x-kubernetes-preserve-unknown-fields': true, description });

const filter = Type.Optional(
  Type.Array(
    Type.Object(
      {
        field: Type.String({ minLength: 1, maxLength: 63, description: 'Name of a field of the event type.' }),
        equals: Type.Optional(Scalar('The value that the field has.')),
        in: Type.Optional(
          Type.Array(Scalar('One value.'), {
            minItems: 1,
            maxItems: VALUES_MAX,
            description: 'The field has one of these values.',
          }),
        ),
      },
      { description: 'A condition on one field.' },
    ),
    { minItems: 1, maxItems: FILTERS_MAX, description: 'Only events for which all of these hold.' },
  ),
);

const amount = (description: string) =>
  Type.Optional(
    Type.Object(
      {
        eventType: Type.Optional(
          Type.String({ minLength: 1, description: 'The EventType; absent: that of the metric.' }),
        ),
        field: Type.Optional(
          Type.String({ minLength: 1, maxLength: 63, description: 'What is added up; absent: events are counted.' }),
        ),
        filter,
      },
      { description },
    ),
  );

const MetricSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' }),
    description: Type.Optional(Type.String({ maxLength: 1_000, description: 'What it tells, and what it does not.' })),
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'The team that answers for it.' }),
    eventType: Type.String({ minLength: 1, description: 'The EventType that it is computed from.' }),
    type: Type.Enum(['count', 'sum', 'mean', 'proportion', 'ratio', 'quantile'], {
      description:
        'Of each unit: count: its events. sum: the field added up. proportion: whether it has such an event. Over events: mean and quantile of the field. ratio: numerator over denominator, both added up.',
    }),
    field: Type.Optional(
      Type.String({ minLength: 1, maxLength: 63, description: 'The number that sum, mean and quantile are about.' }),
    ),
    numerator: amount('Above the line of a ratio.'),
    denominator: amount('Below the line of a ratio.'),
    quantile: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: '0.99 is the 99th percentile.' }),
    ),
    filter,
    direction: Type.Enum(['increase', 'decrease'], { description: 'Which way is better.' }),
    margin: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        exclusiveMaximum: 1,
        description: 'A change for the worse, relative to control, that is still no harm: 0.01 is one per cent.',
      }),
    ),
    window: Type.Optional(durationText('How long after its exposure events of a unit count; absent: until the end.')),
    winsorize: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0.5,
        exclusiveMaximum: 1,
        description: 'Values of units above this quantile of all arms together are lowered to it.',
      }),
    ),
  },
  { description: 'A number that is computed from events.' },
);

export type MetricSpec = Static<typeof MetricSpecSchema>;
type Amount = NonNullable<MetricSpec['numerator']>;
type Filter = NonNullable<MetricSpec['filter']>;

/** The spec of a stored or live Metric, which has passed the schema. */
export function metricSpec(object: { readonly spec?: unknown }): MetricSpec {
  return object.spec as MetricSpec;
}

export const Metric = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Metric',
  plural: 'metrics',
  categories: ['measurement'],
  scope: 'Namespaced',
  released: true,
  description: 'A number that is computed from events, for experiments, releases and reports alike.',
  spec: MetricSpecSchema,
  columns: [
    { name: 'Title', type: 'string', description: 'The name that people see.', value: (m) => metricSpec(m).title },
    { name: 'Type', type: 'string', description: 'How it is computed.', value: (m) => metricSpec(m).type },
    { name: 'Events', type: 'string', description: 'The EventType.', value: (m) => metricSpec(m).eventType },
    { name: 'Better', type: 'string', description: 'Which way is better.', value: (m) => metricSpec(m).direction },
    { name: 'Owner', type: 'string', description: 'The team that answers for it.', value: (m) => metricSpec(m).owner },
  ],
  refs: ({ eventType, numerator, denominator }) => [
    { path: ['spec', 'eventType'], kind: EVENT_TYPE, name: eventType },
    ...Object.entries({ numerator, denominator }).flatMap(([part, given]) =>
      given?.eventType === undefined
        ? []
        : [{ path: ['spec', part, 'eventType'], kind: EVENT_TYPE, name: given.eventType }],
    ),
  ],
  validate: (spec) => [
    ...partProblems(spec),
    ...filterProblems(spec.filter, ['spec', 'filter']),
    ...filterProblems(spec.numerator?.filter, ['spec', 'numerator', 'filter']),
    ...filterProblems(spec.denominator?.filter, ['spec', 'denominator', 'filter']),
    ...(spec.window === undefined ? [] : durationProblems(['spec', 'window'], spec.window, 'PT1M', 'P365D')),
  ],
  check: (spec, world) => [
    ...amountProblems(spec, spec.eventType, ['spec'], world),
    ...amountProblems(spec.numerator, spec.eventType, ['spec', 'numerator'], world),
    ...amountProblems(spec.denominator, spec.eventType, ['spec', 'denominator'], world),
  ],
  describe: (name, before, after) => {
    if (after === undefined) return [`The metric ${before?.title ?? name} is removed.`];
    if (before === undefined) return [`New metric: ${after.title} (${after.type} of ${after.eventType}).`];
    const sentences: string[] = [];
    if (before.title !== after.title) sentences.push(`The metric ${before.title} is now called ${after.title}.`);
    if (before.direction !== after.direction)
      sentences.push(`${after.title} is now better when it ${after.direction}s.`);
    if (before.margin !== after.margin) {
      sentences.push(`${after.title}: the margin is ${after.margin ?? 'none'} instead of ${before.margin ?? 'none'}.`);
    }
    const computed = ({
      type,
      eventType,
      field,
      numerator,
      denominator,
      quantile,
      filter,
      window,
      winsorize,
    }: MetricSpec) =>
      JSON.stringify([type, eventType, field, numerator, denominator, quantile, filter, window, winsorize]);
    if (computed(before) !== computed(after)) {
      sentences.push(`${after.title} is computed differently: values from before and after do not compare.`);
    }
    return sentences;
  },
  example: {
    name: 'minutes-played',
    spec: {
      title: 'Time listened',
      owner: 'playback',
      eventType: 'play',
      type: 'sum',
      field: 'playedMs',
      direction: 'increase',
      margin: 0.01,
      window: 'P7D',
      winsorize: 0.999,
    },
  },
});

const NUMERIC: ReadonlySet<string> = new Set(['integer', 'number', 'decimal']);

/** The fields that each type needs; it takes no other of them. */
const PARTS: Readonly<Record<MetricSpec['type'], readonly (keyof MetricSpec)[]>> = {
  count: [],
  proportion: [],
  sum: ['field'],
  mean: ['field'],
  quantile: ['field', 'quantile'],
  ratio: ['numerator', 'denominator'],
};

function partProblems(spec: MetricSpec): readonly Problem[] {
  const { type } = spec;
  const needs = new Set(PARTS[type]);
  const problems = (['field', 'quantile', 'numerator', 'denominator'] as const).flatMap((part): Problem[] => {
    const path = ['spec', part];
    if (needs.has(part) && spec[part] === undefined) {
      return [{ path, reason: 'FieldValueRequired', detail: `A metric of type ${type} says its ${part}.` }];
    }
    if (needs.has(part) || spec[part] === undefined) return [];
    return [{ path, reason: 'FieldValueForbidden', detail: `A metric of type ${type} has no ${part}.` }];
  });
  if (spec.winsorize !== undefined && (type === 'quantile' || type === 'proportion')) {
    const detail = `A metric of type ${type} has no outliers to lower.`;
    problems.push({ path: ['spec', 'winsorize'], reason: 'FieldValueForbidden', detail });
  }
  if (spec.filter !== undefined && type === 'ratio') {
    const detail = 'Say in the numerator and the denominator which events count.';
    problems.push({ path: ['spec', 'filter'], reason: 'FieldValueForbidden', detail });
  }
  return problems;
}

function filterProblems(filters: Filter | undefined, path: Path): readonly Problem[] {
  return (filters ?? []).flatMap(({ equals, in: values }, index): Problem[] =>
    (equals === undefined) === (values === undefined)
      ? [{ path: [...path, index], reason: 'FieldValueInvalid', detail: 'A condition has either equals or in.' }]
      : [],
  );
}

function amountProblems(given: Amount | undefined, eventType: string, path: Path, world: World): readonly Problem[] {
  if (given === undefined) return [];
  const name = given.eventType ?? eventType;
  const live = world.get(EVENT_TYPE, name);
  // That it is missing is said of the reference.
  if (live === undefined) return [];
  const { properties } = eventTypeSpec(live).schema;
  const problems: Problem[] = [];
  const declared = (field: string, at: Path) => {
    const found = Object.hasOwn(properties, field) ? properties[field] : undefined;
    if (found === undefined) {
      const hint = didYouMean(nearSpellings(field, Object.keys(properties)));
      const detail = `EventType "${name}" has no field "${field}"${hint}.`;
      problems.push({ path: at, reason: 'FieldValueNotFound', detail });
    } else if (found.sensitive === true) {
      const detail = `The field "${field}" of EventType "${name}" is sensitive: nothing can be computed from it.`;
      problems.push({ path: at, reason: 'FieldValueForbidden', detail });
    }
    return found;
  };
  if (given.field !== undefined) {
    const type = declared(given.field, [...path, 'field'])?.type;
    if (type !== undefined && !NUMERIC.has(type)) {
      const detail = `The field "${given.field}" of EventType "${name}" is of the type ${type}, and must be a number.`;
      problems.push({ path: [...path, 'field'], reason: 'FieldValueInvalid', detail });
    }
  }
  for (const [index, { field, equals, in: values = [equals] }] of (given.filter ?? []).entries()) {
    const at = [...path, 'filter', index];
    const found = declared(field, [...at, 'field']);
    if (found === undefined) continue;
    const { type } = found;
    if (type === 'array' || type === 'object') {
      const detail = `The field "${field}" is of the type ${type}, which cannot be compared.`;
      problems.push({ path: [...at, 'field'], reason: 'FieldValueInvalid', detail });
      continue;
    }
    for (const value of values) {
      const fault = itemFault({ ...found, type }, value);
      if (fault === undefined) continue;
      const detail = `${JSON.stringify(value)} ${fault}, as every "${field}" of EventType "${name}".`;
      problems.push({ path: at, reason: 'FieldValueInvalid', detail });
    }
  }
  return problems;
}
