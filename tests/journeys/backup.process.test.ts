import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { backUp, restore } from '#planes/backup.ts';
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

async function start(
  dataDirectory: string,
  databaseUrl: string | undefined,
  quotaDatabaseUrls: readonly string[] = [],
): Promise<Running & { call: Call }> {
  const running = await startBackline({
    roles: ['api', 'decide', 'ingest'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory,
    databaseUrl,
    quotaDatabaseUrls,
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

interface RestoreTrial {
  /** Databases: the main one, absent for the embedded one, and one for quotas. */
  readonly lost: readonly (string | undefined)[];
  readonly restored: readonly (string | undefined)[];
}

/** Backs up an installation while it runs, restores it elsewhere, and starts it there. */
async function tryBackup(t: TestContext, { lost, restored }: RestoreTrial): Promise<void> {
  const [folder, backup, keys, again] = await Promise.all([1, 2, 3, 4].map(() => folderFor(t)));
  const quotasOf = ([, url]: readonly (string | undefined)[]) => (url === undefined ? [] : [url]);
  const first = await start(folder ?? '', lost[0], quotasOf(lost));
  t.after(first.close);
  await fill(first.call);
  const lines: string[] = [];
  const now = Temporal.Now.instant();
  const onProgress = (text: string) => void lines.push(text);
  const at = join(backup ?? '', 'nightly');
  const place = { databaseUrl: lost[0], quotaDatabaseUrls: quotasOf(lost), data: folder ?? '', datasets: undefined };
  await backUp(place, at, { withKeys: true, onProgress, now });
  assert.ok(
    lines.some((text) => /^changes: \d+ rows$/.test(text)),
    lines.join('\n'),
  );
  const after = { metadata: { name: 'later' }, data: { a: '1' } };
  assert.equal((await first.call('POST', CONFIG_MAPS, { body: after })).status, 201, 'it goes on');
  await first.close();
  await run('mv', [join(at, 'keys'), join(keys ?? '', 'keys')]);

  const into = { ...place, databaseUrl: restored[0], quotaDatabaseUrls: quotasOf(restored), data: again ?? '' };
  const bring = (from: string, more: { readonly keys?: string } = { keys: join(keys ?? '', 'keys') }) =>
    restore(into, from, { keys: more.keys, onProgress });
  await assert.rejects(bring(at, {}), { code: 'start/backup-without-keys' });
  await assert.rejects(bring(folder ?? ''), { code: 'start/no-backup' });
  const changes = join(at, 'database', 'changes.copy.gz');
  const whole = await readFile(changes);
  await writeFile(changes, whole.subarray(0, -1));
  await assert.rejects(bring(at), { code: 'postgres/backup-damaged' });
  await writeFile(changes, whole);
  await bring(at);
  const second = await start(again ?? '', restored[0], quotasOf(restored));
  t.after(second.close);
  assert.equal(second.token, first.token);
  await check(second.call);
  assert.equal((await second.call('GET', `${CONFIG_MAPS}/later`)).status, 404, 'the backup is from before');
  const written = await second.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'new' }, data: {} } });
  assert.equal(written.status, 201, written.text);
  await second.close();
  await assert.rejects(bring(at), /admin-token already|encryption-keys already|pki already|datasets already/);
  await rm(again ?? '', { recursive: true });
  if (restored[0] !== undefined) await assert.rejects(bring(at), { code: 'postgres/not-empty' });
}

test('backup and restore, with the embedded PostgreSQL', (t) => tryBackup(t, { lost: [], restored: [] }));

test('backup and restore, between databases of another server', { skip }, async (t) => {
  const admin = openDatabase(EXTERNAL);
  const names = ['saved', 'counted', 'brought', 'recounted'].map((name) => `backline_${name}_${process.pid}`);
  for (const name of names) await admin.query(`create database ${name}`);
  t.after(async () => {
    for (const name of names) await admin.query(`drop database if exists ${name} with (force)`);
    await admin.close();
  });
  const [saved, counted, brought, recounted] = names.map((name) => urlOfDatabase(EXTERNAL, name));
  await tryBackup(t, { lost: [saved, counted], restored: [brought, recounted] });
});

/** Copies a folder with owners and modes, which PostgreSQL checks. */
async function copy(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]);
}
