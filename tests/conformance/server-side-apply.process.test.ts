import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  ApiException,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { startWorld } from '../support/backline.ts';
import { feature, market } from '../support/catalogue.ts';
import { findKubectls, openShell, type Shell } from '../support/kubectl.ts';

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

const greeting = (data: object, metadata: object = {}) =>
  stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'greeting', ...metadata }, data });

/** The oldest and the newest, or all in the long version. Two at a time: each kubectl is a process that works for itself. */
test('each kubectl applies on the server as it does with Kubernetes', { skip, concurrency: 2 }, async (t) => {
  await Promise.all(
    kubectls.map((kubectl) =>
      t.test(kubectl.version, async (t) => {
        await using world = await startWorld(t);
        const shell = await openShell(t, world, kubectl);
        await applyAndConflict(shell);
        await comeFromClientSide(shell);
        await pruneBySet(shell);
        await applyOurKinds(shell);
      }),
    ),
  );
});

async function applyAndConflict({ ok, run, folder }: Shell): Promise<void> {
  assert.match(await ok('apply --server-side -f -', greeting({ a: '1', b: '2' })), /greeting serverside-applied/);
  const version = await ok('get cm greeting -o jsonpath={.metadata.resourceVersion}');
  assert.match(await ok('apply --server-side -f -', greeting({ a: '1', b: '2' })), /serverside-applied/);
  assert.equal(await ok('get cm greeting -o jsonpath={.metadata.resourceVersion}'), version, 'nothing was written');

  assert.doesNotMatch(await ok('get cm greeting -o yaml'), /managedFields/);
  const shown = await ok('get cm greeting -o yaml --show-managed-fields');
  assert.match(
    shown,
    /managedFields:\n\s+- apiVersion: v1\n\s+fieldsType: FieldsV1\n\s+fieldsV1:\n\s+f:data:\n\s+f:a: \{\}/,
  );
  assert.match(shown, /manager: kubectl\n\s+operation: Apply/);

  const same = await run('diff --server-side -f -', greeting({ a: '1', b: '2' }));
  assert.equal(same.code, 0, same.stdout + same.stderr);
  const diff = await run('diff --server-side -f -', greeting({ a: '3' }));
  assert.equal(diff.code, 1, diff.stderr);
  assert.match(diff.stdout, /^-\s+a: "1"$/m);
  assert.match(diff.stdout, /^-\s+b: "2"$/m);

  const refused = await run('apply --server-side --field-manager=robot -f -', greeting({ a: '3' }));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /Apply failed with 1 conflict: conflict with "kubectl": \.data\.a/);
  assert.match(refused.stderr, /--force-conflicts/);
  await ok('apply --server-side --field-manager=robot --force-conflicts -f -', greeting({ a: '3' }));
  assert.equal(await ok('get cm greeting -o jsonpath={.data}'), '{"a":"3","b":"2"}');

  const editor = join(folder, 'editor.sh');
  await writeFile(editor, '#!/bin/sh\nsed -i "s/a: \\"3\\"/a: \\"4\\"/" "$1"\n', { mode: 0o755 });
  assert.match(await ok('edit cm greeting', '', { KUBE_EDITOR: editor }), /edited/);
  const late = await run('apply --server-side --field-manager=robot -f -', greeting({ a: '3' }));
  assert.match(late.stderr, /conflict with "kubectl-edit" using v1: \.data\.a/);
  await ok('delete cm greeting');
}

/** Objects of client-side apply go over to server-side apply without conflicts, and back. */
async function comeFromClientSide({ ok }: Shell): Promise<void> {
  await ok('apply -f -', greeting({ a: '1', b: '2' }, { labels: { team: 'x' } }));
  assert.match(
    await ok('get cm greeting -o yaml --show-managed-fields'),
    /manager: kubectl-client-side-apply\n\s+operation: Update/,
  );
  await ok('apply --server-side -f -', greeting({ a: '3' }, { labels: { team: 'x' } }));
  assert.equal(await ok('get cm greeting -o jsonpath={.data}'), '{"a":"3"}', 'the field that is gone was owned before');
  const shown = await ok('get cm greeting -o yaml --show-managed-fields');
  assert.doesNotMatch(shown, /kubectl-client-side-apply/);
  assert.match(await ok('apply -f -', greeting({ a: '4' }, { labels: { team: 'x' } })), /configured/);
  assert.equal(await ok('get cm greeting -o jsonpath={.data}'), '{"a":"4"}');
  await ok('delete cm greeting');
}

async function pruneBySet({ ok, run }: Shell): Promise<void> {
  const env = { KUBECTL_APPLYSET: 'true' };
  const set = 'apply --server-side --prune --applyset=configmaps/parts -n default -f -';
  const one = greeting({ a: '1' });
  const two = one.replace('greeting', 'other');
  const first = await run(set, `${one}---\n${two}`, env);
  assert.equal(first.code, 0, first.stderr);
  const second = await run(set, one, env);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stdout, /other pruned/);
  assert.equal(await ok('get cm other --ignore-not-found'), '');
  await ok('delete cm greeting parts');
}

async function applyOurKinds({ ok, run }: Shell): Promise<void> {
  const offline = (spec: object) => stringify(feature('offline', spec));
  await ok('apply --server-side -f -', offline({ title: 'Downloads' }));
  await ok('wait --for=condition=Live feature/offline --timeout=10s');
  assert.equal(await ok('get feature offline -o jsonpath={.metadata.generation}'), '1');
  const other = { ...feature('offline'), spec: { title: 'Others' } };
  const refused = await run('apply --server-side --field-manager=b -f -', stringify(other));
  assert.match(refused.stderr, /conflict with "kubectl": \.spec\.title/);
  const wrong = await run('apply --server-side -f -', offline({ entitlement: 1 }));
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /unknown field "spec\.entitlement"/);
}

const MAPS = '/api/v1/namespaces/default/configmaps';
const APPLY = { 'content-type': 'application/apply-patch+yaml' };
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';

test('a controller of the Kubernetes client applies, meets a conflict, and takes over', async (t) => {
  await using world = await startWorld(t);
  const config = new KubeConfig();
  config.loadFromFile(world.running.kubeconfigFile);
  const core = config.makeApiClient(CoreV1Api);
  const custom = config.makeApiClient(CustomObjectsApi);
  const applied = setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply);
  const at = { namespace: 'default', name: 'a' };
  const body = (data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a' },
    data,
  });
  const made = await core.patchNamespacedConfigMap({ ...at, body: body({ x: '1' }), fieldManager: 'one' }, applied);
  assert.deepEqual(made.data, { x: '1' });
  assert.equal(made.metadata?.managedFields?.[0]?.manager, 'one');
  await assert.rejects(
    core.patchNamespacedConfigMap({ ...at, body: body({ x: '2' }), fieldManager: 'two' }, applied),
    (error) => error instanceof ApiException && error.code === 409,
  );
  const options = { ...at, body: body({ x: '2' }), fieldManager: 'two', force: true };
  assert.deepEqual((await core.patchNamespacedConfigMap(options, applied)).data, { x: '2' });

  const features = { group: 'products.backline.dev', version: 'v1', namespace: 'default', plural: 'features' } as const;
  const request = { ...features, name: 'hifi', body: feature('hifi'), fieldManager: 'one' };
  for (let round = 0; round < 2; round += 1) {
    const object = (await custom.patchNamespacedCustomObject(request, applied)) as { metadata: { generation: number } };
    assert.equal(object.metadata.generation, 1, 'a controller may apply the same again and again');
  }
  const any = KubernetesObjectApi.makeApiClient(config);
  const labelled = { ...body({ y: '1' }), metadata: { ...at, labels: { a: 'b' } } };
  const third = await any.patch(labelled, undefined, undefined, 'three', false, PatchStrategy.ServerSideApply);
  assert.deepEqual(third.metadata?.labels, { a: 'b' });
  assert.deepEqual((await core.readNamespacedConfigMap(at)).data, { x: '2', y: '1' });
});

test('an apply takes the right to patch, and to create where it creates', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(
    tokenFile,
    'ann-token-1234,ann,1,\nbob-token-1234,bob,2,\ncat-token-1234,cat,3,\neve-token-1234,eve,4,\n',
  );
  await using world = await startWorld(t, { roles: ['api'], access: { tokenFile } });
  const { call } = world;
  const allow = async (name: string, ...rules: object[]) => {
    await call('POST', `${RBAC}/roles`, { body: { metadata: { name }, rules } });
    const subjects = [{ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' }];
    const roleRef = { kind: 'Role', name, apiGroup: 'rbac.authorization.k8s.io' };
    const bound = await call('POST', `${RBAC}/rolebindings`, { body: { metadata: { name }, subjects, roleRef } });
    assert.equal(bound.status, 201, bound.text);
  };
  const rule = (verbs: string[], more: object = {}) => ({ apiGroups: [''], resources: ['configmaps'], verbs, ...more });
  const red = { labelSelector: 'team=red' };
  await allow('ann', rule(['patch']));
  await allow('bob', rule(['create']));
  await allow('cat', rule(['patch', 'create'], red));
  await allow('eve', rule(['create']), rule(['patch'], red));
  const apply = (user: string, name: string, labels: object = {}) =>
    call('PATCH', `${MAPS}/${name}?fieldManager=${user}`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data: { [user]: '1' } },
      headers: APPLY,
      token: `${user}-token-1234`,
    });
  const noCreate = await apply('ann', 'a');
  assert.equal(noCreate.status, 403);
  assert.match(noCreate.json.message, /User "ann" cannot create resource "configmaps"/);
  assert.match((await apply('bob', 'a')).json.message, /User "bob" cannot patch resource "configmaps"/);
  await call('POST', MAPS, { body: { metadata: { name: 'a' }, data: {} } });
  assert.equal((await apply('ann', 'a')).status, 200);

  // Rules for some objects: the object as it would be counts, and one that is not among them is like one that is not there.
  assert.equal((await apply('cat', 'r', { team: 'red' })).status, 201);
  assert.equal((await apply('cat', 'b', { team: 'blue' })).status, 403);
  const hidden = await apply('cat', 'a', { team: 'red' });
  assert.equal(hidden.status, 404, hidden.text);
  const blue = await apply('eve', 'e', { team: 'blue' });
  assert.equal(blue.status, 403, blue.text);
  assert.match(blue.json.message, /User "eve" cannot patch resource "configmaps"/);
  assert.equal((await apply('eve', 'e', { team: 'red' })).status, 201);
});

test('who may patch some objects only does not learn by an apply which others there are', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'dan-token-1234,dan,4,\n');
  await using world = await startWorld(t, { roles: ['api'], access: { tokenFile } });
  const { call } = world;
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch'], labelSelector: 'team=red' }];
  await call('POST', `${RBAC}/roles`, { body: { metadata: { name: 'dan' }, rules } });
  const group = 'rbac.authorization.k8s.io';
  await call('POST', `${RBAC}/rolebindings`, {
    body: {
      metadata: { name: 'dan' },
      subjects: [{ kind: 'User', name: 'dan', apiGroup: group }],
      roleRef: { kind: 'Role', name: 'dan', apiGroup: group },
    },
  });
  await call('POST', MAPS, { body: { metadata: { name: 'there', labels: { team: 'blue' } }, data: {} } });
  const apply = (name: string) =>
    call('PATCH', `${MAPS}/${name}?fieldManager=dan`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { team: 'red' } } },
      headers: APPLY,
      token: 'dan-token-1234',
    });
  const there = await apply('there');
  const none = await apply('none');
  assert.equal(there.status, 404, there.text);
  assert.deepEqual(
    { ...none.json, message: none.json.message.replaceAll('none', 'there'), details: there.json.details },
    there.json,
  );
});

test('policies see the object that an apply would make', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const admission = '/apis/admissionregistration.k8s.io/v1';
  const resourceRules = [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
  ];
  await call('POST', `${admission}/validatingadmissionpolicies`, {
    body: {
      metadata: { name: 'few' },
      spec: {
        matchConstraints: { resourceRules },
        validations: [
          { expression: 'size(object.data) <= 2', messageExpression: "request.operation + ': too many entries'" },
        ],
      },
    },
  });
  await call('POST', `${admission}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: 'few' }, spec: { policyName: 'few', validationActions: ['Deny'] } },
  });
  const apply = (manager: string, data: object) =>
    call('PATCH', `${MAPS}/a?fieldManager=${manager}`, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data },
      headers: APPLY,
    });
  assert.match((await apply('one', { a: '1', b: '1', c: '1' })).json.message, /CREATE: too many entries/);
  assert.equal((await apply('one', { a: '1', b: '1' })).status, 201);
  assert.match((await apply('two', { c: '1' })).json.message, /UPDATE: too many entries/);
  assert.equal((await apply('two', { b: '1' })).status, 200);
});

test('lists of our own kinds that are keyed by a name have owners for each item', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  const path = '/apis/products.backline.dev/v1/namespaces/default/markets/de';
  const apply = (manager: string, spec: object) =>
    call('PATCH', `${path}?fieldManager=${manager}`, {
      body: { apiVersion: 'products.backline.dev/v1', kind: 'Market', metadata: { name: 'de' }, spec },
      headers: APPLY,
    });
  const { spec } = market('de', { channels: [{ name: 'web' }] }) as { spec: { territories: string[] } };
  assert.equal((await apply('one', spec)).status, 201);
  const both = await apply('two', { channels: [{ name: 'apple', exponents: { JPY: 2 } }], territories: ['AT'] });
  assert.equal(both.status, 200, both.text);
  assert.deepEqual(both.json.spec.channels, [{ name: 'web' }, { name: 'apple', exponents: { JPY: 2 } }]);
  assert.deepEqual(both.json.spec.territories, [...spec.territories, 'AT']);
  assert.deepEqual((await apply('two', {})).json.spec.channels, [{ name: 'web' }]);
  const twice = await apply('two', { channels: [{ name: 'a' }, { name: 'a' }] });
  assert.equal(twice.status, 422);
  assert.match(twice.json.message, /spec\.channels\[\d\]: Duplicate value: \{"name":"a"\}/);
});
