import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigMap, Namespace } from '#kernel/kinds/builtin/core.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { Batch, ResourceClient, SelectOptions } from '#kernel/api/client/contract.ts';
import { httpClient } from '#kernel/api/client/http.ts';
import { inProcessClient } from '#kernel/api/client/in-process.ts';
import { Refusal, fieldPath } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { itemsOf } from '#kernel/api/client/pages.ts';
import { startWorld, type World } from '../support/backline.ts';

const implementations: Record<string, (world: World) => ResourceClient> = {
  'in process': (world) => inProcessClient(storeOf(world), 'test'),
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
  test(`${name}: a long list has all objects of one version, though they change while it is read`, async (t) => {
    await using world = await startWorld(t);
    const store = storeOf(world);
    const names = Array.from({ length: 4_500 }, (_, index) => `m${String(index).padStart(4, '0')}`);
    const puts = names.map((one) => put(one, '0'));
    for (let at = 0; at < puts.length; at += 1_500) await store.write(puts.slice(at, at + 1_500), author);
    const written = String(store.version());
    const { pages, version } = await open(world).list(ConfigMap);
    const seen: string[] = [];
    for await (const page of pages) {
      for (const { metadata, data } of page as Iterable<ResourceObject & { data?: object }>) {
        seen.push(`${metadata.name} ${JSON.stringify(data)}`);
      }
      await store.write([put('m0000', 'new'), put('m4499', 'new'), put('zz', 'new')], author);
      await store.write([{ verb: 'delete', kind: ConfigMap.id, namespace: 'default', name: 'zz' }], author);
    }
    assert.equal(version, written);
    assert.deepEqual(
      seen,
      names.map((one) => `${one} ${JSON.stringify({ text: '0' })}`),
    );
  });

  test(`${name}: a watch after a list shows every later change once, in order, and never half of an atomic write`, async (t) => {
    await using world = await startWorld(t);
    const client = open(world);
    const store = storeOf(world);
    await store.write([put('a', '0')], author);
    const listed = await client.list(ConfigMap);
    assert.deepEqual(
      (await Array.fromAsync(itemsOf(listed.pages))).map(({ metadata }) => metadata.name),
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

  test(`${name}: objects are created, read, changed, and deleted as far as their finalizers allow`, async (t) => {
    await using world = await startWorld(t);
    const client = open(world);
    const at = { namespace: 'default', name: 'a' };
    assert.equal(await client.get(ConfigMap, at), undefined);
    const made = await client.create(ConfigMap, map('a', { text: '1' }));
    assert.ok(made.metadata.uid);
    assert.deepEqual(await client.get(ConfigMap, at), made);
    const updated = await client.update(ConfigMap, { ...made, data: { text: '2' } });
    assert.deepEqual(updated['data'], { text: '2' });
    const patched = await client.mergePatch(ConfigMap, at, {
      data: { more: '3' },
      metadata: { finalizers: ['a.b/c'] },
    });
    assert.deepEqual(patched['data'], { text: '2', more: '3' });
    const marked = await client.delete(ConfigMap, at, { uid: made.metadata.uid, propagation: 'Foreground' });
    assert.deepEqual(marked?.metadata.finalizers, ['a.b/c', 'foregroundDeletion']);
    await client.mergePatch(ConfigMap, at, { metadata: { finalizers: null } });
    assert.equal(await client.get(ConfigMap, at), undefined);

    const generated = await client.create(ConfigMap, {
      ...map('', {}),
      metadata: { generateName: 'many-', namespace: 'default' } as ResourceObject['metadata'],
    });
    assert.match(generated.metadata.name, /^many-.{5}$/);
    const { metadata } = generated;
    assert.equal(await client.delete(ConfigMap, metadata, { resourceVersion: metadata.resourceVersion }), undefined);
    await assert.rejects(client.delete(ConfigMap, metadata), { code: 'resources/not-found' });
  });

  test(`${name}: status and finalizers of a namespace are written apart from the rest`, async (t) => {
    await using world = await startWorld(t);
    const client = open(world);
    const made = await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
    const conditions = [{ type: 'Checked', status: 'True' }];
    const namespace = await client.patchStatus(Namespace, { name: 'team' }, { conditions });
    assert.deepEqual(namespace.status, { phase: 'Active', conditions });
    const finalized = await client.update(Namespace, { ...namespace, spec: {}, status: {} }, 'finalize');
    assert.deepEqual([made.spec, finalized.spec], [{ finalizers: ['kubernetes'] }, { finalizers: [] }]);
    assert.deepEqual(finalized.status, namespace.status);
  });

  test(`${name}: lists and watches show what is selected, and what leaves the selection is deleted to them`, async (t) => {
    await using world = await startWorld(t);
    const client = open(world);
    await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
    const createMap = (name: string, tier: string, namespace = 'default') =>
      client.create(ConfigMap, {
        ...map(name, {}),
        metadata: { name, namespace, labels: { tier } },
      });
    await createMap('a', 'paid');
    await createMap('b', 'free');
    await createMap('c', 'paid', 'team');
    const names = async (selected: SelectOptions) =>
      (await Array.fromAsync(itemsOf((await client.list(ConfigMap, selected)).pages))).map(
        ({ metadata }) => metadata.name,
      );
    assert.deepEqual(await names({}), ['a', 'b', 'c']);
    assert.deepEqual(await names({ namespace: 'team' }), ['c']);
    assert.deepEqual(await names({ labelSelector: 'tier=paid' }), ['a', 'c']);
    assert.deepEqual(await names({ fieldSelector: 'metadata.name!=a', namespace: 'default' }), ['b']);

    const selected = { namespace: 'default', labelSelector: 'tier=paid' };
    const { version } = await client.list(ConfigMap, selected);
    await createMap('d', 'paid', 'team');
    await client.mergePatch(ConfigMap, { namespace: 'default', name: 'b' }, { metadata: { labels: { tier: 'paid' } } });
    await client.mergePatch(ConfigMap, { namespace: 'default', name: 'a' }, { metadata: { labels: { tier: 'free' } } });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const { changes } of client.watch(ConfigMap, version, stop.signal, selected)) {
      seen.push(
        ...changes.map(({ type, object }) => `${type} ${object.metadata.name} ${object.metadata.labels?.['tier']}`),
      );
      if (seen.length >= 2) stop.abort();
    }
    assert.deepEqual(seen, ['ADDED b paid', 'DELETED a paid']);
  });

  test(`${name}: what one implementation refuses the other refuses alike`, async (t) => {
    await using world = await startWorld(t);
    const client = open(world);
    const made = await client.create(ConfigMap, map('a', { text: '1' }));
    const at = { namespace: 'default', name: 'a' };
    const stale = { ...made, metadata: { ...made.metadata, resourceVersion: '1' } };
    const other = '6dc8ad0b-5d09-4d4d-8c3c-0f0c8e3f9f4d';
    const first = async () => {
      const selected = { labelSelector: '===' };
      for await (const batch of client.watch(ConfigMap, '1', new AbortController().signal, selected)) return batch;
    };
    const future = async () => {
      for await (const batch of client.watch(ConfigMap, '999999', new AbortController().signal)) return batch;
    };
    const refusals: readonly (readonly [() => Promise<unknown>, string, string, ...string[]])[] = [
      [() => client.create(ConfigMap, map('a', {})), 'resources/already-exists', 'AlreadyExists'],
      [() => client.create(ConfigMap, { ...map('b', {}), odd: 1 }), 'resources/unknown-field', 'BadRequest', 'odd'],
      [() => client.create(ConfigMap, map('No_Name', {})), 'resources/invalid', 'Invalid', 'metadata.name'],
      [() => client.create(ConfigMap, map('', {})), 'resources/no-name', 'Invalid', 'metadata.name'],
      [
        () => client.create(ConfigMap, { ...map('b', {}), metadata: { name: 'b' } }),
        'resources/no-namespace',
        'BadRequest',
      ],
      [
        () => client.create(ConfigMap, { ...map('b', {}), metadata: { name: 'b', namespace: 'nowhere' } }),
        'resources/namespace-not-found',
        'NotFound',
      ],
      [() => client.create(ConfigMap, { ...map('b', {}), kind: 'Plan' }), 'resources/wrong-kind', 'BadRequest'],
      [() => client.update(ConfigMap, stale), 'resources/conflict', 'Conflict'],
      [() => client.update(ConfigMap, map('b', {})), 'resources/not-found', 'NotFound'],
      [() => client.mergePatch(ConfigMap, at, { data: { text: 5 } }), 'resources/invalid', 'Invalid', 'data.text'],
      [
        () => client.mergePatch(ConfigMap, at, { metadata: { uid: other } }),
        'resources/invalid',
        'Invalid',
        'metadata.uid',
      ],
      [() => client.delete(ConfigMap, at, { uid: other }), 'resources/conflict', 'Conflict'],
      [() => client.delete(ConfigMap, at, { resourceVersion: '1' }), 'resources/conflict', 'Conflict'],
      [() => client.delete(Namespace, { name: 'default' }), 'resources/namespace-lasting', 'Forbidden'],
      [() => client.delete(Head, { name: 'x' }), 'http/method-not-allowed', 'MethodNotAllowed'],
      [() => client.list(ConfigMap, { fieldSelector: 'data=x' }), 'resources/field-not-selectable', 'BadRequest'],
      [first, 'resources/invalid-label-selector', 'BadRequest'],
      [future, 'resources/version-too-large', 'Timeout'],
    ];
    for (const [act, code, reason, ...fields] of refusals) {
      await assert.rejects(act, (error) => {
        assert.ok(error instanceof Refusal, String(error));
        const paths = error.problems.map(({ path }) => fieldPath(path)).filter((path) => path !== '');
        assert.deepEqual([error.code, error.reason, ...paths], [code, reason, ...fields]);
        return true;
      });
    }
  });
}

function map(name: string, data: Record<string, string>): ResourceObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}
