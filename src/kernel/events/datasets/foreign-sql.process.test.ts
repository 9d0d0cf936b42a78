import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { logEvents, PLAY, startDatasetsWorld, type DatasetsWorld } from './testing/datasets-world.ts';

const DATASET = { title: 'x', owner: 'team-a', freshness: 'PT1H', eventTypes: ['play'] };
const EXPOSURE = {
  ...PLAY,
  schema: { ...PLAY.schema, properties: { ...PLAY.schema.properties, release: { type: 'string' } } },
} as const;
const EVENT_TYPES = { play: PLAY, 'release-exposure': EXPOSURE };

const FORGED = `as select 'FORGED' as event_id, 'FORGED' as track, null as day`;

/** SQL of hostile Datasets by name, and why it is refused. The names are single letters, which occur in every query. */
const ATTACKS: Readonly<Record<string, readonly [sql: string, why: RegExp]>> = {
  s: ['select nothing from', /^syntax error at end of input \(line 1, column 20\)\.$/],
  e: [
    `select 1 as a); create or replace view events."release-exposure" ${FORGED}; select * from (select 1`,
    /syntax error at or near "\)"/,
  ],
  l: [
    `select 1; create or replace view events.play ${FORGED}`,
    /^The SQL of a Dataset is one SELECT, and this is another kind of statement\.$/,
  ],
  c: [`select 1 as a); set memory_limit='100GB'; set threads=16; select * from (select 1`, /syntax error/],
  t: [`set max_temp_directory_size='900GB'`, /this is another kind of statement/],
  o: ['set lock_configuration=true; select 1', /this is another kind of statement/],
  u: ['select 1; select 2', /there are 2 statements/],
  n: ['-- nothing', /there is no statement/],
  f: ['/**/pragma database_list', /this is another kind of statement/],
  r: ['from enable_profiling()', /^A query reads EventTypes and Datasets, and no files, addresses or settings\.$/],
  m: [`from enable_logging(storage = 'file')`, /no files, addresses or settings/],
  p: [`from read_csv('/etc/passwd')`, /no files, addresses or settings/],
  a: [`from query('set threads = 16')`, /no files, addresses or settings/],
  y: [
    'from "release-exposure"',
    /^The SQL of a Dataset is one SELECT, and it reads "release-exposure", which is not among its eventTypes and datasets\.$/,
  ],
  d: ['with play as (select * from s) select * from play', /reads "s", which is not among/],
  // A name that WITH defines elsewhere, or later, is not defined here.
  w: [
    'select * from "release-exposure" where 1 in (with "release-exposure" as (select 1 as a) select a from "release-exposure")',
    /reads "release-exposure", which is not among/,
  ],
  v: [
    'with a as (select * from "release-exposure"), "release-exposure" as (select 1) select * from a',
    /reads "release-exposure", which is not among/,
  ],
  i: ['from duckdb_settings()', /no files, addresses or settings/],
  g: [`select 1 in (select system.main.Current_Setting('allowed_paths') is null)`, /no files, addresses or settings/],
  h: ['with a as (from pg_settings) select setting from a', /no files, addresses or settings/],
  j: [`from query_table('pg_catalog.pg_settings')`, /no files, addresses or settings/],
  x: ['select $1 from play', /it has parameters/],
  b: ['select 1\0; drop view events.play', /it holds a NUL character/],
};

const attackers = Object.fromEntries(Object.entries(ATTACKS).map(([name, [sql]]) => [name, { ...DATASET, sql }]));

async function worldUnderAttack(): Promise<DatasetsWorld> {
  const world = await startDatasetsWorld({ eventTypes: EVENT_TYPES });
  await logEvents(world, world.db.database, [{ id: 'a' }, { id: 'b' }, { id: 'c', type: 'release-exposure' }]);
  await world.rollUps.rollUpNow();
  return world;
}

async function refusalOf(world: DatasetsWorld, sql: string): Promise<Refusal> {
  const error = await world.query(sql).then(
    () => assert.fail(`${sql} was answered`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Refusal, String(error));
  return error;
}

test('SQL that is not one SELECT over what its Dataset names is refused when it is declared', async () => {
  await using world = await worldUnderAttack();
  const problems = await world.examine(attackers);
  for (const [index, [name, [sql, why]]] of Object.entries(ATTACKS).entries()) {
    assert.equal(problems[index]?.length, 1, `${name}: ${sql}`);
    assert.match(problems[index]?.[0] ?? '', why, sql);
  }
  const fine = [
    'select track from play; -- with a comment',
    'with play as (select * from play) select * from events.play join play using (track)',
    "select 'drop; --' as text from PLAY",
    'with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select n from t, play',
    'with a as (select * from play), b as (select * from a) select * from b where 1 in (select 1 from a)',
    'from query_table(["play"]) union all from range(3)'.replace('"play"', "'play'"),
    'values (1)',
    `with pg_settings as (select 1) select current_setting('TimeZone') from pg_settings`,
  ];
  const named = Object.fromEntries(fine.map((sql, index) => [`fine-${index}`, { ...DATASET, sql }]));
  assert.deepEqual(
    await world.examine(named),
    fine.map(() => []),
  );
});

test('a broken or hostile Dataset fails only queries that read it, and is named', async () => {
  await using world = await worldUnderAttack();
  // As if they were declared before SQL was checked.
  world.declare({ eventTypes: EVENT_TYPES, datasets: attackers });
  const { rows } = await world.query(`
    select current_setting('memory_limit'), current_setting('threads'), current_setting('max_temp_directory_size'),
      current_setting('lock_configuration'), (select count(*) from "release-exposure"), (select count(*) from play)`);
  assert.deepEqual(rows, [['488.2 MiB', 2, '9.3 GiB', true, 1, 2]]);
  assert.deepEqual((await world.query('with s as (select 1 as one) select one, s.one as e from s')).rows, [[1, 1]]);
  const listed = await world.query('select view_name from duckdb_views() where not internal order by 1');
  // Queries that do not read a Dataset see only its name.
  const names = [...Object.keys(ATTACKS), 'play', 'release-exposure', 'release_exposure'];
  assert.deepEqual(listed.rows?.flat(), names.sort());
  for (const name of ['s', 'e', 'c', 'r', 'y', 'b']) {
    const refusal = await refusalOf(world, `select * from play, ${name}`);
    assert.equal(refusal.code, 'datasets/broken-dataset');
    assert.match(refusal.message, new RegExp(`^The Dataset "${name}" cannot be read: `));
  }
  world.declare({
    eventTypes: EVENT_TYPES,
    datasets: {
      ...attackers,
      broken: { ...DATASET, sql: 'select nothing from play' },
      reader: { ...DATASET, datasets: ['broken'], sql: 'from broken' },
    },
  });
  assert.match((await refusalOf(world, 'from reader')).message, /^The Dataset "broken" cannot be read: .*"nothing"/);
});

test('queries of the program read event types only: no Dataset can forge the evidence of a release', async () => {
  await using world = await worldUnderAttack();
  const evidence = `select count(*), max(track) from events."release-exposure"`;
  const events = 'select count(*), max(track) from events.play';
  const forging = {
    ...attackers,
    // Names that writes refuse today.
    play: { ...DATASET, sql: `select 'FORGED' as track from play` },
    'release-exposure': { ...DATASET, sql: `select 'FORGED' as track from play` },
    release_exposure: { ...DATASET, sql: `select 'FORGED' as track from play` },
    watermarks: { ...DATASET, sql: `select 'FORGED' as name from play` },
  };
  world.declare({ eventTypes: EVENT_TYPES, datasets: forging });
  assert.deepEqual(await world.ask(evidence), [[1, 'c']]);
  assert.deepEqual(await world.ask(events), [[2, 'b']]);
  assert.deepEqual((await world.query('select max(track) from play')).rows, [['b']]);
  assert.deepEqual((await world.query('select max(track) from release_exposure')).rows, [['c']]);
  assert.deepEqual((await world.query(`select count(*) from watermarks where name = 'FORGED'`)).rows, [[0]]);
  await assert.rejects(world.ask('from s'), /There is no table "s"/);
});

test('a query whose result exceeds the disk limit is killed while it writes', async () => {
  await using world = await startDatasetsWorld(
    { eventTypes: EVENT_TYPES },
    { memory: { memoryMb: 400, spillMb: 10, residentMb: 1_000, diskMb: 20 } },
  );
  const large = `select hash(i), hash(i + 1), hash(i + 2), hash(i + 3) from range(1000000000) t(i)`;
  const error = await world.query(large, { format: 'parquet', limit: 5_000_000 }).catch((thrown: unknown) => thrown);
  assert.match(String(error), /it wrote more than 20 MB to disk/);
});

test('messages hold no advice about settings, which nobody can change', async () => {
  await using world = await worldUnderAttack();
  const deep = `select ${'abs('.repeat(1_200)}1${')'.repeat(1_200)}`;
  const { code, message } = await refusalOf(world, deep);
  assert.equal(code, 'datasets/bad-sql');
  assert.doesNotMatch(message, /SET|PRAGMA/i);
  assert.match(message, /Max expression depth limit of 1000 exceeded/);
});

test('listing tables binds no Dataset', async () => {
  await using world = await worldUnderAttack();
  // Each reads the previous one twice: the last one needs a million bindings.
  const chain = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [
      `d${index}`,
      {
        ...DATASET,
        ...(index === 0 ? {} : { eventTypes: [], datasets: [`d${index - 1}`] }),
        sql:
          index === 0 ? 'select track from play' : `select * from d${index - 1} union all select * from d${index - 1}`,
      },
    ]),
  );
  world.declare({ eventTypes: EVENT_TYPES, datasets: chain });
  const { rows } = await world.query('show tables');
  assert.ok(rows?.some(([name]) => name === 'd19'));
  assert.equal((await world.query('select * from d2')).rowCount, 8);
});
