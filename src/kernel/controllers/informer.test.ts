import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import type { Batch, ResourceClient } from '#kernel/api/client/contract.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { onePage } from '#kernel/api/client/pages.ts';
import { startInformer, type ObjectChange } from './informer.ts';
import { VirtualTime } from './testing/virtual-time.ts';

type Change = Batch['changes'][number];

/** A server with one kind, whose connections break and whose past is forgotten when a test says so. */
class Server {
  readonly objects = new Map<string, ResourceObject>();
  readonly changes: Change[] = [];
  floor = 0;
  #connection = Promise.withResolvers<'more' | 'broken'>();

  put(name: string, namespace: string, owners: readonly string[]): void {
    const before = this.objects.get(`${namespace}/${name}`);
    const object: ResourceObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        uid: before?.metadata.uid ?? `uid-${this.changes.length}`,
        resourceVersion: String(this.changes.length + 1),
        ownerReferences: owners.map((uid) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: uid, uid })),
      },
    };
    this.objects.set(`${namespace}/${name}`, object);
    this.#publish({ type: before === undefined ? 'ADDED' : 'MODIFIED', object });
  }

  remove(name: string, namespace: string): void {
    const object = this.objects.get(`${namespace}/${name}`);
    if (object === undefined) return;
    this.objects.delete(`${namespace}/${name}`);
    this.#publish({ type: 'DELETED', object });
  }

  break(): void {
    this.#wake('broken');
  }

  readonly client: Pick<ResourceClient, 'list' | 'watch'> = {
    list: () => Promise.resolve({ pages: onePage([...this.objects.values()]), version: String(this.changes.length) }),
    watch: (_kind, from, signal) => this.#watch(Number(from), signal),
  };

  async *#watch(from: number, signal: AbortSignal): AsyncIterable<Batch> {
    if (from < this.floor) throw new Refusal('resources/expired', 'Expired', 'too old');
    signal.addEventListener('abort', () => this.break());
    for (let seen = from; !signal.aborted;) {
      const news = this.#connection.promise;
      const changes = this.changes.slice(seen);
      seen += changes.length;
      yield { version: String(seen), changes };
      if (seen < this.changes.length) continue;
      if ((await news) === 'broken') throw new Error('the connection broke');
    }
  }

  #publish(change: Change): void {
    this.changes.push(change);
    this.#wake('more');
  }

  #wake(news: 'more' | 'broken'): void {
    const { resolve } = this.#connection;
    this.#connection = Promise.withResolvers();
    resolve(news);
  }
}

const name = fc.constantFrom('a', 'b', 'c');
const namespace = fc.constantFrom('one', 'two');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      name,
      namespace,
      owners: fc.subarray(['x', 'y']),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), name, namespace }) },
  { weight: 1, arbitrary: fc.constantFrom({ do: 'break' as const }, { do: 'forget' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(200) }) },
);

test('whatever breaks, the cache converges to the server, and its events add up to the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const time = new VirtualTime();
      const server = new Server();
      const informer = startInformer({
        client: server.client,
        kind: ConfigMap,
        time,
        random: () => 1,
        log: openLog('silent'),
      });
      const followed = new Map<string, ResourceObject>();
      informer.subscribe(({ before, now }: ObjectChange) => {
        const keyOf = (object: ResourceObject) => `${object.metadata.namespace}/${object.metadata.name}`;
        if (before !== undefined) {
          assert.equal(followed.get(keyOf(before))?.metadata.resourceVersion, before.metadata.resourceVersion);
          followed.delete(keyOf(before));
        }
        if (now === undefined) return;
        assert.equal(followed.has(keyOf(now)), false, 'what comes anew was not there');
        followed.set(keyOf(now), now);
      });
      for (const one of steps) {
        if (one.do === 'put') server.put(one.name, one.namespace, one.owners);
        else if (one.do === 'remove') server.remove(one.name, one.namespace);
        else if (one.do === 'break') server.break();
        else if (one.do === 'forget') {
          server.floor = server.changes.length;
          server.break();
        } else await time.run(one.ms);
      }
      await time.run(60_000);
      const expected = [...server.objects.values()];
      const sortByVersion = (objects: Iterable<ResourceObject>) =>
        [...objects].sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion));
      assert.deepEqual(sortByVersion(followed.values()), sortByVersion(expected));
      for (const owner of ['x', 'y']) {
        const owned = expected.filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === owner));
        assert.deepEqual(sortByVersion(informer.ownedBy(owner)), sortByVersion(owned));
      }
      for (const place of ['one', 'two']) {
        const inside = expected.filter(({ metadata }) => metadata.namespace === place);
        assert.deepEqual(sortByVersion(informer.inNamespace(place)), sortByVersion(inside));
      }
      for (const object of expected) {
        assert.deepEqual(informer.get(object.metadata.namespace, object.metadata.name), object);
        assert.deepEqual(informer.withUid(object.metadata.uid ?? ''), object);
      }
      await informer.stop();
    }),
    { numRuns: 150 },
  );
});
