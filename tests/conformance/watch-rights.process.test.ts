import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { send } from '#kernel/api/client/http.ts';
import { startWorld, type World } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';
import { until } from '../support/installation.ts';

const FEATURES = '/apis/products.backline.dev/v1/namespaces/default/features';
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
/** The time that the guide states, and some for a machine that is busy. */
const END_MS = 5_000 + 3_000;
const BOB = 'bob-token-1234';

async function startOffice(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, `${BOB},bob,,\n`);
  return startWorld(t, { roles: ['api'], access: { tokenFile } });
}

const object = (kind: string, name: string, rest: object) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata: { name, namespace: 'default' },
  ...rest,
});

/** Binds a subject to rules about features. */
async function bind({ call }: World, subject: object, rule: object = {}): Promise<void> {
  const rules = [{ apiGroups: ['products.backline.dev'], resources: ['features'], verbs: ['list', 'watch'], ...rule }];
  const roleRef = { kind: 'Role', name: 'readers' };
  for (const [path, body] of [
    ['roles', object('Role', 'readers', { rules })],
    ['rolebindings', object('RoleBinding', 'readers', { roleRef, subjects: [subject] })],
  ] as const) {
    const made = await call('POST', `${RBAC}/${path}`, { body });
    assert.equal(made.status, 201, made.text);
  }
}

/** A watch of features: the lines so far, and its end. */
async function watchFeatures({ connection }: World, token: string) {
  const answer = await send({ ...connection, token }, 'GET', `${FEATURES}?watch=true`, {});
  assert.equal(answer.statusCode, 200);
  let text = '';
  answer.setEncoding('utf8');
  answer.on('data', (piece: string) => (text += piece));
  const over = new Promise<void>((resolve) => answer.once('close', resolve));
  return {
    events: () =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { type: string; object: { code?: number; metadata: { name: string } } }),
    /** Fails where it goes on for longer than it may. */
    end: async (): Promise<void> => {
      const late = new Promise((resolve) => setTimeout(resolve, END_MS, 'late').unref());
      assert.notEqual(await Promise.race([over, late]), 'late', 'the watch goes on without its right');
    },
  };
}

test('an open watch ends within five seconds after its right is taken away, and shows nothing after that', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  await bind(world, { kind: 'User', name: 'bob' });
  const watch = await watchFeatures(world, BOB);
  assert.equal((await call('POST', FEATURES, { body: feature('offline') })).status, 201);
  assert.equal((await call('DELETE', `${RBAC}/rolebindings/readers`)).status, 200);
  await watch.end();
  await call('POST', FEATURES, { body: feature('lossless') });
  const events = watch.events();
  assert.equal(events.at(-1)?.object.code, 403);
  const shown = events.slice(0, -1).map(({ object: { metadata } }) => metadata.name);
  assert.deepEqual([...new Set(shown)], ['offline']);
});

test('a watch whose right selects other objects by now is asked for anew', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  await bind(world, { kind: 'User', name: 'bob' }, { labelSelector: 'team=a' });
  const watch = await watchFeatures(world, BOB);
  const rules = [
    {
      apiGroups: ['products.backline.dev'],
      resources: ['features'],
      verbs: ['list', 'watch'],
      labelSelector: 'team=b',
    },
  ];
  const headers = { 'content-type': 'application/merge-patch+json' };
  const changed = await call('PATCH', `${RBAC}/roles/readers`, { body: { rules }, headers });
  assert.equal(changed.status, 200, changed.text);
  await watch.end();
  assert.deepEqual(
    watch.events().map(({ object: { code } }) => code),
    [410],
  );
});

test('the watch of a ServiceAccount that is deleted ends too, and one whose right stays goes on', async (t) => {
  await using world = await startOffice(t);
  const { call } = world;
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  for (const name of ['kept', 'gone']) {
    const body = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } };
    assert.equal((await call('POST', accounts, { body })).status, 201);
  }
  await bind(world, { kind: 'Group', name: 'system:serviceaccounts' });
  const tokenOf = async (name: string): Promise<string> => {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    return (await call('POST', `${accounts}/${name}/token`, { body })).json.status.token;
  };
  const kept = await watchFeatures(world, await tokenOf('kept'));
  const gone = await watchFeatures(world, await tokenOf('gone'));
  assert.equal((await call('DELETE', `${accounts}/gone`)).status, 200);
  await gone.end();
  await call('POST', FEATURES, { body: feature('offline') });
  await until(
    async () => (kept.events().some(({ type }) => type === 'ADDED') ? true : undefined),
    () => 'the watch with its right to go on',
    10,
  );
});
