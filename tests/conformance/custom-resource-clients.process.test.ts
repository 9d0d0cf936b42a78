import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  ADD,
  CustomObjectsApi,
  DELETE,
  KubeConfig,
  makeInformer,
  UPDATE,
  type KubernetesObject,
} from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { startWorld, type Call } from '../support/backline.ts';
import { startOther } from '../support/start-other.ts';
import { until, type Json } from '../support/installation.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const SHIPS = '/apis/fleet.example/v1/namespaces/default/ships';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'ships.fleet.example' },
  spec: {
    group: 'fleet.example',
    names: { plural: 'ships', kind: 'Ship', listKind: 'Fleet', shortNames: ['sh'], categories: ['vessels'] },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A ship.',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                description: 'What it is like.',
                required: ['crew'],
                properties: {
                  crew: { type: 'integer', minimum: 1, description: 'People aboard.' },
                  flag: { type: 'string', default: 'none' },
                },
                'x-kubernetes-validations': [{ rule: 'self.crew < 100', message: 'too many people' }],
              },
              status: { type: 'object', properties: { crew: { type: 'integer' } } },
            },
          },
        },
        subresources: { status: {}, scale: { specReplicasPath: '.spec.crew', statusReplicasPath: '.status.crew' } },
        additionalPrinterColumns: [
          { name: 'Crew', type: 'integer', jsonPath: '.spec.crew' },
          { name: 'Flag', type: 'string', jsonPath: '.spec.flag', priority: 1 },
        ],
        selectableFields: [{ jsonPath: '.spec.flag' }],
      },
    ],
  },
};

const ship = (name: string, spec: object = { crew: 3 }) => ({
  apiVersion: 'fleet.example/v1',
  kind: 'Ship',
  metadata: { name },
  spec,
});

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

test('each kubectl handles objects of a definition as it does with a Kubernetes server', { skip }, async (t) => {
  for (const kubectl of kubectls) {
    await t.test(kubectl.version, async (t) => {
      await using world = await startWorld(t);
      const cache = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
      t.after(() => rm(cache, { recursive: true, force: true }));
      const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', cache];
      const run = (args: string, input = '') => execute(kubectl.file, [...base, ...args.split(' ')], input);
      const ok = async (args: string, input = '') => {
        const ran = await run(args, input);
        assert.equal(ran.code, 0, `kubectl ${args}\n${ran.stdout}${ran.stderr}`);
        return ran.stdout;
      };
      assert.match(await ok('create --validate=strict -f -', stringify(DEFINITION)), /ships\.fleet\.example created/);
      assert.match(await ok('wait --for=condition=Established crd/ships.fleet.example --timeout=5s'), /condition met/);
      assert.match(await ok('get crd'), /ships\.fleet\.example/);
      assert.match(await ok('api-resources --api-group=fleet.example'), /ships +sh +fleet\.example\/v1 +true +Ship/);
      assert.match(await ok('explain ship'), /A ship\./);
      assert.match(await ok('explain sh.spec.crew'), /People aboard\./);
      const older = await run('explain ship.spec --output=plaintext-openapiv2');
      assert.match(older.stdout, /crew\s+<integer> -required-/, older.stderr);
      assert.match(await ok('apply -f -', stringify(ship('argo'))), /argo created/);
      assert.match(await ok('apply -f -', stringify(ship('argo', { crew: 5, flag: 'gr' }))), /argo configured/);
      assert.match(await ok('get sh'), /NAME +CREW\nargo +5\n/);
      assert.match(await ok('get vessels -o wide'), /NAME +CREW +FLAG\nargo +5 +gr\n/);
      assert.match(await ok('get ships --field-selector spec.flag=gr -o name'), /ship\.fleet\.example\/argo/);
      assert.equal(await ok('get ships --field-selector spec.flag=it -o name'), '');
      assert.match(await ok('scale --replicas=7 ship/argo'), /scaled/);
      assert.equal(await ok('get ship argo -o jsonpath={.spec.crew}'), '7');
      assert.match(await ok('scale --current-replicas=7 --replicas=8 ship/argo'), /scaled/);
      assert.match(await ok('patch ship argo --type=merge --subresource=status -p {"status":{"crew":8}}'), /patched/);
      assert.match(await ok('get ship argo --subresource=status -o jsonpath={.status.crew}'), /^8$/);
      const strict = await run('create --validate=strict -f -', stringify(ship('b', { crew: 1, sails: 2 })));
      assert.match(strict.stderr, /unknown field "spec\.sails"/);
      const rule = await run('create -f -', stringify(ship('b', { crew: 100 })));
      assert.match(rule.stderr, /too many people/);
      assert.match(await ok('describe ship argo'), /Crew: +8/);
      assert.match(
        await ok('apply --server-side --field-manager=port -f -', stringify(ship('beagle', { crew: 2 }))),
        /serverside-applied/,
      );
      const owned = await run('apply --server-side --field-manager=navy -f -', stringify(ship('beagle', { crew: 4 })));
      assert.match(owned.stderr, /conflict with "port"[\s\S]*\.spec\.crew/);
      assert.match(await ok('label ship argo fast=yes'), /labeled/);
      assert.match(await ok('auth can-i create ships.fleet.example'), /yes/);
      assert.match(await ok('delete crd ships.fleet.example --timeout=10s'), /deleted/);
      assert.match((await run('get ships')).stderr, /NotFound|doesn't have a resource type/);
    });
  }
});

test('an informer of the Kubernetes client misses nothing while the definition changes', async (t) => {
  await using world = await startWorld(t);
  await define(world.call);
  const config = new KubeConfig();
  config.loadFromFile(world.running.kubeconfigFile);
  const custom = config.makeApiClient(CustomObjectsApi);
  const place = { group: 'fleet.example', version: 'v1', namespace: 'default', plural: 'ships' };
  const list = async () =>
    custom.listNamespacedCustomObject(place) as Promise<{ items: KubernetesObject[] } & KubernetesObject>;
  const informer = makeInformer<KubernetesObject>(config, SHIPS, list);
  const seen: string[] = [];
  for (const [event, word] of [
    [ADD, 'add'],
    [UPDATE, 'update'],
    [DELETE, 'delete'],
  ] as const) {
    informer.on(event, ({ metadata }: KubernetesObject) => seen.push(`${word} ${metadata?.name}`));
  }
  informer.on('error', () => void setTimeout(() => void informer.start(), 50).unref());
  await informer.start();
  t.after(() => informer.stop());
  const untilSeen = (line: string) =>
    until(
      async () => (seen.includes(line) ? true : undefined),
      () => `${line} in ${seen.join()}`,
      10,
    );
  await custom.createNamespacedCustomObject({ ...place, body: ship('first') });
  await untilSeen('add first');
  const schema = structuredClone(DEFINITION.spec.versions);
  Object.assign(schema[0]?.schema.openAPIV3Schema.properties.spec.properties ?? {}, {
    mast: { type: 'integer', default: 1 },
  });
  const changed = await world.call('PATCH', `${DEFINITIONS}/ships.fleet.example`, {
    body: { spec: { versions: schema } },
    headers: MERGE,
  });
  assert.equal(changed.status, 200, changed.text);
  await custom.createNamespacedCustomObject({ ...place, body: ship('second') });
  await custom.deleteNamespacedCustomObject({ ...place, name: 'first' });
  await untilSeen('add second');
  await untilSeen('delete first');
});

test('each process of an installation serves the same kinds', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const other = await startOther(t, { dataDirectory: world.dataDirectory, databaseUrl: world.databaseUrl });
  await define(world.call);
  await t.test('a kind that one process answered for is known to the other one', async () => {
    const made = await other.call('POST', SHIPS, { body: ship('a') });
    assert.equal(made.status, 201, made.text);
    assert.equal((await world.call('GET', `${SHIPS}/a`)).json.spec.flag, 'none');
    assert.equal((await world.call('POST', SHIPS, { body: ship('b', { crew: 100 }) })).status, 422);
    assert.equal((await other.call('POST', SHIPS, { body: ship('b', { crew: 100 }) })).status, 422);
    const { groups } = (await other.call('GET', '/apis')).json;
    assert.ok(groups.some(({ name }: Json) => name === 'fleet.example'));
  });
  await t.test('one that comes through the other process is served by both', async () => {
    const names = { plural: 'boats', kind: 'Boat' };
    await define(other.call, {
      ...DEFINITION,
      metadata: { name: 'boats.fleet.example' },
      spec: { ...DEFINITION.spec, names },
    });
    const BOATS = SHIPS.replace('ships', 'boats');
    assert.equal((await world.call('GET', BOATS)).status, 200);
    assert.equal((await other.call('GET', BOATS)).status, 200);
  });
  await t.test('a watch in the other process ends with the definition, which both forget', async () => {
    const watching = other.call('GET', `${SHIPS}?watch=1&resourceVersion=0`);
    await until(
      async () => ((await watchers(other.call)) > 0 ? true : undefined),
      () => 'the watch to be open',
      10,
    );
    assert.equal((await world.call('DELETE', `${DEFINITIONS}/ships.fleet.example`)).status, 200);
    const events = (await watching).text
      .trim()
      .split('\n')
      .map((line): Json => JSON.parse(line));
    assert.deepEqual(events.map(({ type, object }) => `${type} ${object.metadata.name}`).slice(0, 2), [
      'ADDED a',
      'DELETED a',
    ]);
    for (const { call } of [world, other]) {
      await until(
        async () => ((await call('GET', SHIPS)).status === 404 ? true : undefined),
        () => 'the kind to go',
        10,
      );
    }
  });
  await t.test('when the writer ends the other process establishes definitions', async () => {
    await world.running.close();
    await until(
      async () => ((await other.call('GET', '/readyz')).status === 200 ? true : undefined),
      () => 'the other to write',
      20,
    );
    await define(other.call);
    const made = await other.call('POST', SHIPS, { body: ship('later') });
    assert.equal(made.status, 201, made.text);
  });
});

test('controllers in a process of their own know the kinds of definitions', async (t) => {
  const world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  await startOther(t, { dataDirectory: world.dataDirectory, follow: world.connection });
  await define(call);
  const OWNERS = '/api/v1/namespaces/default/configmaps';
  const owner = await call('POST', OWNERS, {
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'port' } },
  });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'port', uid: owner.json.metadata.uid }];
  const owned = { ...ship('a'), metadata: { name: 'a', ownerReferences } };
  assert.equal((await call('POST', SHIPS, { body: owned })).status, 201);
  await call('DELETE', `${OWNERS}/port`);
  await until(
    async () => ((await call('GET', `${SHIPS}/a`)).status === 404 ? true : undefined),
    () => 'the ship to go with its owner',
    20,
  );
});

async function define(call: Call, body: Json = DEFINITION): Promise<void> {
  const made = await call('POST', DEFINITIONS, { body });
  assert.equal(made.status, 201, made.text);
  await until(
    async () => {
      const { json } = await call('GET', `${DEFINITIONS}/${body.metadata.name}`);
      return (
        json.status?.conditions?.some((one: Json) => one.type === 'Established' && one.status === 'True') || undefined
      );
    },
    () => 'the definition to be established',
    10,
  );
}

async function watchers(call: Call): Promise<number> {
  const { text } = await call('GET', '/metrics');
  return Number(/^backline_watchers (\d+)/m.exec(text)?.[1] ?? 0);
}
