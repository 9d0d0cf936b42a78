import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { WORK } from '#kernel/events/datasets/files.ts';
import { urlOfDatabase } from '#kernel/postgres/database.ts';
import { startBackline } from '#planes/start.ts';
import { caller, startWorld } from '../support/backline.ts';
import { startDatabase } from '../support/database.ts';
import { until } from '../support/installation.ts';
import { proxyTo } from '../support/proxy.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-lifetime-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  // As root the embedded PostgreSQL runs as another user, who must be able to enter.
  await chmod(folder, 0o755);
  return folder;
}

function startUp(
  t: TestContext,
  folder: string,
  ...more: readonly string[]
): { child: ChildProcess; errorText: () => string } {
  const { DATABASE_URL: _none, ...env } = process.env;
  const args = [MAIN, 'up', '--no-sample', '--port', '0', '--quiet', '--data', join(folder, 'data'), ...more];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return { child, errorText: () => text };
}

test('a folder of datasets that cannot be made ends the start, and is named with what to do', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'no-folder'), '');
  const datasets = join(folder, 'no-folder/datasets');
  const { child, errorText } = startUp(t, folder, '--datasets', datasets);
  const [code] = await once(child, 'close');
  assert.equal(code, 1, errorText());
  assert.ok(errorText().includes(`Datasets cannot be written to ${datasets}`), errorText());
  assert.match(errorText(), /Name a folder that this user may make and write to with --datasets/);
});

test('without a place for files everything else works, and a process whose PostgreSQL was killed ends', async (t) => {
  const folder = await folderFor(t);
  const datasets = join(folder, 'datasets');
  await mkdir(datasets);
  // A file in the place of the working folder.
  await writeFile(join(datasets, WORK), '');
  const { child, errorText } = startUp(t, folder, '--datasets', datasets);
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
    url = /^ready (\S+)/.exec(line)?.[1];
    if (url !== undefined) break;
  }
  assert.ok(url !== undefined, errorText());
  const token = (await readFile(join(folder, 'data/admin-token'), 'utf8')).trim();
  const call = caller({ server: url, token });
  const health = await call('GET', '/readyz?verbose');
  assert.equal(health.status, 200, health.text);
  assert.match(health.text, /\[!\] datasets: Datasets cannot be written/);
  assert.equal((await call('POST', CONFIG_MAPS, { body: { metadata: { name: 'a' } } })).status, 201);

  const [pid] = (await readFile(join(folder, 'data/data/postmaster.pid'), 'utf8')).split('\n');
  const ended = once(child, 'exit');
  const begun = performance.now();
  process.kill(Number(pid), 'SIGKILL');
  const [code] = await ended;
  assert.equal(code, 1, errorText());
  assert.ok(performance.now() - begun < 10_000, 'within seconds, so that it is started again');
  assert.match(errorText(), /PostgreSQL was ended by SIGKILL/);
  assert.ok(errorText().split('\n').length < 30, errorText());
});

test('Ctrl-C while the database is being made ends the start, with nothing to say', async (t) => {
  const folder = await folderFor(t);
  const { child, errorText } = startUp(t, folder);
  const drafts = async () =>
    (await readdir(join(folder, 'data')).catch(() => [])).some((name) => name.startsWith('data.draft-')) || undefined;
  await until(drafts, () => 'initdb');
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  assert.deepEqual([(await ended)[0], errorText()], [130, '']);
});

test('while the database is away health says so, requests get 503, and the process can still be closed', async (t) => {
  const db = await startDatabase();
  const proxy = await proxyTo(db.url);
  t.after(() => proxy[Symbol.asyncDispose]());
  const world = await startWorld(t, { database: { ...db, url: proxy.url } });
  const { call } = world;
  const ageSeconds = async () =>
    Number(/^backline_snapshot_age_seconds (\S+)$/m.exec((await call('GET', '/metrics')).text)?.[1]);
  assert.deepEqual([(await call('GET', '/readyz')).status, await ageSeconds()], [200, 0]);

  proxy.cut();
  const listed = await until(
    async () => {
      const answer = await call('GET', CONFIG_MAPS);
      return answer.status === 200 ? undefined : answer;
    },
    () => 'the process to find out',
  );
  assert.deepEqual([listed.status, listed.json.reason], [503, 'ServiceUnavailable'], listed.text);
  const consume = { key: 'k', listener: 'ann', plan: 'free', market: 'de', feature: 'listening', amount: 1 };
  const [subject, consumed] = await Promise.all([
    call('GET', '/v1/subjects?listener=ann'),
    call('POST', '/v1/consume', { body: consume }),
  ]);
  assert.deepEqual([subject.status, subject.headers['retry-after']], [503, '1'], subject.text);
  assert.ok(consumed.status !== 500, consumed.text);
  const away = await until(
    async () => {
      const health = await call('GET', '/readyz');
      return health.status === 503 && (await ageSeconds()) > 5 ? health : undefined;
    },
    () => '/readyz to say that the database is away, and the snapshot to age',
  );
  assert.match(away.text, /\[-\] store: the database has confirmed nothing for \d+ s/);
  assert.equal((await call('GET', '/livez')).status, 200);

  proxy.heal();
  await until(
    async () => ((await call('GET', '/readyz')).status === 200 && (await ageSeconds()) === 0) || undefined,
    () => 'it to be ready again',
  );
  assert.equal((await call('POST', CONFIG_MAPS, { body: { metadata: { name: 'a' } } })).status, 201);

  proxy.cut();
  const begun = performance.now();
  await world.running.close();
  assert.ok(performance.now() - begun < 12_000, 'it ends, though it cannot say goodbye');
});

test('a start that fails says why in a sentence, and leaves nothing behind', async (t) => {
  await using db = await startDatabase();
  const dataDirectory = await folderFor(t);
  const start = (databaseUrl: string) =>
    startBackline({
      roles: ['api', 'decide'],
      host: '127.0.0.1',
      port: 0,
      dataDirectory,
      databaseUrl,
      log: openLog('silent'),
    });
  for (const [url, message] of [
    [urlOfDatabase(db.url, 'nope'), /database "nope" does not exist/],
    ['postgre//x', /not one of PostgreSQL/],
  ] as const) {
    await assert.rejects(start(url), (error) => error instanceof Refusal && message.test(error.message));
  }
  await db.database.query('alter table backline.objects drop constraint objects_pkey');
  await assert.rejects(start(db.url), (error) => error instanceof Refusal && /objects/.test(error.message));
});
