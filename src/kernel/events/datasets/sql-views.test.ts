import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dataset } from '../kinds/dataset.ts';
import { eventTypeSpec } from '../kinds/event-type-spec.ts';
import { columnsOf, selectStaged } from './columns.ts';
import { type Catalogue, namesOf, viewsOf } from './sql-views.ts';
import { literal } from './sql-text.ts';

const type = (properties: object, more: object = {}) =>
  eventTypeSpec({ spec: { owner: 'o', purpose: 'p', retention: 'P30D', schema: { properties, ...more } } });
const dataset = (more: object) => Dataset.spec({ spec: { title: 't', owner: 'o', freshness: 'PT1H', ...more } });

const catalogue: Catalogue = {
  eventTypes: new Map([
    ['play', type({ track: { type: 'string' } })],
    ['play-end', type({})],
    ['skip', type({})],
  ]),
  datasets: new Map([
    ['daily', dataset({ datasets: ['all-plays'], sql: 'from all_plays' })],
    ['all-plays', dataset({ eventTypes: ['play', 'play-end'] })],
  ]),
};

test('the named tables are read in any spelling, with their inputs first', () => {
  const names = (...reads: string[]) => {
    const { eventTypes, datasets } = namesOf(reads, catalogue);
    return [[...eventTypes].sort(), [...datasets]];
  };
  assert.deepEqual(names('range'), [[], []]);
  assert.deepEqual(names('play_end'), [['play-end'], []]);
  assert.deepEqual(names('skip'), [['skip'], []]);
  assert.deepEqual(names('daily'), [
    ['play', 'play-end'],
    ['all-plays', 'daily'],
  ]);
});

test('views are created only for tables that are read, unless the query lists tables', () => {
  const viewNames = (reads: readonly string[], lists = false) => {
    const { setup, datasets } = viewsOf(namesOf(reads, catalogue), lists, catalogue, []);
    const views = setup.flatMap((sql) => /^create view if not exists (\S+)/.exec(sql)?.[1] ?? []);
    return [...views, ...datasets.flatMap(({ spellings }) => spellings)];
  };
  assert.deepEqual(viewNames(['skip']), ['events."skip"']);
  assert.deepEqual(viewNames(['all_plays']), [
    'events."play"',
    'events."play-end"',
    'events."play_end"',
    'all-plays',
    'all_plays',
  ]);
  assert.equal(viewNames([], true).length, 7);
});

test('the columns of an event type are those of every event, then its typed fields; sealed fields are text', () => {
  const spec = type(
    {
      n: { type: 'integer' },
      list: { type: 'array', items: { type: 'number' } },
      free: { type: 'object' },
      secret: { type: 'array', items: { type: 'integer' }, sensitive: true },
    },
    { additional: true },
  );
  assert.deepEqual(
    columnsOf(spec)
      .slice(8)
      .map(({ name, type: of }) => `${name} ${of}`),
    ['day DATE', 'n BIGINT', 'list DOUBLE[]', 'free JSON', 'secret VARCHAR', 'payload JSON'],
  );
});

test('rows of an unknown revision keep their properties unparsed', () => {
  const select = selectStaged(type({ n: { type: 'integer' } }), ["it's", 'b']);
  assert.match(select, /case when not list_contains\(\['it''s', 'b'\], revision\) then payload end as "_payload"$/);
  assert.match(selectStaged(undefined, []), /case when true then payload end as "_payload"$/);
});

test('literals escape quotes', () => {
  assert.equal(literal("a'; drop --"), "'a''; drop --'");
});
