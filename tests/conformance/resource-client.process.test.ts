import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigMap } from '#kernel/resources/builtin/core.ts';
import type { Batch, ResourceClient } from '#kernel/resources/client/contract.ts';
import { httpClient } from '#kernel/resources/client/http.ts';
import { inProcessClient } from '#kernel/resources/client/in-process.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import { startWorld, type World } from '../support/backline.ts';

const implementations: Record<string, (world: World) => ResourceClient> = {
  'in process': (world) => inProcessClient(storeOf(world)),
  'over HTTP': (world) => httpClient(world.connection),
};

function storeOf(world: World) {
  const store = world.running.control?.store;
  assert.ok(store);
  return store;
}

function put(name: string, text: string): Operation {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { text } };
  return { verb: 'apply', kind: ConfigMap.id, namespace: 'default', name, object, uid: crypto.randomUUID() };
}

const author = { user: 'test', requestId: 'test' };

for (const [name, open] of Object.entries(implementations)) {
  test(`${name}: a watch after a list shows every later change once, in order, and never half of an atomic write`, async (t) => {
    await using world = await startWorld(t);
    const client = open(world);
    const store = storeOf(world);
    await store.write([put('a', '0')], author);
    const listed = await client.list(ConfigMap);
    assert.deepEqual(
      listed.items.map(({ metadata }) => metadata.name),
      ['a'],
    );
    // Written between the list and the watch: must not be lost.
    await store.write([put('a', '1'), put('b', '1')], author);

    const stop = new AbortController();
    const batches: Batch[] = [];
    const watching = (async () => {
      for await (const batch of client.watch(ConfigMap, listed.version, stop.signal)) {
        batches.push(batch);
        if (batches.flatMap(({ changes }) => changes).length >= 2 + 20 * 3 + 1) stop.abort();
      }
    })();
    for (let round = 2; round < 22; round += 1) {
      await store.write([put('a', String(round)), put('b', String(round)), put(`c${round}`, 'x')], author);
    }
    await store.write([{ verb: 'delete', kind: ConfigMap.id, namespace: 'default', name: 'b' }], author);
    await watching;

    const seen = batches.flatMap(({ changes }) => changes);
    const versions = seen.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      versions,
      [...versions].sort((x, y) => x - y),
      'in order',
    );
    assert.equal(new Set(versions).size, versions.length, 'none twice');
    assert.equal(seen.at(-1)?.type, 'DELETED');
    for (const { changes } of batches) {
      const texts = (key: string) =>
        changes
          .filter(({ type, object }) => type !== 'DELETED' && object.metadata.name === key)
          .map(({ object }) => (object['data'] as { text: string }).text);
      assert.deepEqual(texts('a'), texts('b'), 'both or none');
    }
  });

  test(`${name}: a watch from before what is kept is refused as expired`, async (t) => {
    await using world = await startWorld(t);
    const store = storeOf(world);
    await store.write([put('a', '0')], author);
    await store.write([put('a', '1')], author);
    await store.compact({ historyDays: 0 });
    await assert.rejects(
      async () => {
        for await (const batch of open(world).watch(ConfigMap, '1', new AbortController().signal))
          assert.fail(JSON.stringify(batch));
      },
      (error) => error instanceof Refusal && error.reason === 'Expired',
    );
  });

  test(`${name}: the watch ends when its signal aborts`, async (t) => {
    await using world = await startWorld(t);
    const stop = new AbortController();
    for await (const batch of open(world).watch(ConfigMap, '1', stop.signal)) {
      assert.deepEqual(batch.changes, []);
      stop.abort();
    }
  });
}
