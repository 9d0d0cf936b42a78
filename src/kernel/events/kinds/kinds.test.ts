import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import { defaultObjects } from '#kernel/access/authorization/default-objects.ts';
import { openApiDocuments } from '#kernel/api/openapi.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { worldOf } from '../testing/world.ts';
import { Dataset } from './dataset.ts';
import { Erasure, EventReplay } from './event-commands.ts';
import { EventType } from './event-type.ts';
import { Metric } from './metric.ts';
import { QuarantinedEvent } from './quarantined-event.ts';

const lines = (problems: readonly Problem[]) => problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);

const play = EventType.example?.spec as Record<string, unknown>;
const playSchema = play['schema'] as { properties: Record<string, object>; required: string[] };

/** The problems for which the write of a spec is refused. */
function refusals(kind: Kind, declared: unknown, before?: unknown): readonly string[] {
  const given = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name: 'play' }, spec: declared };
  const object = structureOf(kind).applyDefaults(given) as typeof given;
  const { spec } = object;
  const shape = structureOf(kind).validate(object);
  if (shape.length > 0) return lines(shape);
  const context = { now: Temporal.Instant.from('2026-05-01T12:00:00Z'), find: () => [], name: 'play' };
  return lines(kind.validate?.(spec, before === undefined ? context : { ...context, before }) ?? []);
}

function changePlay(change: { properties?: object; required?: string[]; [field: string]: unknown }): unknown {
  const { properties, required, ...rest } = change;
  const schema = {
    ...playSchema,
    ...(properties === undefined ? {} : { properties: { ...playSchema.properties, ...properties } }),
    ...(required === undefined ? {} : { required }),
  };
  return { ...play, schema, ...rest };
}

test('the examples are valid, alone and together', () => {
  const world = worldOf({
    eventTypes: { play },
    metrics: { 'minutes-played': Metric.example?.spec ?? {} },
    datasets: { plays: Dataset.example?.spec ?? {} },
  });
  for (const kind of [EventType, Metric, Dataset]) {
    assert.deepEqual(refusals(kind, kind.example?.spec), []);
    assert.deepEqual(kind.check?.(kind.example?.spec, world, kind.example?.name ?? '') ?? [], []);
    assert.notEqual(
      kind.describe?.('play', { before: undefined, after: kind.example?.spec }, { world, now: Temporal.Now.instant() })
        .length,
      0,
    );
  }
});

test('a new optional field, a wider bound, a wider enum and a field that is no longer required are compatible', () => {
  for (const after of [
    changePlay({ properties: { quality: { type: 'string' } } }),
    changePlay({ properties: { track: { type: 'string', maxLength: 128 } } }),
    changePlay({ properties: { track: { type: 'string' } } }),
    changePlay({ properties: { playedMs: { type: 'integer' } } }),
    changePlay({ properties: { device: { type: 'string', enum: ['phone', 'desktop', 'speaker', 'car'] } } }),
    changePlay({ properties: { device: { type: 'string' } } }),
    changePlay({ required: ['track'] }),
    changePlay({ retention: 'P30D', owner: 'other', purpose: 'other', lateness: 'P7D' }),
  ]) {
    assert.deepEqual(refusals(EventType, after, play), []);
  }
});

test('an incompatible change for senders or readers is refused and names the field', () => {
  const { track: _track, ...withoutTrack } = playSchema.properties;
  const loose = { ...play, subject: 'optional', schema: { properties: {} } };
  const identified = { ...play, identity: ['track'], within: 'P1D' };
  const cases: [string, unknown, RegExp, unknown?][] = [
    [
      'renamed',
      { ...play, schema: { properties: { ...withoutTrack, song: { type: 'string' } }, required: ['playedMs'] } },
      /^spec\.schema\.properties\.track: .*A rename is a new EventType, e\.g\. play-v2\.$/,
    ],
    ['removed', { ...play, schema: { properties: withoutTrack, required: ['playedMs'] } }, /"track" cannot be removed/],
    [
      'type',
      changePlay({ properties: { playedMs: { type: 'number', minimum: 0 } } }),
      /playedMs\.type: .* integer .* number/,
    ],
    ['narrower', changePlay({ properties: { track: { type: 'string', maxLength: 32 } } }), /track\.maxLength: /],
    ['higher', changePlay({ properties: { playedMs: { type: 'integer', minimum: 1 } } }), /playedMs\.minimum: /],
    [
      'enum',
      changePlay({ properties: { device: { type: 'string', enum: ['phone'] } } }),
      /lose the values "desktop", "speaker"/,
    ],
    ['unsealed', changePlay({ properties: { ipAddress: { type: 'string' } } }), /ipAddress\.sensitive: /],
    [
      'scale',
      changePlay({ properties: { money: { type: 'decimal', scale: 4 } } }),
      /money\.scale: The field "money" has 2 digits/,
      changePlay({ properties: { money: { type: 'decimal', scale: 2 } } }),
    ],
    ['required', changePlay({ required: ['track', 'playedMs', 'device'] }), /"device" cannot become required/],
    [
      'new required',
      changePlay({ properties: { q: { type: 'string' } }, required: [...playSchema.required, 'q'] }),
      /"q" cannot/,
    ],
    ['identity', identified, /spec\.identity: /],
    ['window', { ...identified, within: 'PT1H' }, /spec\.identity: /, identified],
    ['subject', { ...loose, subject: 'required' }, /spec\.subject: .* was optional and cannot become required/, loose],
  ];
  for (const [name, after, message, before = play] of cases) {
    const found = refusals(EventType, after, before);
    assert.equal(found.length, 1, `${name}: ${found.join('\n')}`);
    assert.match(found.join(''), message, name);
  }
});

test('an event type that contradicts itself is refused', () => {
  const cases: [unknown, RegExp][] = [
    [changePlay({ required: ['nothing'] }), /There is no field "nothing"/],
    [changePlay({ subject: 'optional' }), /ipAddress\.sensitive: .* set spec\.subject to required/],
    [changePlay({ identity: ['track'] }), /spec\.within: /],
    [changePlay({ within: 'P1D' }), /spec\.identity: /],
    [changePlay({ identity: ['device'], within: 'P1D' }), /"device" must be a required field/],
    [changePlay({ identity: ['track'], within: 'P8D' }), /"P8D" must be from PT1S to P7D/],
    [changePlay({ lateness: 'P31D' }), /from PT1M to P30D/],
    [changePlay({ retention: 'P1M' }), /spec\.retention/],
    [changePlay({ properties: { Received_At: { type: 'string' } } }), /Every event has a column "received_at"/],
    [changePlay({ properties: { event_type: { type: 'string' } } }), /Every event has a column "event_type"/],
    [changePlay({ properties: { Track: { type: 'string' } } }), /differ only in capital letters/],
    [changePlay({ properties: { list: { type: 'array' } } }), /An array needs items/],
    [changePlay({ properties: { list: { type: 'array', items: { type: 'string' }, maxLength: 3 } } }), /on its items/],
    [changePlay({ properties: { n: { type: 'integer', enum: [1, 'two'] } } }), /"two" must be a whole number/],
    [
      changePlay({ properties: { n: { type: 'integer', minimum: 3, maximum: 2 } } }),
      /minimum 3 is above the maximum 2/,
    ],
    [changePlay({ properties: { s: { type: 'string', minimum: 3 } } }), /A string has no minimum/],
    [changePlay({ properties: { s: { type: 'string', scale: 2 } } }), /A string has no scale/],
    [changePlay({ properties: { d: { type: 'decimal' } } }), /d\.scale: A decimal needs scale/],
    [changePlay({ properties: { d: { type: 'decimal', scale: 19 } } }), /d\.scale/],
    [
      changePlay({ properties: { d: { type: 'array', items: { type: 'decimal' } } } }),
      /d\.items\.scale: A decimal needs scale/,
    ],
    [changePlay({ segment: { call: 'page', event: 'x' } }), /A call of page has no event name/],
    [changePlay({ segment: {} }), /A track call has an event name/],
  ];
  for (const [spec, message] of cases) assert.match(refusals(EventType, spec).join('\n'), message);
});

test('two event types cannot take the same calls of Segment’s libraries', () => {
  const other = { apiVersion: EventType.apiVersion, kind: 'EventType', metadata: { name: 'listen' }, spec: play };
  const now = Temporal.Instant.from('2026-05-01T12:00:00Z');
  const find = (kind: string, index: string, value: string) =>
    kind === EventType.id && index === 'segment' && value === 'track Song Played' ? [other] : [];
  assert.match(
    lines(EventType.validate?.(play, { now, find, name: 'play' }) ?? []).join(''),
    /"listen" takes the same/,
  );
  assert.deepEqual(EventType.validate?.(play, { now, find, name: 'listen' }), []);
});

test('a metric has the parts of its type, and no others', () => {
  const metric = Metric.example?.spec as Record<string, unknown>;
  const { field: _field, ...bare } = metric;
  for (const [spec, message] of [
    [{ ...bare, type: 'mean' }, /spec\.field: A metric of type mean needs a field/],
    [{ ...metric, type: 'count' }, /spec\.field: A metric of type count has no field/],
    [{ ...bare, type: 'ratio' }, /spec\.type/],
    [{ ...metric, filter: [{ field: 'device' }] }, /either equals or in/],
  ] as const) {
    assert.match(refusals(Metric, spec).join('\n'), message);
  }
});

test('a metric with a field that its event type lacks is held', () => {
  const metric = Metric.example?.spec as Record<string, unknown>;
  const world = worldOf({ eventTypes: { play } });
  for (const [change, message] of [
    [{ field: 'playedms' }, /spec\.field: .*did you mean "playedMs"/],
    [{ field: 'track' }, /spec\.field: .* of the type string, and must be a number/],
    [{ field: 'ipAddress' }, /is sensitive/],
    [{ filter: [{ field: 'device', equals: 'radio' }] }, /"radio" must be one of "phone"/],
    [{ filter: [{ field: 'device', in: ['phone', 3] }] }, /3 must be text/],
    [{ filter: [{ field: 'nothing', in: ['phone'] }] }, /spec\.filter\[0\]\.field/],
  ] as const) {
    const problems = Metric.check?.({ ...metric, ...change }, world, 'minutes-played') ?? [];
    assert.match(lines(problems).join('\n'), message);
  }
});

test('datasets that read each other in a circle are held, along any path', () => {
  const reads = (...datasets: string[]) => ({ title: 'T', owner: 'o', sql: 'select 1', freshness: 'PT1H', datasets });
  const wide = Object.fromEntries(
    Array.from({ length: 60 }, (_, layer) => [
      [`a${layer}`, reads(`a${layer + 1}`, `b${layer + 1}`)],
      [`b${layer}`, reads(`a${layer + 1}`, `b${layer + 1}`)],
    ]).flat(),
  );
  const world = worldOf({ datasets: { ...wide, one: reads('two'), two: reads('three'), three: reads('one') } });
  const check = (name: string, spec: unknown) => lines(Dataset.check?.(spec, world, name) ?? []);
  assert.deepEqual(check('a0', wide['a0']), []);
  assert.deepEqual(check('one', reads('two')), [
    'spec.datasets[0]: The datasets one → two → three → one read each other in a circle.',
  ]);
  assert.match(
    refusals(Dataset, { title: 'T', owner: 'o', freshness: 'PT1H' }).join(''),
    /needs eventTypes or datasets/,
  );
});

test('a dataset without SQL whose event types have no common columns is held, and says which', () => {
  const type = (properties: object) => ({ ...play, schema: { properties } });
  const world = worldOf({
    eventTypes: {
      one: type({ n: { type: 'integer' }, s: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } }),
      two: type({ n: { type: 'number' }, S: { type: 'string' }, own: { type: 'boolean' } }),
      three: type({ n: { type: 'string' } }),
      four: type({ tags: { type: 'string' } }),
      five: type({ s: { type: 'string', sensitive: true } }),
    },
  });
  const check = (...eventTypes: string[]) =>
    lines(Dataset.check?.({ title: 'T', owner: 'o', freshness: 'PT1H', eventTypes }, world, 'all') ?? []);
  assert.deepEqual(check('one', 'two'), []);
  assert.deepEqual(check('one', 'three'), [
    'spec.eventTypes[1]: The field "n" of "three" is of the type string, and of "one" a number: add sql that makes them one column.',
  ]);
  assert.match(check('one', 'two', 'four').join(), /"four" is of the type string, and of "one" a list whose items/);
  assert.match(check('one', 'five').join(), /"five" is sealed, and of "one" of the type string/);
  const sql = { title: 'T', owner: 'o', freshness: 'PT1H', eventTypes: ['one', 'three'], sql: 'select 1' };
  assert.deepEqual(Dataset.check?.(sql, world, 'all'), []);
});

test('only the administrator role allows replays and erasures', async () => {
  const kinds = [EventType, Metric, Dataset, QuarantinedEvent, EventReplay, Erasure];
  for (const make of openApiDocuments(kinds, '1').values()) assert.notEqual((await make()).body, '');
  const allowing = defaultObjects(kinds, []).filter((object) => /erasures|eventreplays/.test(JSON.stringify(object)));
  assert.deepEqual(allowing, []);
});
