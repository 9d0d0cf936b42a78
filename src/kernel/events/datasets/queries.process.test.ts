import assert from 'node:assert/strict';
import { access, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { worldOf } from '../testing/world.ts';
import { startQueries } from './queries.ts';
import { logEvents, PLAY, startDatasetsWorld, type DatasetsWorld } from './testing/datasets-world.ts';

async function refusalOf(world: DatasetsWorld, sql: string, more = {}): Promise<Refusal> {
  const error = await world.query(sql, more).then(
    () => assert.fail(`${sql} was answered`),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Refusal, String(error));
  return error;
}

async function worldWithPlays(options = {}): Promise<DatasetsWorld> {
  const world = await startDatasetsWorld({ eventTypes: { play: PLAY, 'play-end': PLAY } }, options);
  await logEvents(world, world.db.database, [{ id: 'a' }, { id: 'b' }, { id: 'c', type: 'play-end' }]);
  await world.rollUps.rollUpNow();
  return world;
}

test('a query cannot read or change anything outside the datasets', async () => {
  await using world = await worldWithPlays();
  const secret = join(world.directory, 'secret.csv');
  await writeFile(secret, 'a\n1\n');
  const out = join(world.directory, 'out.csv');
  const outside = [
    `select * from read_csv('/etc/passwd')`,
    `select * from read_text('/etc/passwd')`,
    `select * from read_blob('${secret}')`,
    `select * from read_csv('secret.csv')`,
    `select * from read_csv('./play/../secret.csv')`,
    `select * from '${secret}'`,
    `select * from glob('/etc/*')`,
    `select * from glob('*')`,
    `select * from read_parquet('play-end/*/*.parquet') where (select count(*) from play) > 0`,
    `select * from read_json('http://localhost:1/x')`,
    `select * from sniff_csv('/etc/passwd')`,
    `select * from parquet_metadata('/etc/passwd')`,
    `select * from query('copy (select 1) to ''${out}''')`,
  ];
  for (const sql of outside) {
    const { status, message } = await refusalOf(world, sql);
    assert.equal(status, 422, sql);
    assert.ok(!message.includes(world.directory) || sql.includes(world.directory), message);
  }
  const statements = [
    `copy (select 1) to '${out}'`,
    `copy play to '${out}'`,
    `attach '${out}'`,
    `create table x as select 1`,
    `insert into play values (1)`,
    `install httpfs`,
    `load httpfs`,
    `set enable_external_access = true`,
    `set memory_limit = '100GB'`,
    `pragma version`,
    `call pragma_version()`,
    `export database '${world.directory}'`,
    `explain analyze copy play to '${out}'`,
    `select 1; copy (select 1) to '${out}'`,
    `select ?`,
    ` -- nothing`,
    ``.padStart(3, ';'),
  ];
  const codes = new Set(['datasets/not-a-select', 'datasets/outside', 'datasets/bad-sql']);
  for (const sql of statements) assert.ok(codes.has((await refusalOf(world, sql)).code), sql);
  await refusalOf(world, `select 1) to '${out}' (format csv); --`, { format: 'parquet' });
  await assert.rejects(access(out));
  assert.deepEqual((await readdir(world.directory)).filter((name) => !name.startsWith('.')).sort(), [
    'play',
    'play-end',
    'secret.csv',
  ]);
  assert.deepEqual(await readdir(join(world.directory, '.work')), []);
});

test('the refusal of a wrong query names fault, place and alternatives', async () => {
  await using world = await worldWithPlays();
  const cases: readonly [sql: string, message: string | RegExp][] = [
    ['select *\nfrom plai', 'There is no table "plai" (did you mean "play"?) (line 2, column 6: plai).'],
    ['select * from watermark', /There is no table "watermark" \(did you mean "watermarks"/],
    [
      'select trak from play',
      /"trak" not found in FROM clause \(there is: "track", "day"\) \(line 1, column 8: trak from play\)\.$/,
    ],
    ["select 'ü', from play x y", 'syntax error at or near "y" (line 1, column 25: y).'],
    ["select 'ü', nofn(1)", /\(line 1, column 13: nofn\(1\)\)\.$/],
    ['selec 1', 'syntax error at or near "selec" (line 1, column 1: selec 1).'],
    [`select track::int from play`, /Could not convert string/],
  ];
  for (const [sql, message] of cases) {
    const refusal = await refusalOf(world, sql);
    assert.equal(refusal.code, 'datasets/bad-sql');
    if (typeof message === 'string') assert.equal(refusal.message, message);
    else assert.match(refusal.message, message);
  }
});

test('a query that exceeds time or memory is killed, and the next is answered', async () => {
  await using world = await worldWithPlays({ memory: { memoryMb: 4_000, spillMb: 1, residentMb: 400, diskMb: 100 } });
  const slow = `select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3`;
  assert.equal((await refusalOf(world, slow, { timeoutSeconds: 1 })).code, 'datasets/query-too-long');
  const large = `select list(repeat('x', 1000) || i) from range(10000000) t(i)`;
  assert.equal((await refusalOf(world, large)).code, 'datasets/query-too-large');
  assert.deepEqual((await world.query('select count(*) from play')).rows, [[2]]);
  assert.deepEqual(await readdir(join(world.directory, '.work')), []);
});

test('a query that is larger than its memory spills to disk and is answered', async () => {
  await using world = await worldWithPlays({
    memory: { memoryMb: 100, spillMb: 2_000, residentMb: 800, diskMb: 3_000 },
  });
  const sql = `select count(*) from (select hash(i) || repeat('x', 100) as s from range(3000000) t(i) order by s)`;
  assert.deepEqual((await world.query(sql)).rows, [[3_000_000]]);
});

test('rows and CSV are cut off at the limit and marked truncated; Parquet is all or nothing', async () => {
  await using world = await worldWithPlays();
  const rows = await world.query('select * from range(3)', { limit: 2 });
  assert.deepEqual([rows.rows, rows.rowCount, rows.truncated], [[[0], [1]], 2, true]);
  assert.equal((await world.query('select * from range(2)', { limit: 2 })).truncated, false);
  // Rows within the limit are never cut off: too many bytes are refused.
  const large = await refusalOf(world, `select repeat('x', 20000000) as x from range(3)`);
  assert.deepEqual([large.status, large.code], [413, 'datasets/result-too-large']);
  assert.match(large.message, /its first 2 rows have more than 33554432 characters/);
  const one = await refusalOf(world, `select [repeat('x', 20000000), repeat('y', 20000000)] as x`);
  assert.match(one.message, /its first row has more than 33554432 characters/);
  const high = await refusalOf(world, 'from range(3)', { format: 'csv', limit: 1_000_000 });
  assert.match(high.message, /^An answer as csv holds at most 100000 rows\./);
  const names = await world.query('select 1 as a, 2 as a, 3 as a_1, 4 as a');
  assert.deepEqual(
    names.columns.map(({ name }) => name),
    ['a', 'a_2', 'a_1', 'a_3'],
  );
  const csv = await world.query(`select 1 as "a,b", null as n, '' as e, 'x"y' as q union all select 2, 1, 'z', 'é'`, {
    format: 'csv',
  });
  assert.equal(csv.data, '"a,b",n,e,q\n1,,"","x""y"\n2,1,z,é\n');
  const parquet = await world.query('select 42 as answer; -- with a comment', { format: 'parquet' });
  const bytes = Buffer.from(parquet.data ?? '', 'base64');
  assert.deepEqual(
    [bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString(), parquet.rowCount],
    ['PAR1', 'PAR1', 1],
  );
  assert.equal(
    (await refusalOf(world, 'from range(3)', { format: 'parquet', limit: 2 })).code,
    'datasets/result-too-large',
  );
});

test('values are exact: large numbers as text, times in RFC 3339, NaN and infinities as text', async () => {
  await using world = await worldWithPlays();
  const { rows, columns } = await world.query(`
    select 9007199254740993::bigint, 170141183460469231731687303715884105727::hugeint, 1.50::decimal(9,2),
      1234567890123456.78::decimal(18,2), timestamptz '2026-01-02 03:04:05.25+02', timestamp '2026-01-02 03:04:05',
      date '2026-01-02', [1, null], {'a': 1::bigint}, map {'k': 1}, 'nan'::double, '{"a":1}'::json, true, '\\x41'::blob,
      timestamptz 'infinity', date '-infinity', sum(range) from range(3)`);
  assert.deepEqual(rows, [
    [
      '9007199254740993',
      '170141183460469231731687303715884105727',
      1.5,
      '1234567890123456.78',
      '2026-01-02T01:04:05.25Z',
      '2026-01-02 03:04:05',
      '2026-01-02',
      [1, null],
      { a: 1 },
      [['k', 1]],
      'NaN',
      '{"a":1}',
      true,
      'QQ==',
      'infinity',
      '-infinity',
      3,
    ],
  ]);
  assert.equal(columns[11]?.type, 'JSON');
});

test('a dry run checks a query and reads nothing', async () => {
  await using world = await worldWithPlays();
  const answer = await world.query('select track, error(track) from play', {}, { dryRun: true });
  assert.deepEqual(
    [answer.columns[0], answer.rowCount, answer.rows],
    [{ name: 'track', type: 'VARCHAR' }, 0, undefined],
  );
});

test('tables can be listed and described; a table with a computed name is refused, not empty', async () => {
  await using world = await worldWithPlays();
  const tables = await world.query('show tables');
  assert.deepEqual(tables.rows?.map(([name]) => name).sort(), ['play', 'play-end', 'play_end']);
  const described = await world.query('describe play_end');
  assert.deepEqual(
    described.rows?.slice(-2).map((row) => row.slice(0, 2)),
    [
      ['track', 'VARCHAR'],
      ['playedMs', 'BIGINT'],
    ],
  );
  assert.deepEqual((await world.query(`select count(*) from query_table('play')`)).rows, [[2]]);
  assert.equal((await world.query('from histogram(play, track)')).rows?.length, 2);
  assert.equal((await refusalOf(world, `from query_table('pl' || 'ay')`)).code, 'datasets/outside');
  assert.deepEqual((await world.query('select count(*) from "play-end", play_end')).rows, [[1]]);
});

test('a dataset shows its event types together, or the result of its SQL', async () => {
  await using world = await worldWithPlays();
  const dataset = { title: 'x', owner: 'y', freshness: 'PT1H' };
  world.declare({
    eventTypes: { play: PLAY, 'play-end': PLAY },
    datasets: {
      'all-plays': { ...dataset, eventTypes: ['play', 'play-end'] },
      counted: {
        ...dataset,
        datasets: ['all-plays'],
        sql: 'select event_type, count(*) as n from all_plays group by all; ',
      },
      upper: { ...dataset, eventTypes: ['play'], sql: `select upper(event_id) as id from play -- all` },
      broken: { ...dataset, eventTypes: ['play'], sql: 'select nothing from play' },
    },
  });
  assert.deepEqual((await world.query('from counted order by 1')).rows, [
    ['play', 2],
    ['play-end', 1],
  ]);
  assert.deepEqual((await world.query('from upper order by 1')).rows, [['A'], ['B']]);
  assert.deepEqual((await world.query('select event_id from events.play order by 1')).rows, [['a'], ['b']]);
  const refusal = await refusalOf(world, 'from broken');
  assert.equal(refusal.code, 'datasets/broken-dataset');
  assert.match(refusal.message, /^The Dataset "broken" cannot be read: Referenced column "nothing" not found/);
  const marks = await world.query(
    `select name, events_until, rows, fresh from watermarks where name in ('play-end', 'counted') order by 1`,
  );
  assert.deepEqual(marks.rows, [
    ['counted', '2026-05-07T11:59:50Z', null, true],
    ['play-end', '2026-05-07T11:59:50Z', 1, null],
  ]);
  assert.match(await world.registry.metrics(), /backline_datasets_stale 0/);
  world.setNow('2026-05-10T13:30:00Z');
  const stale = await world.query('select name from watermarks where not fresh order by 1');
  assert.deepEqual(stale.rows, [['all-plays'], ['broken'], ['counted'], ['upper']]);
  assert.match(await world.registry.metrics(), /backline_datasets_stale 4/);
});

test('an event type without files is an empty table with its columns', async () => {
  await using world = await startDatasetsWorld({
    eventTypes: {
      play: {
        ...PLAY,
        schema: {
          properties: {
            at: { type: 'timestamp' },
            tags: { type: 'array', items: { type: 'string' } },
            more: { type: 'object' },
            secret: { type: 'integer', sensitive: true },
          },
          required: [],
          additional: true,
        },
      },
    },
  });
  const { columns, rows } = await world.query('select * from play');
  assert.deepEqual(rows, []);
  assert.deepEqual(
    columns.map(({ name, type }) => `${name} ${type}`),
    [
      'event_id VARCHAR',
      'pseudonym UUID',
      'client VARCHAR',
      'event_at TIMESTAMP WITH TIME ZONE',
      'sent_at TIMESTAMP WITH TIME ZONE',
      'received_at TIMESTAMP WITH TIME ZONE',
      'corrected_at TIMESTAMP WITH TIME ZONE',
      'revision VARCHAR',
      'day DATE',
      'at TIMESTAMP WITH TIME ZONE',
      'tags VARCHAR[]',
      'more JSON',
      'secret VARCHAR',
      'payload JSON',
    ],
  );
});

test('a missing file is reported as missing, not as a query outside the datasets', async () => {
  await using world = await worldWithPlays();
  await rm(join(world.directory, 'play'), { recursive: true });
  const { status, code, message } = await refusalOf(world, 'select count(*) from play');
  assert.deepEqual([status, code], [503, 'datasets/file-missing']);
  assert.match(message, /^The file play\/day=2026-05-10\/\S+\.parquet is missing in the folder of datasets/);
  const audit = await world.query('select type, accepted, rows, difference from loss_audit order by type');
  assert.deepEqual(audit.rows, [
    ['play', 2, 0, 2],
    ['play-end', 1, 1, 0],
  ]);
  assert.deepEqual((await world.query('select count(*) from play_end')).rows, [[1]]);
});

test('of each user one query runs and four wait; more are refused', async () => {
  await using world = await worldWithPlays();
  const ofOne = Array.from({ length: 7 }, (_, index) => world.query(`select ${index} as i`));
  const ofOther = world.query('select 7 as i', {}, { user: 'other' });
  const [answered, refused] = [[] as unknown[], [] as unknown[]];
  for (const result of await Promise.allSettled([...ofOne, ofOther])) {
    if (result.status === 'fulfilled') answered.push(result.value.rows?.[0]?.[0]);
    else refused.push((result.reason as Refusal).message);
  }
  assert.deepEqual(answered, [0, 1, 2, 3, 4, 7]);
  assert.deepEqual(refused, Array(2).fill('1 queries of user "tester" run and 4 wait; no more are taken now.'));
});

test('hanging up frees the place of a running query and of waiting ones', async () => {
  await using world = await worldWithPlays();
  const slow = `select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3`;
  const gone = new AbortController();
  const asked = Array.from({ length: 5 }, () => world.query(slow, {}, { signal: gone.signal }));
  gone.abort();
  for (const one of await Promise.allSettled(asked)) assert.equal(one.status, 'rejected');
  const rows = await Promise.all(Array.from({ length: 5 }, (_, index) => world.query(`select ${index} as i`)));
  assert.deepEqual(
    rows.map((answer) => answer.rows?.[0]?.[0]),
    [0, 1, 2, 3, 4],
  );
  assert.deepEqual(await readdir(join(world.directory, '.work')), []);
});

test('an aborted query of the program is ended, and the next is answered at once', async () => {
  await using world = await worldWithPlays();
  const queries = startQueries({
    database: world.db.database,
    directory: world.directory,
    world: () => worldOf({ eventTypes: { play: PLAY } }),
    clock: () => Temporal.Instant.from('2026-05-10T12:00:00Z'),
    log: openLog('silent'),
  });
  const slow = `select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3`;
  const unwanted = new AbortController();
  const asked = [1, 2].map(() => queries.ask(slow, unwanted.signal));
  const next = queries.ask('select count(*) from play', new AbortController().signal);
  unwanted.abort();
  for (const one of await Promise.allSettled(asked)) assert.equal(one.status, 'rejected');
  assert.deepEqual(await next, [[2]]);
  await queries.close();
});
