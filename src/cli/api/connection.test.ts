import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { kubeconfig } from '#kernel/access/kubeconfig.ts';
import { connectionFrom } from './connection.ts';
import { CliFailure } from '../terminal/failure.ts';
import { serverToFollow } from '../serve.ts';

const CONFIG = kubeconfig({ server: 'https://127.0.0.1:7700', ca: 'AUTHORITY', token: 'secret' });
const EXPECTED = { server: 'https://127.0.0.1:7700', ca: 'AUTHORITY', token: 'secret', namespace: 'default' };

async function folder(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'backline-cli-'));
  t.after(() => rm(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return path;
}

test('the kubeconfig of the folder is found from below it', async (t) => {
  const directory = await folder(t, { '.backline/kubeconfig': CONFIG, 'a/b/x': '' });
  assert.deepEqual(connectionFrom({}, { env: {}, directory: join(directory, 'a/b') }), EXPECTED);
});

test('the command line wins over the environment, and that over the folder', async (t) => {
  const other = kubeconfig({ server: 'https://other:1', ca: 'AUTHORITY', token: 'other' });
  const directory = await folder(t, {
    '.backline/kubeconfig': CONFIG,
    env: other,
    option: other.replaceAll('other', 'option'),
  });
  const server = (options: object, env: Record<string, string>): string =>
    connectionFrom(options, { env, directory }).server;
  assert.equal(server({}, { BACKLINE_KUBECONFIG: 'env' }), 'https://other:1');
  assert.equal(server({ kubeconfig: 'option' }, { BACKLINE_KUBECONFIG: 'env' }), 'https://option:1');
  const overridden = connectionFrom({ server: 'http://127.0.0.1:1', token: 'mine' }, { env: {}, directory });
  assert.deepEqual(overridden, { ...EXPECTED, server: 'http://127.0.0.1:1', token: 'mine' });
});

test('where nothing of Backline is named or near, the first file of KUBECONFIG that is there is read', async (t) => {
  const directory = await folder(t, { kube: CONFIG, 'near/.backline/kubeconfig': CONFIG.replace('7700', '7701') });
  const env = { KUBECONFIG: ['none', 'kube'].join(delimiter) };
  assert.deepEqual(connectionFrom({}, { env, directory }), EXPECTED);
  assert.equal(connectionFrom({}, { env, directory: join(directory, 'near') }).server, 'https://127.0.0.1:7701');
  assert.throws(() => connectionFrom({}, { env: { KUBECONFIG: 'none' }, directory }), /there is no kubeconfig here/);
});

test('a server alone is enough', () => {
  assert.deepEqual(connectionFrom({ server: 'http://a:1' }, { env: {}, directory: '/' }), {
    server: 'http://a:1',
    namespace: 'default',
  });
});

test('authority and token may be in files beside the kubeconfig', async (t) => {
  const config = CONFIG.replace(/certificate-authority-data: .*/, 'certificate-authority: ca.pem').replace(
    'token: secret',
    'tokenFile: token',
  );
  const directory = await folder(t, {
    '.backline/kubeconfig': config,
    '.backline/ca.pem': 'AUTHORITY',
    '.backline/token': 'secret\n',
  });
  assert.deepEqual(connectionFrom({}, { env: {}, directory }), EXPECTED);
});

for (const [name, files, options, message] of [
  ['none', {}, {}, /there is no kubeconfig here/],
  ['a missing one', {}, { kubeconfig: 'nope' }, /cannot read .*nope/],
  ['one that is no YAML', { k: 'a: b: c' }, { kubeconfig: 'k' }, /is not a kubeconfig/],
  [
    'one without a cluster',
    { k: 'kind: Config' },
    { kubeconfig: 'k' },
    /is not a kubeconfig: its current context names no cluster/,
  ],
  ['a server that is no URL', {}, { server: 'localhost:7700' }, /--server localhost:7700 is not a URL/],
] as const) {
  test(`a kubeconfig that is of no use is refused with the reason: ${name}`, async (t) => {
    const directory = await folder(t, files);
    assert.throws(
      () => connectionFrom(options, { env: {}, directory }),
      (error) => error instanceof CliFailure && message.test(error.message),
    );
  });
}

test('a decision node without an API server follows the one that --api names, with the token of the environment if need be', async (t) => {
  const directory = await folder(t, { k: CONFIG });
  const common = {
    port: 0,
    host: '',
    data: '',
    logLevel: 'info',
    historyDays: 30,
    eventTtlMinutes: 60,
    rollUpSeconds: 15,
  } as const;
  const io = { env: { BACKLINE_TOKEN: 'from-env' }, directory };
  assert.equal(serverToFollow({ ...common, role: ['api', 'decide'] }, io), undefined);
  assert.deepEqual(serverToFollow({ ...common, role: ['decide'], kubeconfig: 'k', api: 'https://api:1' }, io), {
    server: 'https://api:1',
    ca: 'AUTHORITY',
    token: 'secret',
  });
  assert.equal(serverToFollow({ ...common, role: ['decide'], api: 'http://api:1' }, io)?.token, 'from-env');
});
