import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Refusal, Unavailable } from '#kernel/base/failures.ts';
import { startDatabase } from '#tests/support/database.ts';
import { bigintArray, textArray } from './arrays.ts';
import { isConnectionLost, openDatabase, operatorsError, urlOfDatabase } from './database.ts';

test('arrays arrive as they were sent, quotes, newlines and any script included', async () => {
  await using db = await startDatabase();
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
  const numbers = fc.maxSafeInteger();
  await fc.assert(
    fc.asyncProperty(fc.array(text), fc.array(numbers), async (texts, integers) => {
      const [row] = await db.database.query<{ texts: string[]; integers: string[] }>({
        text: 'select $1::text[] as texts, $2::bigint[] as integers',
        values: [textArray(texts), bigintArray(integers)],
      });
      assert.deepEqual(row?.texts, texts);
      assert.deepEqual(row?.integers.map(Number), integers);
    }),
    { numRuns: 60 },
  );
});

test('a bigint is a number, and one that a number cannot hold is an error instead of a rounded value', async () => {
  await using db = await startDatabase();
  assert.deepEqual(await db.database.query('select 9007199254740991::bigint as n'), [{ n: 9007199254740991 }]);
  await assert.rejects(db.database.query('select 9007199254740993::bigint as n'), RangeError);
});

test('a time with zone is an instant', async () => {
  await using db = await startDatabase();
  const [row] = await db.database.query<{ at: Temporal.Instant }>({
    text: 'select $1::timestamptz as at',
    values: ['2026-03-29T03:30:00.123456+02:00'],
  });
  assert.equal(row?.at.toString(), '2026-03-29T01:30:00.123456Z');
});

test('a transaction keeps all or nothing', async () => {
  await using db = await startDatabase();
  await db.database.query('create table t (id integer)');
  const failing = db.database.transaction(async ({ query }) => {
    await query('insert into t values (1)');
    await query('select 1 / 0');
  });
  await assert.rejects(failing, /division by zero/);
  await db.database.transaction(({ query }) => query('insert into t values (2)'));
  assert.deepEqual(await db.database.query('select id from t'), [{ id: 2 }]);
});

test('a lost connection is distinguished from an answer, and the pool goes on without it', async () => {
  await using db = await startDatabase();
  const connection = await db.database.connect();
  const answer = await connection.query('select 1 / 0').catch((error: unknown) => error);
  assert.equal(isConnectionLost(answer), false);
  assert.equal(connection.isLost(), false);

  const [backend] = await connection.query<{ pid: number }>('select pg_backend_pid() as pid');
  const waiting = connection.query('select pg_sleep(60)').catch((error: unknown) => error);
  await db.database.query(`select pg_terminate_backend(${backend?.pid})`);
  assert.equal(isConnectionLost(await waiting), true);
  await connection.lost;
  assert.equal(connection.isLost(), true);
  assert.equal(isConnectionLost(await connection.query('select 1').catch((error: unknown) => error)), true);

  const nowhere = openDatabase('postgresql:///postgres?host=/nonexistent&user=nobody');
  assert.equal(isConnectionLost(await nowhere.query('select 1').catch((error: unknown) => error)), true);
  await nowhere.close();
});

test('rows that are copied out come at the pace of the reader, all of them, or end with an error', async () => {
  await using db = await startDatabase();
  const { stream, rows } = await db.database.copyOut('copy (select * from generate_series(1, 300000)) to stdout');
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  assert.equal(await rows, 300_000);
  assert.ok(text.startsWith('1\n2\n') && text.endsWith('\n300000\n'));

  const broken = await db.database.copyOut('copy (select 1 / (1000 - n) from generate_series(1, 2000) n) to stdout');
  await assert.rejects(async () => {
    for await (const chunk of broken.stream) text = String(chunk);
  }, /division by zero/);
  await assert.rejects(broken.rows, /division by zero/);

  const killed = await db.database.copyOut('copy (select pg_sleep(60)) to stdout');
  const sleeper = `select pid from pg_stat_activity where query like 'copy (select pg_sleep%' and datname = current_database()`;
  let backend: { pid: number } | undefined;
  while (backend === undefined) [backend] = await db.database.query<{ pid: number }>(sleeper);
  const ended = assert.rejects(killed.rows);
  killed.stream.resume();
  await db.database.query(`select pg_terminate_backend(${backend.pid})`);
  await ended;

  // As many as the pool has connections and more: each gives its own back.
  for (let round = 0; round < 12; round += 1) {
    const { stream: left } = await db.database.copyOut('copy (select * from generate_series(1, 300000)) to stdout');
    left.destroy();
  }
  assert.deepEqual(await db.database.query('select 1 as n'), [{ n: 1 }]);
});

test('a database that lets nobody in is away for who asks, and for the operator there is something to do', async () => {
  await using db = await startDatabase();
  const nowhere = openDatabase(urlOfDatabase(db.url, 'not-made-yet'));
  const error = await nowhere.query('select 1').catch((caught: unknown) => caught);
  await nowhere.close();
  assert.ok(error instanceof Unavailable, String(error));
  assert.equal(isConnectionLost(error), false, 'waiting does not mend it');
  const refusal = operatorsError(error);
  assert.ok(refusal instanceof Refusal);
  assert.match(`${refusal.message} ${refusal.remedy}`, /"not-made-yet" does not exist.*Create the database/);
  const away = operatorsError(new Unavailable('postgres/away', 'The database cannot do this now: it restarts.'));
  assert.ok(away instanceof Refusal, 'also where it went away during a start');
  assert.match(`${away.message} ${away.remedy}`, /it restarts.*Start again/);
});
