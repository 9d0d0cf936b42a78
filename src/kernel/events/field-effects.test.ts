import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind } from '#kernel/kinds/kind.ts';
import { fieldsWithoutEffect, type FieldEffects } from '#kernel/kinds/testing/field-effects.ts';
import { columnsOf } from './datasets/columns.ts';
import { firstDayKept } from './datasets/file-days.ts';
import { releaseMetrics } from './datasets/release-metrics.ts';
import { datasetSql, namesOf } from './datasets/sql-views.ts';
import { isFresh } from './datasets/system-views.ts';
import { compileEvents } from './event-table.ts';
import { judge } from './judge.ts';
import { Dataset } from './kinds/dataset.ts';
import { EventType } from './kinds/event-type.ts';
import { Metric } from './kinds/metric.ts';
import { readEvent } from './read-batch.ts';
import { worldOf } from './testing/world.ts';

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');
const NOW_MS = NOW.epochMilliseconds;

const play = {
  owner: 'o',
  purpose: 'p',
  retention: 'P30D',
  schema: {
    properties: { track: { type: 'string' }, playedMs: { type: 'integer' }, device: { type: 'string' } },
    required: [],
    additional: false,
  },
};

/** Events of many shapes; each type accepts some of them. */
const EVENTS = [
  { track: 'abc', count: 5, price: '4.99', list: [1, 2, 3], names: ['a', 'bc'], prices: ['1.5'] },
  { track: 'abcdef', count: 50, price: '4.999', list: [10], names: ['abcdef'], prices: ['1.555'] },
  { track: 'x', count: 0, more: 1 },
  { count: 7 },
  { track: 'abc', count: 5, list: [], names: [] },
];

/** Everything that is accepted, stored, computed and refused with this object. */
async function observe(kind: Kind, spec: object): Promise<unknown> {
  const world = worldOf({
    eventTypes: { play, other: play, ...(kind === EventType ? { seen: spec } : {}) },
    metrics: kind === Metric ? { m: spec } : {},
    datasets: {
      base: { title: 'B', owner: 'o', eventTypes: ['play'], freshness: 'PT1H' },
      ...(kind === Dataset ? { d: spec } : {}),
    },
  });
  const problems = [
    kind.validate?.(spec, { now: NOW, find: () => [], name: 'a' }),
    kind.check?.(spec, world, 'a'),
    kind.refs?.(spec, 'default').filter((ref) => world.get(ref.kind, ref.name) === undefined),
  ];
  if (kind === EventType) {
    const type = EventType.spec({ spec });
    const table = compileEvents(world);
    const { identity, rememberedDays } = table.types.get('seen') ?? assert.fail();
    const envelope = { client: 'client:app', boundTo: undefined, sentMs: undefined, receivedMs: NOW_MS };
    const verdicts = EVENTS.flatMap((properties) =>
      [0, 3_600_000, 50 * 3_600_000].flatMap((agoMs) =>
        [{}, { subject: 'ann' }].map((who) => {
          const at = Temporal.Instant.fromEpochMilliseconds(NOW_MS - agoMs).toString();
          const event = { type: 'seen', id: 'i', at, properties, ...who };
          const verdict = judge(table, readEvent('backline', event, table), envelope);
          if (verdict.outcome !== 'accepted') return `${verdict.reason} ${verdict.detail}`;
          return [verdict.subject, verdict.rules.sensitive];
        }),
      ),
    );
    const kept = [columnsOf(type), firstDayKept(type.retention, NOW)];
    return [problems, verdicts, identity, rememberedDays, [...table.bySegment], kept];
  }
  if (kind === Dataset) {
    const dataset = Dataset.spec({ spec });
    const catalogue = { eventTypes: new Map(), datasets: new Map([['d', dataset]]) };
    return [
      problems,
      datasetSql('d', dataset),
      [...namesOf(['d'], catalogue).datasets],
      isFresh(dataset, NOW.subtract({ minutes: 30 }), NOW),
    ];
  }
  const asked: string[] = [];
  const source = releaseMetrics({
    // Only completeUntil is read from it.
    database: { query: () => Promise.resolve([]) } as never,
    world: () => world,
    ask: (sql) => {
      asked.push(sql);
      return Promise.resolve([[true, 0, 1, 1, 2]]);
    },
    rollUpSeconds: 1,
  });
  const guardrail = { name: 'g', metric: 'm' } as never;
  const window = { release: 'r', guardrail, stage: 0, fromMs: NOW_MS - 60_000, toMs: NOW_MS };
  return [problems, await source.measure(window, AbortSignal.any([])), asked];
}

const field = (name: string, declared: object, more: object = {}) => ({
  owner: 'o',
  purpose: 'p',
  retention: 'P30D',
  schema: { properties: { track: { type: 'string' }, [name]: declared }, additional: true },
  ...more,
});

const TABLES: readonly Omit<FieldEffects, 'observe'>[] = [
  {
    kind: EventType,
    bases: [
      field('count', { type: 'integer', enum: [5, 7], minimum: 1, maximum: 40 }, { lateness: 'P1D' }),
      field('count', { type: 'integer', minimum: 1, maximum: 40 }, { segment: { call: 'track', event: 'Seen' } }),
      field('price', { type: 'decimal', scale: 2 }),
      field('track', { type: 'string', maxLength: 4, sensitive: true }, { subject: 'required' }),
      field('list', { type: 'array', maxItems: 2, items: { type: 'integer', enum: [1, 2, 3, 10] } }),
      field('list', { type: 'array', items: { type: 'integer', minimum: 1, maximum: 9 } }),
      field('names', { type: 'array', items: { type: 'string', maxLength: 3 } }),
      field('prices', { type: 'array', items: { type: 'decimal', scale: 1 } }),
      {
        ...field('count', { type: 'integer' }, { subject: 'required', identity: ['track'], within: 'PT1H' }),
        schema: { properties: { track: { type: 'string' }, count: { type: 'integer' } }, required: ['track'] },
      },
    ],
    informational: ['title', 'owner', 'purpose', 'schema.properties{}.description'],
    values: {
      retention: ['P60D'],
      lateness: ['P3D'],
      within: ['P2D'],
      'schema.properties{}.enum[]': [6],
      'schema.properties{}.minimum': [6],
      'schema.properties{}.maximum': [6],
      'schema.properties{}.scale': [3],
      'schema.properties{}.items.enum[]': [4],
      'schema.properties{}.items.minimum': [2],
      'schema.properties{}.items.maximum': [2],
      'schema.properties{}.items.scale': [3],
      'schema.properties{}.maxItems': [3],
    },
  },
  {
    kind: Metric,
    bases: [
      {
        title: 'T',
        owner: 'o',
        eventType: 'play',
        type: 'sum',
        field: 'playedMs',
        filter: [
          { field: 'device', equals: 'phone' },
          { field: 'track', in: ['a'] },
        ],
        direction: 'increase',
      },
    ],
    informational: ['title', 'description', 'owner'],
    values: {
      eventType: ['other'],
      'filter[].equals': ['desktop'],
      'filter[].in[]': ['b'],
      'filter[].field': ['nothing'],
    },
  },
  {
    kind: Dataset,
    bases: [
      { title: 'T', owner: 'o', eventTypes: ['play'], freshness: 'PT1H' },
      { title: 'T', owner: 'o', datasets: ['base'], sql: 'select 1', freshness: 'PT1H', columns: { a: 'A' } },
    ],
    informational: ['title', 'description', 'owner', 'columns{}'],
    values: { freshness: ['PT10M'], 'eventTypes[]': ['other'] },
  },
];

for (const table of TABLES) {
  test(`no field of ${table.kind.plural} without an effect`, async () => {
    assert.deepEqual(
      await fieldsWithoutEffect({ ...table, observe: (spec) => observe(table.kind, spec as object) }),
      [],
    );
  });
}
