import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { durationProblems, durationText } from '#kernel/kinds/schema/duration.ts';
import type { EventField } from './event-field.ts';
import { eventTypeSpec } from './event-type-spec.ts';
import { DATASET, EVENT_TYPE, GROUP, VERSION } from './identity.ts';
import { SQL_NAME, sqlNameOf, sqlNameProblems } from './sql-name.ts';

const INPUTS_MAX = 50;
const SQL_CHARS_MAX = 20_000;
const COLUMNS_MAX = 500;

const inputs = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, description: 'Its name.' }), {
      minItems: 1,
      maxItems: INPUTS_MAX,
      description,
      'x-kubernetes-list-type': 'set',
    }),
  );

const DatasetSpecSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' }),
    description: Type.Optional(Type.String({ maxLength: 1_000, description: 'What one row is.' })),
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'The team that answers for it.' }),
    eventTypes: inputs('The EventTypes whose events it shows, or that its SQL reads.'),
    datasets: inputs('Other Datasets that its SQL reads.'),
    sql: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: SQL_CHARS_MAX,
        description:
          'One SELECT that reads nothing but what eventTypes and datasets name; absent: all of their events.',
      }),
    ),
    freshness: durationText(
      'How far it may lag behind the events. The table watermarks and a metric show whether it does.',
    ),
    columns: Type.Optional(
      Type.Record(Type.String({ maxLength: 63 }), Type.String({ maxLength: 500 }), {
        maxProperties: COLUMNS_MAX,
        description: 'Descriptions of columns, by their names.',
      }),
    ),
  },
  { description: 'A table of events that people and programs read.' },
);

export type DatasetSpec = Static<typeof DatasetSpecSchema>;

export const Dataset = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Dataset',
  plural: 'datasets',
  categories: ['measurement'],
  scope: 'Namespaced',
  released: true,
  description: 'A table of events, or of a SELECT over them, with a freshness goal.',
  spec: DatasetSpecSchema,
  columns: [
    { name: 'Title', type: 'string', description: 'The name that people see.', value: ({ spec }) => spec.title },
    {
      name: 'From',
      type: 'string',
      description: 'Its inputs.',
      value: ({ spec }) => [...(spec.eventTypes ?? []), ...(spec.datasets ?? [])].join(', '),
    },
    { name: 'Fresh', type: 'string', description: 'How far it may lag.', value: ({ spec }) => spec.freshness },
    { name: 'Owner', type: 'string', description: 'The team that answers for it.', value: ({ spec }) => spec.owner },
  ],
  refs: ({ eventTypes = [], datasets = [] }) => [
    ...eventTypes.map((name, index) => ({ path: ['spec', 'eventTypes', index], kind: EVENT_TYPE, name })),
    ...datasets.map((name, index) => ({ path: ['spec', 'datasets', index], kind: DATASET, name })),
  ],
  indexes: { [SQL_NAME]: (_spec, name) => [sqlNameOf(name)] },
  validate: (spec, { name, find }) => [
    ...sqlNameProblems(DATASET, name, find),
    ...inputProblems(spec),
    ...durationProblems(['spec', 'freshness'], spec.freshness, 'PT1M', 'P7D'),
  ],
  check: (spec, world, name) => [...circleProblems(spec, world, name), ...mixtureProblems(spec, world)],
  describe: (name, { before, after }) => {
    if (after === undefined) return [`The dataset ${before?.title ?? name} is removed.`];
    if (before === undefined) return [`New dataset: ${after.title}.`];
    const sentences: string[] = [];
    if (before.sql !== after.sql || JSON.stringify(before.eventTypes) !== JSON.stringify(after.eventTypes)) {
      sentences.push(`${after.title} shows other rows than before.`);
    }
    if (before.freshness !== after.freshness) {
      sentences.push(`${after.title} may lag ${after.freshness} instead of ${before.freshness}.`);
    }
    return sentences;
  },
  example: {
    name: 'plays',
    spec: { title: 'What was played', owner: 'playback', eventTypes: ['play'], freshness: 'PT1H' },
  },
});

function inputProblems({ sql, eventTypes, datasets }: DatasetSpec): readonly Problem[] {
  if (sql === undefined && datasets !== undefined) {
    const detail = 'Only SQL reads other datasets: add sql, or name eventTypes alone.';
    return [{ path: ['spec', 'datasets'], reason: 'FieldValueForbidden', detail }];
  }
  if (eventTypes !== undefined || datasets !== undefined) return [];
  return [
    { path: ['spec', 'eventTypes'], reason: 'FieldValueRequired', detail: 'A dataset needs eventTypes or datasets.' },
  ];
}

/** Without SQL, fields of the same name are one column. Number types mix; others must be equal. */
function mixtureProblems({ sql, eventTypes = [] }: DatasetSpec, world: World): readonly Problem[] {
  if (sql !== undefined) return [];
  const first = new Map<string, { readonly type: string; readonly shape: string }>();
  return eventTypes.flatMap((type, index): Problem[] => {
    const live = world.get(EVENT_TYPE, type);
    if (live === undefined) return [];
    return Object.entries(eventTypeSpec(live).schema.properties).flatMap(([name, field]): Problem[] => {
      const shape = shapeOf(field);
      const other = first.get(name.toLowerCase()) ?? { type, shape };
      first.set(name.toLowerCase(), other);
      if (other.shape === shape) return [];
      const detail = `The field "${name}" of "${type}" is ${shape}, and of "${other.type}" ${other.shape}: add sql that makes them one column.`;
      return [{ path: ['spec', 'eventTypes', index], reason: 'FieldValueInvalid', detail }];
    });
  });
}

const NUMBERS: ReadonlySet<string> = new Set(['integer', 'number', 'decimal']);

function shapeOf({ type, items, sensitive }: EventField): string {
  if (sensitive === true) return 'sealed';
  const scalar = (of: string): string => (NUMBERS.has(of) ? 'a number' : `of the type ${of}`);
  return type === 'array' ? `a list whose items are ${scalar(items?.type ?? 'string')}` : scalar(type);
}

function circleProblems({ datasets = [] }: DatasetSpec, world: World, name: string): readonly Problem[] {
  return datasets.flatMap((input, index): Problem[] => {
    const circle = pathTo(name, input, world);
    if (circle === undefined) return [];
    const detail = `The datasets ${[name, ...circle].join(' → ')} read each other in a circle.`;
    return [{ path: ['spec', 'datasets', index], reason: 'FieldValueInvalid', detail }];
  });
}

/** The path of datasets from one to another along their inputs; undefined when there is none. */
function pathTo(goal: string, start: string, world: World): readonly string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[start, undefined]]);
  // The map grows while it is iterated: each dataset is visited once.
  for (const [input] of cameFrom) {
    if (input === goal) {
      const path = [];
      for (let at: string | undefined = input; at !== undefined; at = cameFrom.get(at)) path.unshift(at);
      return path;
    }
    const live = world.get(DATASET, input);
    if (live === undefined) continue;
    for (const next of Dataset.spec(live).datasets ?? []) if (!cameFrom.has(next)) cameFrom.set(next, input);
  }
  return undefined;
}
