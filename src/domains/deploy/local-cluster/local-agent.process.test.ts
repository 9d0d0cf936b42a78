import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { digestOf, type DesiredComponent, type ObservedComponent, type Program } from '../rules/cluster-state.ts';
import { LocalAgent } from './local-agent.ts';
import { identityOf } from './process-identity.ts';

const NAME = 'aria/player';
const HOST = 'player.aria.localhost';
const PATIENCE_MS = 10_000;

/** A server that says which revision it is, and waits on request. */
const SERVER = `
import { createServer } from 'node:http';
createServer((asked, answer) => {
  const { pathname, searchParams } = new URL(asked.url, 'http://x');
  if (pathname === '/ready') { answer.statusCode = process.env.READY === 'no' ? 503 : 200; answer.end(); return; }
  if (pathname === '/exit') process.exit(3);
  if (pathname === '/fail') { answer.statusCode = 500; answer.end(); return; }
  setTimeout(() => answer.end(JSON.stringify({
    revision: process.env.BACKLINE_REVISION, replica: process.env.BACKLINE_REPLICA, pid: process.pid,
    secret: process.env.TEST_SECRET, headers: asked.headers,
  })), Number(searchParams.get('wait') ?? 0));
}).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
`;

test('a component runs behind the proxy, by its weights, and is counted', async (t) => {
  const { agent, ask, until } = await localCluster(t);
  await agent.apply(desire({ one: 2, two: 1 }, { one: 50, two: 50 }));
  await until(({ tracks }) => tracks.every(({ ready, replicas }) => ready === replicas));
  const fromMs = Date.now() - 20_000;
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask('/')));
  const ones = answers.filter(({ body }) => body.revision === 'one').length;
  assert.ok(ones > 60 && ones < 140, `${ones} of 200 went to the first`);
  assert.equal(new Set(answers.map(({ body }) => `${body.revision}.${body.replica}`)).size, 3);
  const traffic = await agent.traffic(NAME, fromMs, Date.now() + 20_000);
  assert.equal(traffic.get('one')?.requests, ones);
  assert.equal(traffic.get('two')?.requests, 200 - ones);
  assert.equal((await ask('/fail')).status, 500);
  const later = await agent.traffic(NAME, fromMs, Date.now() + 20_000);
  assert.equal(
    [...later.values()].reduce((sum, { errors }) => sum + errors, 0),
    1,
  );
});

test('a process gets no environment of ours, and forwarded headers', async (t) => {
  process.env['TEST_SECRET'] = 'not for components';
  t.after(() => delete process.env['TEST_SECRET']);
  const { agent, ask, until } = await localCluster(t);
  await agent.apply(desire({ one: 1 }, { one: 100 }));
  await until(({ tracks }) => tracks[0]?.ready === 1);
  const { body } = await ask('/', { connection: 'x-secret', 'x-secret': 'of this connection', 'x-kept': 'yes' });
  assert.equal(body.secret, undefined);
  assert.equal(body.headers['x-secret'], undefined);
  assert.equal(body.headers['x-kept'], 'yes');
  assert.equal(body.headers['x-forwarded-host'], HOST);
  assert.equal(body.headers['x-forwarded-for'], '127.0.0.1');
});

test('who sends a sticky header stays on one revision while its weight grows', async (t) => {
  const { agent, ask, until } = await localCluster(t);
  const revisionOf = async (listener: string) => (await ask('/', { 'x-listener': listener })).body.revision;
  const all = Array.from({ length: 60 }, (_, index) => `listener-${index}`);
  const had = new Set<string>();
  for (const weight of [10, 50]) {
    await agent.apply({
      ...desire({ one: 1, two: 1 }, { one: 100 - weight, two: weight }),
      stickyHeader: 'x-listener',
    });
    await until(({ tracks }) => tracks.every(({ ready }) => ready === 1));
    for (const listener of all) {
      const revision = await revisionOf(listener);
      assert.equal(await revisionOf(listener), revision);
      assert.ok(!had.has(listener) || revision === 'two', `${listener} went back`);
      if (revision === 'two') had.add(listener);
    }
  }
  assert.ok(had.size > 10 && had.size < 50, `${had.size} of 60`);
});

test('a revision that goes answers its last requests first', async (t) => {
  const { agent, ask, until } = await localCluster(t);
  await agent.apply(desire({ one: 1 }, { one: 100 }));
  await until(({ tracks }) => tracks[0]?.ready === 1);
  const slow = ask('/?wait=700');
  await wait(100);
  await agent.apply(desire({ two: 1 }, { two: 100 }));
  assert.equal((await slow).body.revision, 'one');
  await until(({ tracks }) => tracks.some(({ revision, ready }) => revision === 'two' && ready === 1));
  assert.equal((await ask('/')).body.revision, 'two');
});

test('a program that ends is started again with back-off, and its last line is its message', async (t) => {
  const { agent, until } = await localCluster(t);
  const program = { ...PROGRAM, command: ['node', '-e', 'console.log("no database");process.exit(7)'] as const };
  await agent.apply({ ...desire({}, { one: 100 }), tracks: [{ revision: 'one', replicas: 1, program }] });
  const { tracks } = await until((one) => (one.tracks[0]?.restarts ?? 0) >= 2);
  assert.equal(tracks[0]?.ready, 0);
  assert.match(tracks[0]?.message ?? '', /exited with 7: no database/);
  const missing = { ...PROGRAM, command: ['no-such-program'] as const };
  await agent.apply({ ...desire({}, { two: 100 }), tracks: [{ revision: 'two', replicas: 1, program: missing }] });
  const after = await until((one) => one.tracks.some(({ revision, restarts }) => revision === 'two' && restarts > 0));
  assert.match(after.tracks.find(({ revision }) => revision === 'two')?.message ?? '', /no program no-such-program/);
});

test('an unready replica gets no requests, and one that crashes is replaced', async (t) => {
  const { agent, ask, until } = await localCluster(t);
  await agent.apply(desire({ one: 1 }, { one: 100 }, { READY: 'no' }));
  await until(({ tracks }) => /\/ready answered 503/.test(tracks[0]?.message ?? ''));
  assert.equal((await ask('/')).status, 503);
  await agent.apply(desire({ two: 2 }, { two: 100 }));
  await until(({ tracks }) => tracks.some(({ revision, ready }) => revision === 'two' && ready === 2));
  await ask('/exit');
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await ask('/')).status));
  assert.deepEqual(new Set(statuses), new Set([200]));
  await until(({ tracks }) => tracks.some(({ restarts, ready }) => restarts === 1 && ready === 2));
});

test('an agent that was killed adopts its processes, and its successor leaves none behind', async (t) => {
  const { agent, ask, until, directory } = await localCluster(t);
  await agent.apply(desire({ one: 2 }, { one: 100 }));
  await until(({ tracks }) => tracks[0]?.ready === 2);
  const before = new Set((await Promise.all(Array.from({ length: 20 }, () => ask('/')))).map(({ body }) => body.pid));
  const { pid } = JSON.parse(await readFile(join(directory, 'agent.json'), 'utf8')) as { pid: number };
  process.kill(pid, 'SIGKILL');
  await wait(200);
  await agent.open();
  const found = await until(({ tracks }) => tracks[0]?.ready === 2);
  assert.equal(found.tracks[0]?.restarts, 0);
  const after = new Set((await Promise.all(Array.from({ length: 20 }, () => ask('/')))).map(({ body }) => body.pid));
  assert.deepEqual(after, before);
  await agent.end();
  for (const one of before) assert.equal(await identityOf(one), undefined);
});

test('damaged records hold up no start', async (t) => {
  const { agent, until, directory } = await localCluster(t);
  for (const file of ['desired.json', 'agent.json', 'replicas/aria.player.one.0/replica.json']) {
    await agent.apply(desire({ one: 1 }, { one: 100 }));
    await until(({ tracks }) => tracks[0]?.ready === 1);
    const { pid } = await agent.open();
    process.kill(pid, 'SIGKILL');
    await writeFile(join(directory, file), '{"pid":');
    while ((await identityOf(pid)) !== undefined) await wait(20);
    assert.notEqual((await agent.open()).pid, pid, file);
  }
  await agent.apply(desire({ one: 1 }, { one: 100 }));
  await until(({ tracks }) => tracks[0]?.ready === 1);
});

test('an agent that is not on record any more ends: its processes stay for another, and go with the folder', async (t) => {
  const { agent, ask, until, directory } = await localCluster(t);
  await agent.apply(desire({ one: 1 }, { one: 100 }));
  await until(({ tracks }) => tracks[0]?.ready === 1);
  const { pid } = (await ask('/')).body;
  const first = await agent.open();
  await writeFile(join(directory, 'agent.json'), '');
  const second = await agent.open();
  assert.notEqual(second.pid, first.pid);
  await until(({ tracks }) => tracks[0]?.ready === 1);
  assert.equal((await ask('/')).body.pid, pid);
  while ((await identityOf(first.pid)) !== undefined) await wait(50);
  await rm(join(directory, 'agent.json'));
  while ((await identityOf(second.pid)) !== undefined) await wait(50);
  assert.equal(await identityOf(pid), undefined);
});

test('another program at the port of an agent is an error, and ends nobody', async (t) => {
  const { agent, directory } = await localCluster(t);
  const { pid } = await agent.open();
  const other = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const path = join(directory, 'agent.json');
  const record = await readFile(path, 'utf8');
  await writeFile(path, JSON.stringify({ ...(JSON.parse(record) as object), port }));
  await assert.rejects(new LocalAgent({ cluster: 'test', directory }).state(), /does not answer as an agent/);
  await writeFile(path, record);
  assert.equal((await agent.open()).pid, pid);
  const taken = new LocalAgent({ cluster: 'other', directory: join(directory, 'other'), port });
  await assert.rejects(
    taken.state(),
    /port \d+ cannot be opened: another Cluster or program has it; .*spec\.local\.port/,
  );
});

test('children of a replica end with it, whether it crashes or its cluster is removed', async (t) => {
  const { agent, until, directory } = await localCluster(t);
  const script = 'sleep 300 & echo child $!; setsid sleep 300 & echo child $!; sleep 0.3; exit 1';
  const { http: _http, ...worker } = PROGRAM;
  const program: Program = { ...worker, command: ['sh', '-c', script] };
  await agent.apply({ ...desire({}, { one: 100 }), tracks: [{ revision: 'one', replicas: 1, program }] });
  await until(({ tracks }) => (tracks[0]?.restarts ?? 0) >= 2);
  const logs = await agent.logs(NAME, { linesMax: 100 });
  const children = logs.flatMap(({ lines }) => lines.map((line) => Number(line.split(' ')[1])));
  assert.equal(await identityOf(children[0] ?? 0), undefined);
  const { pid } = await agent.open();
  process.kill(pid, 'SIGKILL');
  while ((await identityOf(pid)) !== undefined) await wait(20);
  await agent.remove();
  for (const child of children) assert.equal(await identityOf(child), undefined);
  await assert.rejects(readFile(join(directory, 'desired.json')), /ENOENT/);
});

test('files of a program may have the names of ours', async (t) => {
  const { agent, ask, until } = await localCluster(t);
  const files = { ...PROGRAM.files, 'log/a': 'x', 'replica.json': '{}', 'work/a': 'x' };
  const tracks = [{ revision: 'one', replicas: 1, program: { ...PROGRAM, files } }];
  await agent.apply({ ...desire({}, { one: 100 }), tracks });
  await until((one) => one.tracks[0]?.ready === 1);
  assert.equal((await ask('/')).body.revision, 'one');
});

test('an intent that cannot be written is not in place', async (t) => {
  const { agent, directory } = await localCluster(t);
  await mkdir(join(directory, 'desired.json.new'));
  await assert.rejects(agent.apply(desire({ one: 1 }, { one: 100 })), /EISDIR/);
  const digest = async () => (await agent.state()).components[0]?.digest;
  assert.notEqual(await digest(), digestOf(desire({ one: 1 }, { one: 100 })));
  await rm(join(directory, 'desired.json.new'), { recursive: true });
  await agent.apply(desire({ one: 1 }, { one: 100 }));
  assert.equal(await digest(), digestOf(desire({ one: 1 }, { one: 100 })));
});

test('an older intent is refused', async (t) => {
  const { agent } = await localCluster(t);
  await agent.apply({ ...desire({ one: 1 }, { one: 100 }), fence: 7 });
  await assert.rejects(agent.apply({ ...desire({ two: 1 }, { two: 100 }), fence: 6 }), /older than 7/);
  await agent.apply({ ...desire({ one: 1 }, { one: 100 }), fence: 7 });
});

const PROGRAM: Program = {
  command: ['node', 'server.mjs'],
  env: {},
  files: { 'server.mjs': SERVER },
  http: { readinessPath: '/ready' },
  probeSeconds: 0.1,
  graceSeconds: 5,
};

function desire(
  replicas: Readonly<Record<string, number>>,
  weights: Readonly<Record<string, number>>,
  env: Readonly<Record<string, string>> = {},
): DesiredComponent {
  const tracks = Object.entries(replicas).map(([revision, count]) => ({
    revision,
    replicas: count,
    program: { ...PROGRAM, env },
  }));
  return { name: NAME, fence: 1, hosts: [HOST], tracks, keeps: [], weights };
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly revision: string;
    readonly replica: string;
    readonly pid: number;
    readonly secret?: string;
    readonly headers: Readonly<Record<string, string>>;
  };
}

async function localCluster(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'local-cluster-'));
  const agent = new LocalAgent({ cluster: 'test', directory, port: 0 });
  t.after(async () => {
    await agent.end();
    await rm(directory, { recursive: true, force: true });
  });
  const { proxyPort } = await agent.open();
  return {
    agent,
    directory,
    ask: async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> => {
      const { proxyPort: port } = await agent.state().catch(() => ({ proxyPort }));
      return ask(port, path, headers);
    },
    /** Waits until the component is as it should be. */
    until: async (isThere: (one: ObservedComponent) => boolean): Promise<ObservedComponent> => {
      const untilMs = performance.now() + PATIENCE_MS;
      for (;;) {
        const { components } = await agent.state();
        const found = components.find(({ name }) => name === NAME);
        if (found !== undefined && isThere(found)) return found;
        assert.ok(performance.now() < untilMs, JSON.stringify(components));
        await wait(50);
      }
    },
  };
}

function ask(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { host: HOST, ...headers };
    const sent = request({ host: '127.0.0.1', port, path, headers: all, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text === '' ? '{}' : text) as Answer['body'] }),
      );
    });
    sent.once('error', reject);
    sent.end();
  });
}
