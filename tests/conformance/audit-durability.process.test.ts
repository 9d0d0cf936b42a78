import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { caller, type Call } from '../support/backline.ts';
import { startDatabase, type TestDatabase } from '../support/database.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

/** A Backline in a process of its own, which can be killed. */
async function startProcess(t: TestContext, database: TestDatabase, folder: string) {
  const args = ['serve', '--role', 'api', '--port', '0', '--data', folder, '--log-level', 'error', '--quiet'];
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args, '--token-file', join(folder, 'tokens.csv')], {
    env: { ...process.env, DATABASE_URL: database.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout !== null);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const server = /^ready (\S+)/.exec(line)?.[1] ?? '';
  const token = (await readFile(join(folder, 'admin-token'), 'utf8')).trim();
  const kill = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { call: caller({ server, token }), kill };
}

async function readRecords(call: Call): Promise<readonly string[]> {
  const { json } = await call('GET', '/apis/audit.backline.dev/v1/auditrecords?fieldSelector=user%3Dann');
  return json.items.map(
    ({ spec }: { spec: Record<string, string> }) =>
      `${spec['verb']} ${spec['resource']} ${spec['name']} ${spec['code']}`,
  );
}

test('an answered request is on record, also when the server is killed right after', async (t) => {
  await using database = await startDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'backline-killed-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'tokens.csv'), 'ann-token,ann,,system:masters\n');
  const token = 'ann-token';
  const maps = '/api/v1/namespaces/default/configmaps';
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const steps: readonly [expected: string, act: (call: Call) => ReturnType<Call>][] = [
    ['create configmaps one 201', (call) => call('POST', maps, { token, body: { metadata: { name: 'one' } } })],
    [
      'create serviceaccounts robot 201',
      (call) => call('POST', accounts, { token, body: { metadata: { name: 'robot' } } }),
    ],
    ['create serviceaccounts/token robot 201', (call) => call('POST', `${accounts}/robot/token`, { token, body: {} })],
    ['delete configmaps one 200', (call) => call('DELETE', `${maps}/one`, { token })],
  ];
  const expected: string[] = [];
  for (const [record, act] of steps) {
    const { call, kill } = await startProcess(t, database, folder);
    const answer = await act(call);
    await kill();
    assert.ok(answer.status < 300, answer.text);
    expected.unshift(record);
  }
  const { call, kill } = await startProcess(t, database, folder);
  assert.deepEqual(await readRecords(call), expected);
  await kill();
});
