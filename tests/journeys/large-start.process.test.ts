import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { startBackline } from '#planes/start.ts';
import { amount, isLong } from '../support/amount.ts';
import { startDatabase } from '../support/database.ts';
import { changeSet, flag } from '../support/flags.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
/** Released objects. The long version, on a machine that does nothing else, holds what is promised for its number. */
const OBJECTS = amount({ usual: 1_500, long: 50_000 });
const IN_ONE_WRITE = 5_000;
const READY_MS_MAX = 10_000;
const LIVEZ_MS_MAX = 200;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Milliseconds until `/livez` answers; undefined where nothing listens. */
function livezMs(port: number): Promise<number | undefined> {
  const begun = performance.now();
  return new Promise((done) => {
    get({ host: '127.0.0.1', port, path: '/livez', agent: false }, (answer) => {
      answer.resume();
      answer.once('end', () => done(performance.now() - begun));
    }).once('error', () => done(undefined));
  });
}

test(`a start with ${OBJECTS} released objects answers all the time, and writes nothing again`, async (t) => {
  const db = await startDatabase();
  const dataDirectory = await mkdtemp(join(tmpdir(), 'backline-large-'));
  let kill = (): void => {};
  t.after(async () => {
    kill();
    await db[Symbol.asyncDispose]();
    await rm(dataDirectory, { recursive: true, force: true });
  });
  const first = await startBackline({
    roles: ['api'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory,
    databaseUrl: db.url,
    log: openLog('silent'),
  });
  for (let made = 0; made < OBJECTS; made += IN_ONE_WRITE) {
    const flags = Array.from({ length: Math.min(IN_ONE_WRITE, OBJECTS - made) }, (_, index) =>
      flag(`flag-${made + index}`, { title: 'x'.repeat(200) }),
    );
    await first.control?.changeSets(changeSet(...flags) as never, {
      user: { name: 'admin', groups: ['system:masters'] },
      author: { user: 'admin', requestId: 'fill' },
      dryRun: false,
      namespace: undefined,
      name: undefined,
    });
    await first.control?.releases()?.caughtUp();
  }
  await first.close();
  const versionOf = async () =>
    (
      await db.database.query<{ version: number }>(
        `select max(version) as version from backline.changes where kind like '%/Flag' or kind like '%/Release' or kind like '%/Head'`,
      )
    )[0]?.version;
  const before = await versionOf();

  const port = await freePort();
  const begun = performance.now();
  const args = [MAIN, 'serve', '--port', String(port), '--data', dataDirectory, '--quiet', '--log-level', 'warn'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: db.url },
  });
  kill = () => void child.kill('SIGKILL');
  let readyMs: number | undefined;
  child.stdout.once('data', () => (readyMs = performance.now() - begun));
  let [slowestMs, answers] = [0, 0];
  // A while longer than until it is ready: followers and checks are still at work.
  while (performance.now() - begun < (readyMs ?? 120_000) + 3_000) {
    const ms = await livezMs(port);
    if (ms !== undefined) answers += 1;
    slowestMs = Math.max(slowestMs, ms ?? 0);
    await new Promise((done) => setTimeout(done, 10));
  }
  t.diagnostic(
    `ready after ${Math.round(readyMs ?? 0)} ms, ${answers} answers, the slowest after ${Math.round(slowestMs)} ms`,
  );
  assert.equal(await versionOf(), before, 'what stands is not written again');
  assert.ok(answers > 0);
  if (!isLong()) return;
  assert.ok(readyMs !== undefined && readyMs < READY_MS_MAX, `ready after ${readyMs} ms`);
  assert.ok(slowestMs < LIVEZ_MS_MAX, `the slowest answer of /livez took ${slowestMs} ms`);
});
