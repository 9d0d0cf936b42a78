import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { startBackline, type Running } from '#planes/start.ts';
import { caller, type Call } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const run = promisify(execFile);
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';
const EXTERNAL = process.env['BACKLINE_TEST_POSTGRES_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';

/** Whether there is a server, and a pg_dump of its version. */
async function canDump(): Promise<boolean> {
  const admin = openDatabase(EXTERNAL);
  try {
    const [row] = await admin.query<{ major: string }>(
      `select (current_setting('server_version_num')::int / 10000)::text as major`,
    );
    const { stdout } = await run('pg_dump', ['--version']);
    return new RegExp(` ${row?.major}\\.`).test(stdout);
  } catch {
    return false;
  } finally {
    await admin.close();
  }
}

async function start(dataDirectory: string, databaseUrl: string | undefined): Promise<Running & { call: Call }> {
  const running = await startBackline({
    roles: ['api', 'decide', 'ingest'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory,
    databaseUrl,
    rollUpSeconds: 1,
    log: openLog('silent'),
  });
  await running.ready;
  const call = caller({ server: `http://127.0.0.1:${running.port}`, token: running.token });
  return { ...running, call };
}

/** Something of each sort that has to be there after a restore. */
async function fill(call: Call): Promise<void> {
  const type = {
    apiVersion: 'events.backline.dev/v1',
    kind: 'EventType',
    metadata: { name: 'play', namespace: 'default' },
    spec: {
      owner: 'tests',
      purpose: 'tests',
      retention: 'P30D',
      schema: { type: 'object', properties: { track: { type: 'string' } } },
    },
  };
  const made = await call('POST', '/apis/events.backline.dev/v1/namespaces/default/eventtypes', { body: type });
  assert.equal(made.status, 201, made.text);
  assert.equal((await call('POST', CONFIG_MAPS, { body: { metadata: { name: 'a' }, data: { a: '1' } } })).status, 201);
  assert.equal(
    (await call('POST', SECRETS, { body: { metadata: { name: 's' }, stringData: { a: 'hidden' } } })).status,
    201,
  );
  const event = { type: 'play', id: 'one', subject: 'ann', at: new Date().toISOString(), properties: { track: 'x' } };
  let answer = '';
  await until(
    async () => {
      const taken = await call('POST', '/v1/events', {
        body: { events: [event] },
        headers: { 'content-type': 'application/json' },
      });
      answer = taken.text;
      return (taken.status === 200 && taken.json.quarantined === 0) || undefined;
    },
    () => `the event to be taken, and not ${answer}`,
  );
  await plays(call, 1);
}

/** The rows of the event type, from its files. */
async function plays(call: Call, count: number): Promise<void> {
  let text = '';
  await until(
    async () => {
      const body = { metadata: {}, spec: { sql: 'select count(*) as n from play' } };
      const answer = await call('POST', '/apis/events.backline.dev/v1/queries', { body });
      text = answer.text;
      return (answer.status === 201 && JSON.stringify(answer.json.status.rows) === `[[${count}]]`) || undefined;
    },
    () => `${count} plays, and not ${text}`,
    30,
  );
}

async function check(call: Call): Promise<void> {
  assert.equal((await call('GET', `${CONFIG_MAPS}/a`)).json.data.a, '1');
  assert.equal((await call('GET', `${SECRETS}/s`)).json.data.a, Buffer.from('hidden').toString('base64'));
  await plays(call, 1);
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-backup-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const skip = (await canDump()) ? false : 'SKIPPED: no PostgreSQL with its pg_dump';

test('a backup as documented has everything that a restore needs', { skip }, async (t) => {
  const admin = openDatabase(EXTERNAL);
  const names = [`backline_backup_${process.pid}`, `backline_restored_${process.pid}`] as const;
  for (const name of names) await admin.query(`create database ${name}`);
  t.after(async () => {
    for (const name of names) await admin.query(`drop database if exists ${name} with (force)`);
    await admin.close();
  });
  const [lost, restored] = names.map((name) => urlOfDatabase(EXTERNAL, name));
  const folder = await folderFor(t);
  const backup = await folderFor(t);
  const first = await start(folder, lost);
  t.after(first.close);
  await fill(first.call);
  await run('pg_dump', ['-n', 'backline', '-f', join(backup, 'dump.sql'), lost ?? '']);
  for (const part of ['datasets', 'encryption-keys', 'pki', 'admin-token'])
    await cp(join(folder, part), join(backup, part), { recursive: true });
  await first.close();
  await rm(folder, { recursive: true });

  await run('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-f', join(backup, 'dump.sql'), restored ?? '']);
  const second = await start(backup, restored);
  t.after(second.close);
  assert.equal(second.token, first.token);
  await check(second.call);
});

test('with the embedded PostgreSQL the data folder is the backup, copied while nothing runs', async (t) => {
  const folder = await folderFor(t);
  const first = await start(folder, undefined);
  await fill(first.call);
  await first.close();
  const kept = await folderFor(t);
  // A folder that PostgreSQL cannot reach names another one for its files.
  const elsewhere = await readFile(join(folder, 'DATA-IS-ELSEWHERE'), 'utf8').catch(() => undefined);
  const home = elsewhere === undefined ? undefined : /^\/.*$/m.exec(elsewhere)?.[0];
  t.after(() => (home === undefined ? undefined : rm(home, { recursive: true, force: true })));
  const copies = [[folder, join(kept, 'data')], ...(home === undefined ? [] : [[home, join(kept, 'home')]])] as const;
  for (const [from = '', to = ''] of copies) await copy(from, to);
  for (const [from = ''] of copies) await rm(from, { recursive: true });
  for (const [from = '', to = ''] of copies) await copy(to, from);

  const second = await start(folder, undefined);
  t.after(second.close);
  assert.equal(second.token, first.token);
  await check(second.call);
});

/** Copies a folder with owners and modes, which PostgreSQL checks. */
async function copy(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]);
}
