import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const Crate = defineKind({
  group: 'stock.example',
  version: 'v1',
  kind: 'Crate',
  plural: 'crates',
  scope: 'Namespaced',
  description: 'A crate in a store.',
  spec: Type.Object({ size: Type.Integer({ minimum: 1, default: 3 }) }),
  columns: [{ name: 'Size', type: 'integer', description: 'Its size.', value: ({ spec }) => spec.size }],
});

const CRATES = '/apis/stock.example/v1/namespaces/default/crates';
const crate = (name: string, more: object = {}, metadata: object = {}) => ({
  apiVersion: Crate.apiVersion,
  kind: Crate.kind,
  metadata: { name, ...metadata },
  spec: {},
  ...more,
});

test('a kind comes while the program runs, is served like any other, and goes', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'controllers'] });
  const { call } = world;
  const served = world.running.control?.kinds ?? assert.fail();
  const post = async (path: string, body: object) => {
    const answer = await call('POST', path, { body });
    assert.equal(answer.status, 201, answer.text);
    return answer.json;
  };
  const namesIn = async (path: string): Promise<string[]> => {
    const { json } = await call('GET', path);
    return json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  };
  const isDiscovered = async () => {
    const groups: { name: string }[] = (await call('GET', '/apis')).json.groups;
    const { paths } = (await call('GET', '/openapi/v3')).json;
    const found = groups.some(({ name }) => name === 'stock.example');
    assert.equal('apis/stock.example/v1' in paths, found);
    return found;
  };

  assert.equal(await isDiscovered(), false);
  assert.equal((await call('GET', CRATES)).status, 404);

  await t.test('it is found, checked, written, listed and shown as a table', async () => {
    await served.add(Crate);
    assert.equal(await isDiscovered(), true);
    const { resources } = (await call('GET', '/apis/stock.example/v1')).json;
    assert.deepEqual(
      resources.map(({ name }: { name: string }) => name),
      ['crates'],
    );
    assert.equal((await post(CRATES, crate('a'))).spec.size, 3);
    const wrong = await call('POST', CRATES, { body: crate('b', { spec: { size: 0 } }) });
    assert.equal(wrong.status, 422, wrong.text);
    await post(CRATES, crate('b', { spec: { size: 9 } }));
    assert.deepEqual(await namesIn(CRATES), ['a', 'b']);
    const table = await call('GET', CRATES, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    assert.deepEqual(table.json.rows[1].cells.slice(0, 2), ['b', 9]);
  });

  await t.test('owners, and the namespace of objects, delete them along', async () => {
    const config = await post('/api/v1/namespaces/default/configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'owner' },
    });
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: config.metadata.uid }];
    await post(CRATES, crate('owned', {}, { ownerReferences }));
    await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'depot' } });
    await post(CRATES.replace('default', 'depot'), crate('far'));
    await call('DELETE', '/api/v1/namespaces/default/configmaps/owner');
    await call('DELETE', '/api/v1/namespaces/depot');
    await until(
      async () => {
        const gone = (await call('GET', '/api/v1/namespaces/depot')).status === 404;
        const left = await namesIn('/apis/stock.example/v1/crates');
        return gone && left.join() === 'a,b' ? true : undefined;
      },
      () => 'the namespace, what was in it, and what was owned to be gone',
      20,
    );
  });

  await t.test('when it goes its watches end and its paths are not found', async () => {
    const watching = call('GET', `${CRATES}?watch=1&resourceVersion=0`);
    await post(CRATES, crate('c'));
    await call('DELETE', `${CRATES}/c`);
    served.remove(Crate);
    const events = (await watching).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: { metadata: { name: string } } });
    assert.deepEqual(
      events.slice(0, 2).map(({ type, object }) => `${type} ${object.metadata.name}`),
      ['ADDED a', 'ADDED b'],
    );
    assert.equal(await isDiscovered(), false);
    for (const path of [CRATES, `${CRATES}/a`, `${CRATES}?watch=1`, '/apis/stock.example/v1/crates']) {
      assert.equal((await call('GET', path)).status, 404, path);
    }
    assert.equal((await call('POST', CRATES, { body: crate('d') })).status, 404);
  });

  await t.test('when it comes again its objects are there, and a watch of before has to list anew', async () => {
    const { metadata } = (await call('GET', '/api/v1/namespaces')).json;
    await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'later' } });
    await served.add(Crate);
    assert.deepEqual(await namesIn(CRATES), ['a', 'b']);
    const { text } = await call(
      'GET',
      `${CRATES}?watch=1&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`,
    );
    const [line = ''] = text.trim().split('\n');
    assert.deepEqual([JSON.parse(line).type, JSON.parse(line).object.code], ['ERROR', 410]);
    const changed = await call('PUT', `${CRATES}/a`, {
      body: { ...(await call('GET', `${CRATES}/a`)).json, spec: { size: 4 } },
    });
    assert.deepEqual([changed.status, changed.json.metadata.generation], [200, 2], changed.text);
  });

  await t.test('after a start without it its objects are kept, and it can come again', async () => {
    await world.restart();
    assert.equal((await call('GET', CRATES)).status, 404);
    await world.running.control?.kinds.add(Crate);
    assert.deepEqual(await namesIn(CRATES), ['a', 'b']);
  });
});
