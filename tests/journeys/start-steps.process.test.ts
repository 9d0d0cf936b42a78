import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { startBackline, type BacklineOptions } from '#planes/start.ts';
import { startWorld } from '../support/backline.ts';
import { startDatabase } from '../support/database.ts';
import { until } from '../support/installation.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
/** Processes at a time: one of them waits for most of the test. */
const CHILDREN = 3;

/** How long a start that fails may take to stop what it has begun, on a busy machine. */
const STOP_MS_MAX = 10_000;

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-steps-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  // As root the embedded PostgreSQL runs as another user, who must be able to enter.
  await chmod(folder, 0o755);
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

type Options = Omit<BacklineOptions, 'host' | 'port' | 'log' | 'beginStep'>;

/** The names of the steps of a start, in order. */
async function stepsOf(options: Options): Promise<readonly string[]> {
  const steps: string[] = [];
  const beginStep = (name: string) => void steps.push(name);
  const running = await startBackline({ ...options, host: '127.0.0.1', port: 0, log: openLog('silent'), beginStep });
  await running.ready;
  await running.close();
  return steps;
}

/** Fails one step of a start, and asserts that it says so in time and closes its port. */
async function failAt(failing: number, options: Options): Promise<string> {
  const port = await freePort();
  let at = -1;
  let name = '';
  let failedMs = 0;
  const start = startBackline({
    ...options,
    host: '127.0.0.1',
    port,
    log: openLog('silent'),
    beginStep: (step) => {
      at += 1;
      if (at !== failing) return;
      name = step;
      failedMs = performance.now();
      throw new Error(`no ${step}`);
    },
  });
  await assert.rejects(start, (error) => error instanceof Error && error.message === `no ${name}`);
  assert.equal(at, failing, 'nothing is started after a step that failed');
  assert.ok(performance.now() - failedMs < STOP_MS_MAX, `${name}: ${performance.now() - failedMs} ms`);
  assert.ok(!(await isListening(port)), `${name}: the port is closed`);
  return name;
}

/** How long idle connections to PostgreSQL are kept, and some more. */
const IDLE_SECONDS_MAX = 20;

/** Timers and connections that are open in this process. */
function openResources(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(Timeout|TCP|Pipe)/.test(name)).length;
}

let resourcesAtFirst = 0;
before(() => {
  resourcesAtFirst = openResources();
});

async function failEachStep(options: Options, connections: () => Promise<number>): Promise<readonly string[]> {
  const steps = await stepsOf(options);
  const [connectionsBefore, resourcesBefore] = [await connections(), openResources()];
  for (const failing of steps.keys()) {
    const name = await failAt(failing, options);
    assert.equal(name, steps[failing]);
    await until(
      async () => ((await connections()) <= connectionsBefore && openResources() <= resourcesBefore) || undefined,
      () => `nothing to be left after ${name}: ${process.getActiveResourcesInfo().join()}`,
    );
  }
  return steps;
}

test('whatever step of the start of all roles fails, nothing is left behind', async (t) => {
  await using db = await startDatabase();
  const options: Options = {
    roles: ['api', 'decide', 'controllers', 'ingest'],
    dataDirectory: await folderFor(t),
    databaseUrl: db.url,
  };
  const steps = await failEachStep(options, connectionsTo(db));
  for (const name of ['port', 'migrations', 'encryption keys', 'store', 'releases', 'controllers', 'requests']) {
    assert.ok(steps.includes(name), `${name} is a step: ${steps.join()}`);
  }
});

test('whatever step of the start of a node without the API fails, nothing is left behind', async (t) => {
  const world = await startWorld(t);
  await using db = await startDatabase();
  const options: Options = {
    roles: ['decide', 'controllers', 'ingest'],
    dataDirectory: await folderFor(t),
    databaseUrl: db.url,
    follow: world.connection,
  };
  await failEachStep(options, connectionsTo(db));
});

function connectionsTo(db: Awaited<ReturnType<typeof startDatabase>>): () => Promise<number> {
  return async () => {
    const [row] = await db.database.query<{ count: number }>(
      'select count(*) as count from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    return row?.count ?? 0;
  };
}

test('a start that is called off ends at its next step', async (t) => {
  await using db = await startDatabase();
  const calledOff = new AbortController();
  const steps: string[] = [];
  const start = startBackline({
    roles: ['api', 'decide'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory: await folderFor(t),
    databaseUrl: db.url,
    signal: calledOff.signal,
    log: openLog('silent'),
    beginStep: (name) => {
      steps.push(name);
      if (name === 'store') calledOff.abort();
    },
  });
  await assert.rejects(start, { name: 'AbortError' });
  assert.equal(steps.at(-1), 'store');
});

test('the embedded PostgreSQL of a start that fails at its end is stopped', async (t) => {
  const dataDirectory = await folderFor(t);
  let pid = 0;
  const start = startBackline({
    roles: ['api'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory,
    log: openLog('silent'),
    beginStep: (name) => {
      if (name !== 'requests') return;
      pid = Number.parseInt(readFileSync(join(dataDirectory, 'data/postmaster.pid'), 'utf8'), 10);
      throw new Error('no requests');
    },
  });
  await assert.rejects(start, /no requests/);
  assert.ok(pid > 0);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

/** How long a process may take to find out that it cannot start: half a minute is for a database that is starting too. */
const EXIT_MS_MAX = 60_000;
const ROLES = ['--role', 'api', 'decide', 'controllers', 'ingest', '--port', '0'];

/** A start that something real is in the way of, and what the process says about it. */
interface Fault {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
  readonly remedy: RegExp;
}

async function failToStart({ name, args, env = {}, says, remedy }: Fault): Promise<void> {
  const { DATABASE_URL: _none, BACKLINE_KUBECONFIG: _neither, KUBECONFIG: _nor, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args, '--log-level', 'error'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...inherited, ...env },
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const kill = setTimeout(() => child.kill('SIGKILL'), EXIT_MS_MAX);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(kill);
  assert.ok(code !== null && code > 0, `${name} ends with ${code}: ${text}`);
  assert.match(text, says, name);
  assert.match(text, remedy, name);
  assert.doesNotMatch(text, /^ {4}at /m, `${name} has a sentence, not a trace`);
}

test('a process that cannot start ends with a status and a sentence that names what to do', async (t) => {
  const folder = await folderFor(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const postgres = await startEmbeddedPostgres({ dataDirectory: join(folder, 'server') });
  const admin = openDatabase(postgres.url);
  await admin.query('create database halfway');
  const halfway = openDatabase(urlOfDatabase(postgres.url, 'halfway'));
  await halfway.query('create schema backline');
  await halfway.query('create table backline.objects (other text)');
  await halfway.close();
  await writeFile(join(postgres.home, 'data/pg_hba.conf'), 'local halfway all trust\nlocal all all scram-sha-256\n');
  await admin.query('select pg_reload_conf()');
  await admin.close();
  await writeFile(join(folder, 'file'), 'no keys\n');
  await mkdir(join(folder, 'locked/lock'), { recursive: true });
  await mkdir(join(folder, 'full'));
  await symlink('/dev/full', join(folder, 'full/admin-token.new'));
  const data = (name: string) => ['--data', join(folder, name)];
  const wrongPassword = new URL(postgres.url);
  wrongPassword.searchParams.set('password', 'wrong');
  const faults: readonly Fault[] = [
    {
      name: 'a port that is taken',
      args: ['up', '--no-sample', '--port', String((taken.address() as AddressInfo).port), ...data('port')],
      says: /Port \d+ on 127\.0\.0\.1 is taken/,
      remedy: /--port/,
    },
    {
      name: 'a data folder that cannot be written',
      args: ['up', '--no-sample', '--port', '0', ...data('file/below')],
      says: /data folder cannot be made/,
      remedy: /--data/,
    },
    {
      name: 'a data folder whose lock cannot be opened',
      args: ['up', '--no-sample', '--port', '0', ...data('locked')],
      says: /data folder cannot be written: unable to open/,
      remedy: /--data/,
    },
    ...(process.platform === 'linux'
      ? [
          {
            name: 'a data folder without room',
            args: ['up', '--no-sample', '--port', '0', ...data('full')],
            says: /data folder cannot be written: .*no space left/,
            remedy: /--data/,
          },
        ]
      : []),
    {
      name: 'a database that does not answer',
      args: ['serve', ...ROLES, ...data('away')],
      env: { DATABASE_URL: 'postgresql://127.0.0.1:1/none' },
      says: /database does not answer/,
      remedy: /DATABASE_URL/,
    },
    {
      name: 'a wrong password',
      args: ['serve', ...ROLES, ...data('password')],
      env: { DATABASE_URL: wrongPassword.href },
      says: /password authentication failed/,
      remedy: /user and password in DATABASE_URL/,
    },
    {
      name: 'a migration that fails',
      args: ['serve', ...ROLES, ...data('migration')],
      env: { DATABASE_URL: urlOfDatabase(postgres.url, 'halfway') },
      says: /Step 1 .* cannot be applied: relation "objects" already exists/,
      remedy: /empty database/,
    },
    {
      name: 'a broken file of keys',
      args: ['up', '--no-sample', '--port', '0', ...data('keys'), '--encryption-key-file', join(folder, 'file')],
      says: /encryption keys in .*file cannot be used/,
      remedy: /backup/,
    },
    {
      name: 'a follower without a kubeconfig',
      args: ['serve', '--role', 'decide', '--port', '0', ...data('follower'), '--kubeconfig', join(folder, 'none')],
      says: /none/,
      remedy: /kubeconfig/,
    },
    {
      name: 'ingest without a database',
      args: ['serve', '--role', 'ingest', '--port', '0', ...data('ingest')],
      says: /serve --role ingest needs a database/,
      remedy: /DATABASE_URL/,
    },
    {
      name: 'a host that cannot be allowed',
      args: ['serve', ...ROLES, ...data('hosts'), '--allow-outbound', 'http://inside'],
      env: { DATABASE_URL: 'postgresql://127.0.0.1:1/none' },
      says: /"http:\/\/inside" is not a host/,
      remedy: /10\.0\.0\.0\/8/,
    },
  ];
  const left = faults.values();
  const workers = Array.from({ length: CHILDREN }, async () => {
    for (const fault of left) await failToStart(fault);
  });
  // A process that is still starting must not lose its folder, and what it started.
  const results = await Promise.allSettled(workers);
  await postgres.close();
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  assert.ok(!existsSync(join(folder, 'keys/data/postmaster.pid')), 'its PostgreSQL has stopped');
});

test('a data folder that cannot be made is refused at once', { skip: process.platform !== 'linux' }, () => {
  const args = [MAIN, 'serve', '--embedded', '--data', '/proc/x/y', '--port', '0'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: STOP_MS_MAX });
  assert.deepEqual([status, /The data folder cannot be made: .*--data/s.test(stderr)], [1, true], stderr);
});

test('nothing of all these starts keeps the process running', async () => {
  await until(
    async () => openResources() <= resourcesAtFirst || undefined,
    () => `nothing to be left: ${process.getActiveResourcesInfo().join()}`,
    IDLE_SECONDS_MAX,
  );
});
