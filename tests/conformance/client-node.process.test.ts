import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ADD,
  CustomObjectsApi,
  CoreV1Api,
  DELETE,
  KubeConfig,
  UPDATE,
  makeInformer,
  type KubernetesObject,
} from '@kubernetes/client-node';
import { startWorld } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';

const GROUP = { group: 'products.backline.dev', version: 'v1', namespace: 'default', plural: 'features' } as const;
const PATH = '/apis/products.backline.dev/v1/namespaces/default/features';

test('the Kubernetes client lists and writes, and its informer misses nothing across a restart of the server', async (t) => {
  await using world = await startWorld(t);
  const config = new KubeConfig();
  config.loadFromFile(world.running.kubeconfigFile);
  const core = config.makeApiClient(CoreV1Api);
  const custom = config.makeApiClient(CustomObjectsApi);

  await core.createNamespacedConfigMap({
    namespace: 'default',
    body: { metadata: { name: 'greeting' }, data: { a: 'b' } },
  });
  const maps = await core.listNamespacedConfigMap({ namespace: 'default' });
  assert.deepEqual(
    maps.items.map(({ metadata }) => metadata?.name),
    ['greeting'],
  );
  await custom.createNamespacedCustomObject({ ...GROUP, body: feature('first') });

  const seen: string[] = [];
  const list = async () =>
    custom.listNamespacedCustomObject(GROUP) as Promise<{ items: KubernetesObject[] } & KubernetesObject>;
  const informer = makeInformer<KubernetesObject>(config, PATH, list);
  const note = (type: string) => (object: KubernetesObject) => seen.push(`${type} ${object.metadata?.name}`);
  informer.on(ADD, note('add'));
  informer.on(UPDATE, note('update'));
  informer.on(DELETE, note('delete'));
  informer.on('error', () => {
    // The client leaves coming back to its user: as its README does, start it again after a moment.
    setTimeout(() => void informer.start(), 100).unref();
  });
  await informer.start();
  t.after(() => informer.stop());

  await until(() => seen.includes('add first'));
  await custom.createNamespacedCustomObject({ ...GROUP, body: feature('second') });
  await until(() => seen.includes('add second'));

  await world.restart();
  await custom.createNamespacedCustomObject({ ...GROUP, body: feature('third') });
  await custom.deleteNamespacedCustomObject({ ...GROUP, name: 'first' });
  await until(() => seen.includes('add third') && seen.includes('delete first'));
  assert.deepEqual(
    seen.filter((line) => line.startsWith('add ')).sort(),
    ['add first', 'add second', 'add third'],
    'nothing is added twice',
  );
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'it did not happen within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
