import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Outcome, Store } from '../contract.ts';
import { advisedStore } from './advised-store.ts';
import type { Operation } from './operation.ts';
import { textEntry } from './text-entry.ts';

const ADVICE_MS = 2;
const OBJECTS = 50;

test('advice on many objects of one write lets everything else run in between', async () => {
  const objects = Array.from({ length: OBJECTS }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: `n${index}` },
  }));
  const outcomes = objects.map((object): Outcome => ({ did: 'created', entry: textEntry(Namespace, object, 1) }));
  const inner = { write: async () => outcomes } as unknown as Store<Operation>;
  const advise = (object: ResourceObject, written: readonly unknown[]): readonly string[] => {
    assert.equal(written.length, OBJECTS);
    const endMs = performance.now() + ADVICE_MS;
    while (performance.now() < endMs);
    return [`of ${object.metadata.name}`];
  };
  const store = advisedStore(inner, [{ kind: Namespace, advise }], () => []);
  let turns = 0;
  const count = setInterval(() => (turns += 1), 1);
  const operations = objects.map((object): Operation => ({
    verb: 'apply',
    kind: Namespace.id,
    namespace: '',
    name: object.metadata.name,
    object,
    uid: '',
  }));
  const advised = await store.write(operations, { user: 'ann', requestId: 'r' });
  clearInterval(count);
  assert.deepEqual(
    advised.map(({ warnings }) => warnings),
    objects.map(({ metadata }) => [`of ${metadata.name}`]),
  );
  assert.ok(turns >= OBJECTS / 10, `the event loop had ${turns} turns`);
});
