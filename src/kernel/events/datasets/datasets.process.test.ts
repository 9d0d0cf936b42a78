import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { amount } from '#tests/support/amount.ts';
import { worldOf } from '../testing/world.ts';
import { formerFieldsExaminer } from './former-fields.ts';
import { startRollUps } from './roll-ups.ts';
import { logEvents, PLAY, startDatasetsWorld, type DatasetsWorld } from './testing/datasets-world.ts';

/** Sequences of writes and kills, each with a database of its own. */
const RUNS = amount({ usual: 4, long: 60 });

/** Files that lie in the folder, whether they count or not. */
async function filesOf(world: DatasetsWorld): Promise<string[]> {
  const names = await readdir(world.directory, { recursive: true });
  return names.filter((name) => name.endsWith('.parquet')).sort();
}

async function countOf(world: DatasetsWorld, sql = 'select count(*) from play'): Promise<unknown> {
  return (await world.query(sql)).rows?.[0]?.[0];
}

test('logged events become typed rows once, with completeUntil', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [
    { id: 'a', payload: { track: '\ufeffx"\\ \u0007 ü', playedMs: 9007199254740991 } },
    { id: 'b\nc\u0001\u0002', payload: { track: '', playedMs: null } },
  ]);
  const first = await world.rollUps.rollUpNow();
  assert.deepEqual([first?.rows, first?.files], [2, 1]);
  assert.deepEqual((await world.rollUps.rollUpNow())?.rows, 0);
  const answer = await world.query('select event_id, track, "playedMs", corrected_at, day from play order by 1');
  assert.deepEqual(answer.rows, [
    ['a', '\ufeffx"\\ \u0007 ü', 9007199254740991, '2026-05-10T11:00:00Z', '2026-05-10'],
    ['b\nc\u0001\u0002', '', null, '2026-05-10T11:00:00Z', '2026-05-10'],
  ]);
  assert.deepEqual(answer.columns[2], { name: 'playedMs', type: 'BIGINT' });
  assert.equal(answer.completeUntil, '2026-05-10T11:59:50Z');
});

test('each type of field is a column of its SQL type; sealed fields stay sealed', async () => {
  const properties = {
    text: { type: 'string' },
    whole: { type: 'integer' },
    number: { type: 'number' },
    yes: { type: 'boolean' },
    at: { type: 'timestamp' },
    money: { type: 'decimal', scale: 2 },
    numbers: { type: 'array', items: { type: 'integer' } },
    amounts: { type: 'array', items: { type: 'decimal', scale: 18 } },
    times: { type: 'array', items: { type: 'timestamp' } },
    more: { type: 'object' },
    secret: { type: 'integer', sensitive: true },
  };
  const schema = { properties, required: [], additional: true };
  await using world = await startDatasetsWorld({ eventTypes: { play: { ...PLAY, schema } } });
  const payload = {
    text: "it's",
    whole: -1,
    number: 0.1,
    yes: false,
    at: '2016-12-31t23:59:60.5+00:00',
    money: '12345678901234567890.07',
    numbers: [1, 2],
    amounts: [4.99, '-0.000000000000000001'],
    times: ['2026-01-02T03:04:05+01:00'],
    more: { a: { b: [1] } },
    secret: 'sealed:abc',
    stray: 1,
  };
  await logEvents(world, world.db.database, [
    { id: 'a', payload },
    { id: 'b', payload: {} },
  ]);
  await world.rollUps.rollUpNow();
  const names = Object.keys(properties)
    .map((name) => `"${name}"`)
    .join(', ');
  const { rows } = await world.query(`select ${names}, payload->>'stray' from play order by event_id`);
  assert.deepEqual(rows, [
    [
      "it's",
      -1,
      0.1,
      false,
      '2016-12-31T23:59:59.5Z',
      '12345678901234567890.07',
      [1, 2],
      ['4.990000000000000000', '-0.000000000000000001'],
      ['2026-01-02T02:04:05Z'],
      '{"a":{"b":[1]}}',
      'sealed:abc',
      '1',
    ],
    [...Object.keys(properties).map(() => null), null],
  ]);
});

test('a new field is NULL in older files; rows of an unknown revision lose nothing', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [{ id: 'old' }]);
  await world.rollUps.rollUpNow();
  // Ingest has the new revision already, roll-ups do not.
  const properties = { ...PLAY.schema.properties, device: { type: 'string' } };
  const newer = { eventTypes: { play: { ...PLAY, schema: { ...PLAY.schema, properties } } } };
  const revision = worldOf(newer).get('events.backline.dev/EventType', 'play')?.revision ?? '';
  const payload = { track: 't', device: 'phone' };
  await logEvents(world, world.db.database, [{ id: 'early', revision, payload }, { id: 'same window' }]);
  await world.rollUps.rollUpNow();
  world.declare(newer);
  await logEvents(world, world.db.database, [{ id: 'new', revision, payload }]);
  await world.rollUps.rollUpNow();
  assert.deepEqual((await world.query('select event_id, track, device from play order by 1')).rows, [
    ['early', 't', 'phone'],
    ['new', 't', 'phone'],
    ['old', 'old', null],
    ['same window', 'same window', null],
  ]);
});

test('events of an undeclared type are kept unparsed, and are read when it is declared again', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const revision = world.revisionOf('play');
  world.declare({});
  await logEvents(world, world.db.database, [{ id: 'a', revision, payload: { track: 't', playedMs: 5 } }]);
  await world.rollUps.rollUpNow();
  world.declare({ eventTypes: { play: PLAY } });
  assert.deepEqual((await world.query('select track, "playedMs" from play')).rows, [['t', 5]]);
});

test('late events become another file of their day, marked late; a closed day becomes one file again', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const day = (at: string, id: string) => ({ id, at, receivedAt: '2026-05-10T11:30:00Z' });
  await logEvents(world, world.db.database, [
    day('2026-05-07T23:00:00Z', 'two days'),
    day('2026-05-09T00:00:00Z', 'the day before'),
    day('2026-05-10T01:00:00Z', 'today'),
  ]);
  await world.rollUps.rollUpNow();
  const marked = await world.db.database.query('select day::text, late from backline.dataset_files order by day');
  assert.deepEqual(marked, [
    { day: '2026-05-07', late: true },
    { day: '2026-05-09', late: false },
    { day: '2026-05-10', late: false },
  ]);
  await logEvents(world, world.db.database, [day('2026-05-07T22:00:00Z', 'later')]);
  await world.rollUps.rollUpNow();
  assert.equal((await filesOf(world)).length, 4);
  world.setNow('2026-05-10T13:30:00Z');
  await world.rollUps.rollUpNow();
  const counting = await world.db.database.query(
    'select day::text, rows from backline.dataset_files where dropped_at is null order by day',
  );
  assert.deepEqual(counting[0], { day: '2026-05-07', rows: 2 });
  assert.equal(await countOf(world, `select count(*) from play where day = '2026-05-07'`), 2);
  // Running queries can still read the old ones, which are removed later.
  assert.equal((await filesOf(world)).length, 5);
  world.setNow('2026-05-10T14:00:00Z');
  await world.rollUps.rollUpNow();
  assert.equal((await filesOf(world)).length, 3);
});

test('a query that runs while its files are merged gets each row once', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const writing = (async () => {
    for (let round = 0; round < 12; round += 1) {
      await logEvents(world, world.db.database, [{ id: `${round}` }]);
      await world.rollUps.rollUpNow();
    }
  })();
  let least = 0;
  for (let round = 0; round < 6; round += 1) {
    const [[rows, distinct] = []] =
      (await world.query('select count(*), count(distinct event_id) from play')).rows ?? [];
    assert.equal(rows, distinct);
    assert.ok(Number(rows) >= least);
    least = Number(rows);
  }
  await writing;
  assert.equal(await countOf(world), 12);
  const [counting] = await world.db.database.query<{ n: number }>(
    'select count(*) as n from backline.dataset_files where dropped_at is null',
  );
  assert.ok((counting?.n ?? 0) < 12);
});

test('days that are older than their retention are dropped, first from the tables, then from the disk', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: { ...PLAY, retention: 'P2D' } } });
  await logEvents(world, world.db.database, [{ id: 'a' }, { id: 'b', at: '2026-05-09T01:00:00Z' }]);
  await world.rollUps.rollUpNow();
  world.setNow('2026-05-12T00:00:00Z');
  await world.rollUps.rollUpNow();
  assert.deepEqual((await world.query('select event_id from play')).rows, [['a']]);
  assert.equal((await filesOf(world)).length, 2);
  world.setNow('2026-05-12T00:30:00Z');
  await world.rollUps.rollUpNow();
  assert.equal((await filesOf(world)).length, 1);
});

test('a day of the log is dropped once it is in files and three days old, and not while it is needed', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const days = async () => {
    const rows = await world.db.database.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'backline.event_log'::regclass order by 1`,
    );
    return rows.map(({ name }) => name.slice(-4));
  };
  await logEvents(world, world.db.database, [{ id: 'a' }]);
  const open = await world.db.database.connect();
  await open.query('begin');
  await logEvents(world, open, [{ id: 'b' }]);
  world.setNow('2026-05-14T00:00:00Z');
  // A writer under way keeps its day; other days are dropped.
  await open.query('rollback');
  await open.query('begin');
  await logEvents(world, open, [{ id: 'b' }]);
  assert.deepEqual(await days(), ['0510', '0511', '0512']);
  await open.query('commit');
  await open.close();
  await world.rollUps.rollUpNow();
  assert.deepEqual(await days(), ['0511', '0512']);
  assert.equal(await countOf(world), 2);
});

test('the loss audit compares accepted events with rows in files', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [
    { id: 'a', receivedAt: '2026-05-10T10:59:59.999Z' },
    { id: 'b', receivedAt: '2026-05-10T11:00:00Z' },
    { id: 'c', receivedAt: '2026-05-10T11:59:00Z' },
  ]);
  await world.rollUps.rollUpNow();
  // Not rolled yet: counted on neither side.
  await logEvents(world, world.db.database, [{ id: 'd' }]);
  const audit = async () =>
    (await world.query('select hour, type, accepted, rows, difference from loss_audit order by 1')).rows;
  assert.deepEqual(await audit(), [
    ['2026-05-10T10:00:00Z', 'play', 1, 1, 0],
    ['2026-05-10T11:00:00Z', 'play', 2, 2, 0],
  ]);
  await world.db.database.query(
    "update backline.event_batches set accepted = accepted + 5 where accepted = 1 and received_at < '2026-05-10T11:00:00Z'",
  );
  assert.deepEqual((await audit())?.[0], ['2026-05-10T10:00:00Z', 'play', 6, 1, 5]);
});

test('gaps in the sequence of a producer are in a table', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const batches = [1, 2, 2, 5, 6, 9].map(
    (sequence) => `('2026-05-10T11:0${sequence}:00Z', 'web', 'p1', ${sequence}, 'play', 1, 0, 0)`,
  );
  const others = [
    `('2026-05-10T11:00:00Z', 'web', 'p2', 7, 'play', 1, 0, 0)`,
    `('2026-05-10T11:00:00Z', 'web', '', null, 'play', 1, 0, 0)`,
    `('2026-05-01T11:00:00Z', 'web', 'p2', 1, 'play', 1, 0, 0)`,
  ];
  await world.db.database.query(`
    insert into backline.event_batches (received_at, client, producer, sequence, type, accepted, duplicates, quarantined)
    values ${[...batches, ...others].join(', ')}`);
  assert.deepEqual((await world.query('from missing_batches order by first')).rows, [
    ['web', 'p1', 3, 4, '2026-05-10T11:05:00Z'],
    ['web', 'p1', 7, 8, '2026-05-10T11:09:00Z'],
  ]);
  assert.deepEqual(
    (await world.query(`show tables`)).rows?.map(([name]) => name),
    ['play'],
  );
});

test('an erased subject cannot be found in files', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const pseudonym = '3f2c8a54-5d0e-4a37-9a57-0a7e0d6d9e11';
  await world.db.database.query(`
    insert into backline.pseudonyms (subject, pseudonym, sealed_key, created_at)
    values ('maria.lindqvist', '${pseudonym}', 'k', now())`);
  await logEvents(world, world.db.database, [{ id: 'a', pseudonym }]);
  await world.rollUps.rollUpNow();
  await world.db.database.query(`delete from backline.pseudonyms where subject = 'maria.lindqvist'`);
  assert.deepEqual((await world.query(`select pseudonym from play`)).rows, [[pseudonym]]);
  assert.equal(await countOf(world, `select count(*) from play where contains(play::text, 'maria')`), 0);
  for (const file of await filesOf(world)) {
    assert.equal((await readFile(join(world.directory, file))).includes('maria'), false);
  }
});

const DIE = fileURLToPath(new URL('./testing/roll-then-die.ts', import.meta.url));

test('a kill between any two steps of a roll-up neither loses nor duplicates rows', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  let logged = 0;
  // Before the window is read, before the files are committed, within that transaction, before and after its commit.
  for (const word of [
    'select pg_snapshot',
    'begin',
    'insert into backline.dataset_files',
    'update backline.rollup',
    'commit',
    'select brin',
  ]) {
    await logEvents(world, world.db.database, [{ id: `${word} 1` }, { id: `${word} 2` }]);
    logged += 2;
    const child = spawn(process.execPath, [DIE, world.db.url, world.directory, word], { stdio: 'ignore' });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL', word);
    // Its session, and with it the lock, may take a moment to end.
    let done = await world.rollUps.rollUpNow();
    while (done === undefined) done = await world.rollUps.rollUpNow();
    assert.deepEqual(
      (await world.query('select count(*), count(distinct event_id) from play')).rows,
      [[logged, logged]],
      word,
    );
    // Gives the lock to the next process.
    await world.rollUps.close();
    world.rollUps = await restartRollUps(world);
  }
  const listed = await world.db.database.query<{ path: string }>(
    'select path from backline.dataset_files order by path',
  );
  assert.deepEqual(await filesOf(world), listed.map(({ path }) => path).sort());
  assert.deepEqual(
    (await readdir(join(world.directory, '.work'))).filter((name) => name.startsWith('roll')),
    [],
  );
});

async function restartRollUps(world: Pick<DatasetsWorld, 'db' | 'directory'>, copyOut = world.db.database.copyOut) {
  return startRollUps({
    database: { ...world.db.database, copyOut },
    directory: world.directory,
    world: () => worldOf({ eventTypes: { play: PLAY } }),
    clock: () => Temporal.Instant.from('2026-05-10T12:00:00Z'),
    log: openLog('silent'),
    registry: new Registry(),
    rollUpSeconds: 3_600,
  });
}

test('only one process rolls at a time, and another takes over when it ends', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const other = await restartRollUps(world);
  await logEvents(world, world.db.database, [{ id: 'a' }]);
  const [mine, theirs] = await Promise.all([world.rollUps.rollUpNow(), other.rollUpNow()]);
  assert.deepEqual(
    [mine?.rows, theirs?.rows].filter((rows) => rows !== undefined),
    [1],
  );
  await (mine === undefined ? other : world.rollUps).close();
  await logEvents(world, world.db.database, [{ id: 'b' }]);
  const next = mine === undefined ? world.rollUps : other;
  let done = await next.rollUpNow();
  while (done === undefined) done = await next.rollUpNow();
  assert.equal(done.rows, 1);
  await next.close();
  assert.equal(await countOf(world), 2);
});

/** Kills a DuckDB process of ours, if one runs. Lists only our children: listing all processes takes too long. */
async function killChild(): Promise<boolean> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
  for (const name of children.trim().split(' ')) {
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (!command.includes('datasets/worker.ts')) continue;
    process.kill(Number(name), 'SIGKILL');
    return true;
  }
  return false;
}

test(
  'after random writes and kills the files hold the log, each row once',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('write' as const),
          writer: fc.nat(2),
          rows: fc.integer({ min: 1, max: 3 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('commit' as const), writer: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), writer: fc.nat(2) }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('roll' as const), kill: fc.boolean() }) },
    );
    let killed = 0;
    let held = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 20 }), async (steps) => {
      await using world = await startDatasetsWorld({ eventTypes: { play: PLAY, end: PLAY } });
      const writers = await Promise.all(
        [0, 1, 2].map(async () => ({ connection: await world.db.database.connect(), open: false })),
      );
      let id = 0;
      for (const action of steps) {
        if (action.do === 'roll') {
          const rolling = world.rollUps.rollUpNow().catch(() => undefined);
          if (writers.some(({ open }) => open)) held += 1;
          while (action.kill) {
            const over = await Promise.race([
              rolling.then(() => true),
              killChild().then((done) => (done ? 'killed' : false)),
            ]);
            if (over === 'killed') killed += 1;
            if (over !== false) break;
          }
          await rolling;
          continue;
        }
        const writer = writers[action.writer];
        if (writer === undefined) continue;
        if (action.do === 'write') {
          if (!writer.open) await writer.connection.query('begin');
          writer.open = true;
          const types = ['play', 'end'];
          await logEvents(
            world,
            writer.connection,
            Array.from({ length: action.rows }, () => ({ id: `${(id += 1)}`, type: types[id % 2] ?? '' })),
          );
        } else if (writer.open) {
          await writer.connection.query(action.do);
          writer.open = false;
        }
      }
      for (const { connection, open } of writers) {
        if (open) await connection.query('commit');
        await connection.close();
      }
      const last = await world.rollUps.rollUpNow();
      assert.notEqual(last, undefined);
      const expected = await world.db.database.query<{ type: string; id: string }>(
        'select type, id from backline.event_log order by type, id',
      );
      const { rows } = await world.query(`
        select * from (select 'play' as type, event_id from play union all select 'end', event_id from "end") order by 1, 2`);
      assert.deepEqual(
        rows,
        expected.map(({ type, id: of }) => [type, of]),
      );
      assert.equal(await countOf(world, 'select coalesce(sum(abs(difference)), 0) from loss_audit'), 0);
    });
    // A child can be killed only while something is rolled, which chance may leave out.
    for (let round = 0; round < 5 && (killed === 0 || held === 0); round += 1) {
      await fc.assert(property, { numRuns: RUNS });
    }
    t.diagnostic(`${killed} children were killed, ${held} roll-ups ran beside open transactions`);
    assert.ok(killed > 0 && held > 0, `${killed} children were killed, ${held} roll-ups ran beside open transactions`);
  },
);

test('a roll-up that is stopped as it begins to read leaks no connection', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [{ id: 'a' }]);
  await world.rollUps.close();
  const own = openDatabase(world.db.url);
  const closing = Promise.withResolvers<void>();
  const rollUps = await restartRollUps({ ...world, db: { ...world.db, database: own } }, async (statement) => {
    const copied = await own.copyOut(statement);
    closing.resolve(rollUps.close());
    return copied;
  });
  assert.equal(await rollUps.rollUpNow(), undefined);
  await closing.promise;
  await own.close();
});

test('a process starts with a folder that is not writable, and reports it until it is', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const file = fileURLToPath(import.meta.url);
  const elsewhere = await restartRollUps({ ...world, directory: file });
  assert.match(elsewhere.problem() ?? '', /^Datasets cannot be written to .*: ENOTDIR/);
  await elsewhere.close();
  await logEvents(world, world.db.database, [{ id: 'a' }]);
  await rm(world.directory, { recursive: true });
  await writeFile(world.directory, '');
  await assert.rejects(world.rollUps.rollUpNow());
  assert.match(world.rollUps.problem() ?? '', /cannot be written/);
  await rm(world.directory);
  await world.rollUps.rollUpNow();
  assert.equal(world.rollUps.problem(), undefined);
  assert.equal(await countOf(world), 1);
});

test('a row that no file can hold is set aside and counted; other rows are filed', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY, end: PLAY } });
  const { database } = world.db;
  const ids = ['bc', 'future', 'no json', ...Array.from({ length: 20 }, (_, index) => `fine ${index}`)];
  await logEvents(world, database, [...ids.map((id) => ({ id })), { id: 'end', type: 'end' }]);
  // Rows that ingest would not have accepted.
  await database.query(`update backline.event_log set event_at = '0044-03-15 00:00:00 BC' where id = 'bc'`);
  await database.query(`update backline.event_log set corrected_at = '12026-05-10 00:00:00Z' where id = 'future'`);
  await database.query(`update backline.event_log set payload = '{"track"' where id = 'no json'`);
  assert.equal((await world.rollUps.rollUpNow())?.rows, 21);
  assert.equal(world.rollUps.problem(), undefined);
  assert.deepEqual((await world.query('select count(*), (select count(*) from "end") from play')).rows, [[20, 1]]);
  const aside = await database.query('select id, reason from backline.event_unfiled order by id');
  assert.deepEqual(aside, [
    { id: 'bc', reason: 'its event_at cannot be read as a time or id' },
    { id: 'future', reason: 'its corrected_at cannot be read as a time or id' },
    { id: 'no json', reason: 'its fields cannot be read (Invalid Input)' },
  ]);
  const audit = async () =>
    (await world.query(`select accepted, rows, set_aside, difference from loss_audit where type = 'play'`)).rows;
  assert.deepEqual(await audit(), [[23, 20, 3, 0]]);
  assert.match(await world.registry.metrics(), /backline_rollup_set_aside_rows_total 3/);
  // The next process retries them, and files those that it can.
  await database.query(`update backline.event_unfiled set event_at = '2026-05-10T11:00:00Z' where id = 'bc'`);
  await world.rollUps.close();
  world.rollUps = await restartRollUps(world);
  let again = await world.rollUps.rollUpNow();
  while (again === undefined) again = await world.rollUps.rollUpNow();
  assert.equal(again.rows, 1);
  assert.deepEqual((await world.query(`select event_id from play where event_id = 'bc'`)).rows, [['bc']]);
  assert.deepEqual(await audit(), [[23, 21, 2, 0]]);
});

test('the readiness check cites no event when a roll-up fails', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [{ id: 'a', payload: { track: 'private' } }]);
  await world.rollUps.close();
  world.rollUps = await restartRollUps(world, () => Promise.reject(new Error('Original Line: a {"track":"private"}')));
  await assert.rejects(world.rollUps.rollUpNow());
  assert.equal(world.rollUps.problem(), 'the event log was not rolled into files; the log of the server says why');
});

test('files that no table lists do not count and are removed by the next process', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [{ id: 'a' }]);
  await world.rollUps.rollUpNow();
  const [file = ''] = await filesOf(world);
  const stray = join(world.directory, file, '../0-9.parquet');
  await writeFile(stray, await readFile(join(world.directory, file)));
  assert.equal(await countOf(world), 1);
  await world.rollUps.close();
  const next = await restartRollUps(world);
  while ((await next.rollUpNow()) === undefined);
  await next.close();
  assert.deepEqual(await filesOf(world), [file]);
});

test('a failed merge is counted and skipped; other merges and the next process go on', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY, end: PLAY } });
  const round = async (id: number) => {
    await logEvents(world, world.db.database, [{ id: `${id}` }, { id: `${id}`, type: 'end' }]);
    await world.rollUps.rollUpNow();
  };
  for (let id = 0; id < 7; id += 1) await round(id);
  const broken = (await filesOf(world)).find((path) => path.startsWith('play/'));
  await writeFile(join(world.directory, broken ?? ''), 'no Parquet');
  for (let id = 7; id < 10; id += 1) await round(id);
  const counting = async (type: string) =>
    (
      await world.db.database.query({
        text: 'select from backline.dataset_files where dropped_at is null and type = $1',
        values: [type],
      })
    ).length;
  assert.deepEqual([await counting('play'), await counting('end')], [10, 3]);
  assert.equal(world.rollUps.problem(), undefined);
  assert.match(await world.registry.metrics(), /backline_rollup_failed_merges_total 1\n/);
  assert.equal(await countOf(world, 'select count(*) from "end"'), 10);
  await nextProcess(world);
  assert.equal(world.rollUps.problem(), undefined);
});

test('a type that is declared again with other fields is refused while its files exist', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const { database } = world.db;
  const spec = (playedMs: object) => ({ ...PLAY, schema: { properties: { PlayedMS: playedMs } } });
  const examine = async (changed: object) => {
    const object = {
      apiVersion: 'events.backline.dev/v1',
      kind: 'EventType',
      metadata: { name: 'play' },
      spec: changed,
    };
    const author = { user: 'tester', requestId: 'r' };
    const [problems = []] = await formerFieldsExaminer(database).examine([object], author);
    return problems.map(({ path, detail }) => `${path.at(-1)}: ${detail}`);
  };
  const texts = { type: 'array', items: { type: 'string' } };
  await logEvents(world, database, [{ id: 'a' }]);
  assert.deepEqual(await examine(spec(texts)), [], 'there are no files yet');
  await world.rollUps.rollUpNow();
  world.declare({});
  assert.deepEqual(await examine(spec(texts)), [
    'PlayedMS: There are files of a former "play" until 2026-06-10, in which this field is BIGINT, and not VARCHAR[]: choose another name for the field, or for the type.',
  ]);
  assert.match((await examine(spec({ type: 'integer', sensitive: true }))).join(), /is BIGINT, and not sealed text/);
  assert.deepEqual(await examine(spec({ type: 'integer' })), []);
  // The last file expires, and with it the recorded fields.
  world.setNow('2026-06-20T00:00:00Z');
  await world.rollUps.rollUpNow();
  world.setNow('2026-06-20T01:00:00Z');
  await world.rollUps.rollUpNow();
  assert.deepEqual(await examine(spec(texts)), []);
});

/** Takes a backup of the database; gives the function that restores it. */
async function backup({ db: { database } }: DatasetsWorld): Promise<() => Promise<void>> {
  const tables = ['dataset_files', 'rollup', 'event_log', 'event_batches'];
  await database.query('drop schema if exists saved cascade');
  await database.query('create schema saved');
  for (const table of tables) await database.query(`create table saved.${table} as table backline.${table}`);
  return async () => {
    for (const table of tables) {
      await database.query(`delete from backline.${table}`);
      await database.query(`insert into backline.${table} select * from saved.${table}`);
    }
  };
}

/** Replaces the process that rolls. */
async function nextProcess(world: DatasetsWorld): Promise<void> {
  await world.rollUps.close();
  world.rollUps = await restartRollUps(world);
  while ((await world.rollUps.rollUpNow()) === undefined);
}

test('after a restore, files that are newer than the backup are adopted, each row once', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY, end: PLAY } });
  const { database } = world.db;
  const roll = async (...ids: string[]) => {
    await logEvents(world, database, [...ids.map((id) => ({ id })), ...ids.map((id) => ({ id, type: 'end' }))]);
    await world.rollUps.rollUpNow();
  };
  for (let id = 0; id < 2; id += 1) await roll(`before ${id}`);
  await logEvents(world, database, [{ id: 'in the log' }]);
  const restore = await backup(world);
  await roll('first', 'second');
  // These are merged with what was there before the backup; the sources are removed from the disk.
  for (let id = 0; id < 5; id += 1) await roll(`after ${id}`);
  world.setNow('2026-05-10T12:30:00Z');
  await roll('last');
  const all = await world.query('select event_id from play order by 1');
  assert.equal(all.rowCount, 11);
  const before = await database.query<{ installation: string }>('select installation from backline.rollup');
  const notOurs = join(world.directory, 'play/day=2026-05-10/copy.parquet');
  await writeFile(notOurs, 'of somebody');
  const broken = join(world.directory, 'play/day=2026-05-10/7-8-0badf11e.parquet');
  await writeFile(broken, 'no Parquet');

  await restore();
  await nextProcess(world);
  assert.deepEqual((await world.query('select event_id from play order by 1')).rows, all.rows);
  assert.deepEqual((await world.query('select count(*), count(distinct event_id) from "end"')).rows, [[10, 10]]);
  const after = await database.query<{ installation: string }>('select installation from backline.rollup');
  assert.notDeepEqual(after, before, 'two databases that were one are two from now on');
  assert.equal(await readFile(notOurs, 'utf8'), 'of somebody');
  const lost = await readdir(join(world.directory, '.lost/play/day=2026-05-10'));
  assert.match(lost.join(), /^7-8-0badf11e\.parquet\.[0-9a-f]{8}$/);
  assert.equal(world.rollUps.problem(), undefined);

  // New rows get the same transaction numbers as the rows that were written after the backup.
  for (let id = 0; id < 3; id += 1) await roll(`anew ${id}`);
  await nextProcess(world);
  assert.deepEqual((await world.query('select count(*), count(distinct event_id) from play')).rows, [[14, 14]]);
});

test('a folder of another database is not touched; without its marker its files are adopted', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await logEvents(world, world.db.database, [{ id: 'a' }, { id: 'b' }]);
  await world.rollUps.rollUpNow();
  await world.rollUps.close();
  const files = await filesOf(world);
  await using other = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  await other.rollUps.close();
  // Databases of tests are copies of one.
  await other.db.database.query('update backline.rollup set installation = gen_random_uuid()');
  other.rollUps = await restartRollUps({ ...world, db: other.db });
  await logEvents(other, other.db.database, [{ id: 'c' }]);
  await assert.rejects(other.rollUps.rollUpNow(), { code: 'datasets/other-installation' });
  assert.match(other.rollUps.problem() ?? '', /belong to another database/);
  assert.deepEqual(await filesOf(world), files);
  await rm(join(world.directory, '.installation'));
  while ((await other.rollUps.rollUpNow()) === undefined);
  assert.equal(other.rollUps.problem(), undefined);
  const listed = await other.db.database.query<{ path: string; rows: number }>(
    'select path, rows from backline.dataset_files',
  );
  assert.deepEqual(listed.map(({ rows }) => rows).sort(), [1, 2]);
  assert.ok(listed.some(({ path }) => path === files[0]));
  // The process that rolled here before notices.
  world.rollUps = await restartRollUps(world);
  await assert.rejects(world.rollUps.rollUpNow(), { code: 'datasets/other-installation' });
});

test('a log that was restored into a PostgreSQL with lower transaction numbers is rolled once, and goes on', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  const { database } = world.db;
  await logEvents(world, database, [{ id: 'in files' }]);
  await world.rollUps.rollUpNow();
  await logEvents(world, database, [{ id: 'in the log' }]);
  await world.rollUps.close();
  // As if a server with higher transaction numbers had written all of this.
  const further = (column: string) => `${column} = (${column}::text::numeric + 5000000000)::text::xid8`;
  await database.query(`update backline.event_log set ${further('tx')}`);
  await database.query(`update backline.event_batches set ${further('tx')}`);
  await database.query(`update backline.rollup set ${further('until_tx')}`);
  world.rollUps = await restartRollUps(world);
  let done = await world.rollUps.rollUpNow();
  while (done === undefined) done = await world.rollUps.rollUpNow();
  assert.equal(done.rows, 1);
  await logEvents(world, database, [{ id: 'new' }]);
  assert.equal((await world.rollUps.rollUpNow())?.rows, 1);
  assert.deepEqual((await world.query('select event_id from play order by 1')).rows, [
    ['in files'],
    ['in the log'],
    ['new'],
  ]);
  assert.deepEqual((await world.query('select accepted, rows, difference from loss_audit')).rows, [[3, 3, 0]]);
});

test('a backlog that is too large for one window is rolled in smaller ones; completeUntil advances at the end', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { play: PLAY } });
  for (let id = 0; id < 12; id += 1) await logEvents(world, world.db.database, [{ id: `${id}` }]);
  const next = await restartRollUps(world, (statement) => {
    const [from = 0n, until = 0n] = Array.from(statement.matchAll(/'(\d+)'::xid8/g), ([, tx]) => BigInt(tx ?? 0));
    if (until - from > 5n) throw new Error('too much');
    return world.db.database.copyOut(statement);
  });
  let failures = 0;
  for (let done = false; !done;) {
    done = await next.rollUpNow().then(
      () => true,
      () => false,
    );
    const { completeUntil } = await world.query('select 1');
    assert.equal(completeUntil, done ? '2026-05-10T11:59:50Z' : '1970-01-01T00:00:00Z');
    if (!done) failures += 1;
  }
  assert.ok(failures > 0);
  await next.close();
  assert.deepEqual((await world.query('select count(*), count(distinct event_id) from play')).rows, [[12, 12]]);
});

const ORPHAN = `
  import { runJob } from ${JSON.stringify(new URL('./run-job.ts', import.meta.url).href)};
  const job = { does: 'query', scratch: 'work', memoryMb: 100, spillMb: 1, threads: 1, files: [], setup: [],
    sql: 'select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3',
    format: 'rows', rowsMax: 1, bytesMax: 1000 };
  void runJob(job, { directory: process.argv[1], limits: { residentMb: 1000, msMax: 600000 } });
  setInterval(() => {}, 1000);`;

test(
  'the process that DuckDB runs in ends when its parent is gone',
  { skip: process.platform !== 'linux' },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'backline-orphan-'));
    const parent = spawn(process.execPath, ['--input-type=module', '-e', ORPHAN, directory], { stdio: 'inherit' });
    const listChildren = async () => (await readFile(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8')).trim();
    // Until DuckDB has begun: its folder exists.
    while (!(await readdir(directory)).includes('work')) await sleep(20);
    const child = Number(await listChildren());
    assert.ok(child > 0);
    parent.kill('SIGKILL');
    while (await isRunning(child)) await sleep(20);
    assert.deepEqual(await readdir(directory), []);
    await rm(directory, { recursive: true });
  },
);

async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return status !== '' && !/^State:\s+Z/m.test(status);
}
