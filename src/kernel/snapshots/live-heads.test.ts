import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Head, headName, headOf } from '#kernel/kinds/builtin/head.ts';
import type { LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { Node, Tenant } from '#kernel/releases/testing/node.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { MemoryStore } from '#tests/simulation/releases/memory-store.ts';
import { itemsOf } from '#kernel/api/client/pages.ts';
import { followLive, stateIn, usualHead } from './live-heads.ts';
import { everybody, putHead } from './testing/exposing-heads.ts';

const text = fc.constantFrom('a', 'é', 'a"b', 'a\\b', '{}', '"spec":{"object":{"kind":"K"', '');
const labels = fc.dictionary(fc.constantFrom('tier', 'shard'), text, { maxKeys: 2 });

const object: fc.Arbitrary<LiveObject> = fc.record(
  {
    kind: fc.constant(ConfigMap.id),
    namespace: text,
    name: fc.constantFrom('a', 'a-name-that-is-longer', 'n"o', 'é'),
    labels,
    revision: fc.constantFrom('0'.repeat(40), 'f'),
    spec: fc.oneof(fc.constant(null), fc.record({ spec: text, live: fc.array(text) })),
    allotment: fc.option(fc.constantFrom({ blocks: [1] }), { nil: undefined }),
  },
  { requiredKeys: ['kind', 'namespace', 'name', 'labels', 'revision', 'spec'] },
);

const head = fc
  .record({
    live: fc.option(object, { nil: undefined }),
    candidate: fc.option(fc.record({ object: fc.option(object, { nil: undefined }), stage: fc.constantFrom(0, 1) })),
    status: fc.option(fc.record({ held: text }), { nil: undefined }),
    annotations: fc.option(fc.dictionary(text, text), { nil: undefined }),
  })
  .map(({ live, candidate, status, annotations }): ResourceObject => {
    const carried = candidate === null ? undefined : { ...candidate, release: 'r', generation: 2, where: everybody };
    const made = headOf(ConfigMap, live?.name ?? 'gone', live && { object: live, generation: 1 }, carried);
    const metadata = { ...made.metadata, ...(annotations === undefined ? {} : { annotations }) };
    return { ...made, metadata, ...(status === undefined ? {} : { status }) };
  });

test('reading the text of a Head gives the same as parsing it', () => {
  let usuals = 0;
  fc.assert(
    fc.property(head, fc.boolean(), (given, isDeclared) => {
      const entry = stampEntry(Head, given, 7);
      const live = stateIn(textEntry(Head, given, 7), () => undefined);
      const declared: Entry | undefined = isDeclared
        ? {
            ...textEntry(ConfigMap, given, 7),
            namespace: live.everyone?.namespace ?? '',
            specText: () => entry.specText(),
          }
        : undefined;
      const plain = (state: unknown) => JSON.parse(JSON.stringify(state)) as unknown;
      assert.deepEqual(plain(stateIn(entry, () => declared)), plain(live));
      const usual = usualHead(entry, () => declared);
      usuals += Number(usual !== undefined);
      if (usual !== undefined) assert.deepEqual(plain(usual.everyone.everyone), plain(live.everyone));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(usuals > 100);
});

test('the usual Head is not parsed', () => {
  const live = { kind: ConfigMap.id, namespace: 'n', name: 'a', labels: { tier: 'x' }, spec: { a: 1 }, revision: 'f' };
  const entry = stampEntry(Head, headOf(ConfigMap, 'a', { object: live, generation: 3 }), 7);
  entry.outline = () => assert.fail('it is parsed');
  entry.object = () => assert.fail('it is parsed');
  assert.deepEqual(JSON.parse(JSON.stringify(stateIn(entry, () => undefined))), {
    kind: ConfigMap.id,
    name: 'a',
    everyone: live,
  });
});

test('Heads of a kind that this program does not know keep up nothing, and are shown when the kind comes', async () => {
  const newer = kindRegistry([Head, Node, Tenant]);
  const memory = new MemoryStore(newer.all, decideWith(newer), () => Temporal.Instant.fromEpochMilliseconds(0));
  const put = (kind: typeof Node, name: string, value: number, candidate?: 'shown'): Operation => {
    const spec = { needs: [], value, neighbourMax: 9 };
    const object = { kind: kind.id, namespace: 'n', name, labels: {}, spec, revision: `f${value}` };
    const carried = candidate && { release: 'r', object, generation: 1, stage: 0, where: everybody };
    return putHead(headOf(kind, name, { object, generation: 1 }, carried));
  };
  const write = (...operations: readonly Operation[]) => memory.commit(operations, { user: 'ann', requestId: 'r' });
  write(
    put(Tenant, 'n/before', 1),
    put(Node, 'before', 1),
    put(Tenant, 'n/gone', 1),
    put(Tenant, 'n/shown', 1, 'shown'),
  );
  const older = kindRegistry([Head, Node]);
  const store = {
    ...memory.reads(),
    fresh: async () => {},
    subscribe: (listener: Parameters<Store<Operation>['subscribe']>[0]) => memory.subscribe(listener),
  } as unknown as Store<Operation>;
  const { live, source } = followLive(store, older, atOnce);
  write(put(Tenant, 'n/later', 2), put(Node, 'later', 2));
  write(put(Tenant, 'n/before', 3), { verb: 'delete', kind: Head.id, namespace: '', name: headName(Tenant, 'n/gone') });
  const revisions = (kind: typeof Node) => [...live.list(kind.id)].map(({ name, revision }) => `${name} ${revision}`);
  assert.deepEqual(revisions(Node), ['before f1', 'later f2']);
  assert.deepEqual(revisions(Tenant), []);
  const listed = (await Array.fromAsync(itemsOf((await source.list()).pages))).map(({ name }) => name);
  assert.deepEqual(listed, ['before', 'later', 'n/shown'], 'all that follow know which releases there are');
  older.add(Tenant);
  assert.deepEqual(revisions(Tenant).toSorted(), ['n/before f3', 'n/later f2', 'n/shown f1']);
});
