import { Type, type Static } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { itemFault } from './field-check.ts';
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

const MetricSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' }),
    description: Type.Optional(
      Type.String({ maxLength: 1_000, description: 'What it measures, and what it does not.' }),
    ),
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'The team that answers for it.' }),
    eventType: Type.String({ minLength: 1, description: 'The EventType that it is computed from.' }),
    type: Type.Enum(['count', 'sum', 'mean', 'proportion'], {
      description:
        'Of each unit: count: its events. sum: the field added up. proportion: whether it has such an event. Over events: mean of the field.',
    }),
    field: Type.Optional(
      Type.String({ minLength: 1, maxLength: 63, description: 'The number field that sum and mean use.' }),
    ),
    filter,
    direction: Type.Enum(['increase', 'decrease'], { description: 'Which way is better.' }),
  },
  { description: 'A number that is computed from events.' },
);

export type MetricSpec = Static<typeof MetricSpecSchema>;
type Filter = NonNullable<MetricSpec['filter']>;

export const Metric = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Metric',
  plural: 'metrics',
  categories: ['measurement'],
  scope: 'Namespaced',
  released: true,
  description: 'A number that is computed from events, for the guardrails of releases.',
  spec: MetricSpecSchema,
  columns: [
    { name: 'Title', type: 'string', description: 'The name that people see.', value: ({ spec }) => spec.title },
    { name: 'Type', type: 'string', description: 'How it is computed.', value: ({ spec }) => spec.type },
    { name: 'Events', type: 'string', description: 'The EventType.', value: ({ spec }) => spec.eventType },
    { name: 'Better', type: 'string', description: 'Which way is better.', value: ({ spec }) => spec.direction },
    { name: 'Owner', type: 'string', description: 'The team that answers for it.', value: ({ spec }) => spec.owner },
  ],
  selectableFields: { 'spec.eventType': ['spec', 'eventType'] },
  refs: ({ eventType }) => [{ path: ['spec', 'eventType'], kind: EVENT_TYPE, name: eventType }],
  validate: (spec) => [...fieldProblems(spec), ...filterProblems(spec.filter, ['spec', 'filter'])],
  check: (spec, world) => amountProblems(spec, world),
  describe: (name, { before, after }) => {
    if (after === undefined) return [`The metric ${before?.title ?? name} is removed.`];
    if (before === undefined) return [`New metric: ${after.title} (${after.type} of ${after.eventType}).`];
    const sentences: string[] = [];
    if (before.title !== after.title) sentences.push(`The metric ${before.title} is now called ${after.title}.`);
    if (before.direction !== after.direction)
      sentences.push(`${after.title} is now better when it ${after.direction}s.`);
    const inputsOf = ({ type, eventType, field, filter }: MetricSpec) =>
      JSON.stringify([type, eventType, field, filter]);
    if (inputsOf(before) !== inputsOf(after)) {
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
    },
  },
});

const NUMERIC: ReadonlySet<string> = new Set(['integer', 'number', 'decimal']);

/** Sum and mean need a field; count and proportion have none. */
function fieldProblems({ type, field }: MetricSpec): readonly Problem[] {
  const needsField = type === 'sum' || type === 'mean';
  const path = ['spec', 'field'];
  if (needsField && field === undefined) {
    return [{ path, reason: 'FieldValueRequired', detail: `A metric of type ${type} needs a field.` }];
  }
  if (needsField || field === undefined) return [];
  return [{ path, reason: 'FieldValueForbidden', detail: `A metric of type ${type} has no field.` }];
}

function filterProblems(filters: Filter | undefined, path: Path): readonly Problem[] {
  return (filters ?? []).flatMap(({ equals, in: values }, index): Problem[] =>
    (equals === undefined) === (values === undefined)
      ? [{ path: [...path, index], reason: 'FieldValueInvalid', detail: 'A condition has either equals or in.' }]
      : [],
  );
}

function amountProblems(
  { eventType: name, field: counted, filter = [] }: MetricSpec,
  world: World,
): readonly Problem[] {
  const live = world.get(EVENT_TYPE, name);
  // A missing type is reported as a dangling reference.
  if (live === undefined) return [];
  const { properties } = eventTypeSpec(live).schema;
  const problems: Problem[] = [];
  const checkField = (field: string, at: Path) => {
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
  if (counted !== undefined) {
    const path = ['spec', 'field'];
    const type = checkField(counted, path)?.type;
    if (type !== undefined && !NUMERIC.has(type)) {
      const detail = `The field "${counted}" of EventType "${name}" is of the type ${type}, and must be a number.`;
      problems.push({ path, reason: 'FieldValueInvalid', detail });
    }
  }
  for (const [index, { field, equals, in: values = [equals] }] of filter.entries()) {
    const at = ['spec', 'filter', index];
    const found = checkField(field, [...at, 'field']);
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
