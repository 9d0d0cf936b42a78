import assert from 'node:assert/strict';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { startBackline, type Running } from '#planes/start.ts';
import { caller, startWorld } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';
import { startDatabaseAlone } from '../support/database.ts';
import { until } from '../support/installation.ts';

const FEATURES = '/apis/products.backline.dev/v1/namespaces/default/features';

/** Makes all sessions of the server read-only or writable, like a standby before and after its promotion. */
async function setReadOnly({ query }: Database, isReadOnly: boolean): Promise<void> {
  await query(
    `alter system ${isReadOnly ? 'set default_transaction_read_only = on' : 'reset default_transaction_read_only'}`,
  );
  await query('select pg_reload_conf()');
}

test('a process starts on a read-only database, serves reads, says why it cannot write, and writes when it can', async (t) => {
  const world = await startWorld(t, {
    roles: ['api', 'decide', 'ingest', 'controllers'],
    database: await startDatabaseAlone(),
  });
  const { call, database } = world;
  assert.equal((await call('POST', FEATURES, { body: feature('before') })).status, 201);
  await setReadOnly(database, true);
  await world.restart();
  assert.equal((await call('GET', `${FEATURES}/before`)).status, 200);
  assert.equal((await call('GET', '/apis/releases.backline.dev/v1/heads')).json.items.length, 1);
  const health = await call('GET', '/readyz');
  assert.equal(health.status, 200);
  assert.match(health.text, /^\[!\] writes: the database is read-only, as a standby in recovery is/m);
  const refused = await call('POST', FEATURES, { body: feature('after') });
  assert.equal(refused.status, 503);
  assert.match(refused.json.message, /The database is read-only.* nothing was written/s);
  await setReadOnly(database, false);
  const isWritten = async () => (await call('POST', FEATURES, { body: feature('after') })).status === 201 || undefined;
  await until(isWritten, () => 'a write');
  await until(
    async () => (await call('GET', '/readyz')).text === 'ok' || undefined,
    () => 'health',
  );
});

test('a process starts on a standby in recovery, and writes after its promotion', async (t) => {
  const folder = await testFolder(t);
  // As root PostgreSQL runs as another user, who must be able to enter.
  await chmod(folder, 0o755);
  const options = { dataDirectory: join(folder, 'postgres'), settings: { wal_level: 'replica', max_wal_senders: '2' } };
  const start = (databaseUrl: string) =>
    startBackline({
      roles: ['api', 'decide', 'ingest', 'controllers'],
      host: '127.0.0.1',
      port: 0,
      dataDirectory: join(folder, 'data'),
      databaseUrl,
      log: openLog('silent'),
    });
  const primary = await startEmbeddedPostgres(options);
  await (await start(primary.url)).close();
  await primary.close();
  const data = join(primary.home, 'data');
  const { uid, gid } = await stat(data);
  await writeFile(join(data, 'standby.signal'), '');
  await chown(join(data, 'standby.signal'), uid, gid);
  const standby = await startEmbeddedPostgres(options);
  t.after(standby.close);
  const { port, token, close } = await start(standby.url);
  t.after(close);
  const call = caller({ server: `http://127.0.0.1:${port}`, token });
  assert.match((await call('GET', '/readyz')).text, /^\[!\] writes: the database is read-only/m);
  assert.equal((await call('POST', FEATURES, { body: feature('x') })).status, 503);
  const database = openDatabase(standby.url);
  await database.query('select pg_promote()');
  await database.close();
  const isWritten = async () => (await call('POST', FEATURES, { body: feature('x') })).status === 201 || undefined;
  await until(isWritten, () => 'a write after the promotion');
});

test('a start on a read-only database with an older schema waits, says so, and goes on when it takes writes', async (t) => {
  const { database, url, folder } = await emptyDatabase(t);
  await setReadOnly(database, true);
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void logged.push(line) });
  let running: Running | undefined;
  const starting = startBackline({
    roles: ['api'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory: folder,
    databaseUrl: url,
    log,
  }).then((started) => (running = started));
  await until(
    async () => logged.find((line) => /cannot bring the schema up to date/.test(line)),
    () => 'the log to say that it waits',
  );
  assert.match(logged.join(''), /The database is read-only and its schema lacks \d+ steps, from 1 \(/);
  assert.equal(running, undefined);
  await setReadOnly(database, false);
  const { port, token, close } = await starting;
  t.after(close);
  const call = caller({ server: `http://127.0.0.1:${port}`, token });
  assert.equal((await call('POST', FEATURES, { body: feature('first') })).status, 201);
});

async function emptyDatabase(t: TestContext) {
  const db = await startDatabaseAlone();
  t.after(() => db[Symbol.asyncDispose]());
  const folder = await testFolder(t);
  await db.database.query('drop schema backline cascade');
  return { ...db, folder };
}

async function testFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
