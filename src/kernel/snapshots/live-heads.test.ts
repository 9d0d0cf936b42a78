import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { Head, headOf } from '#kernel/kinds/builtin/head.ts';
import type { LiveObject, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { stampEntry } from '#kernel/store/entry.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { stateIn, usualHead } from './live-heads.ts';
import { everybody } from './testing/exposing-heads.ts';

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

test('what is read in the text of a Head is what parsing it gives', () => {
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
