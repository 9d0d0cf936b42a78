import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { followDefinitions } from './follow-definitions.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';

const NAME = 'widgets.stock.example';

function definition(): ResourceObject {
  const { apiVersion, kind, example } = CustomResourceDefinition;
  const status = { conditions: [{ type: 'Established', status: 'True' }] };
  return { apiVersion, kind, metadata: { name: NAME, uid: 'u', generation: 1 }, spec: example?.spec, status };
}

test('a kind that cannot be served for now is served when it can be', async () => {
  const entry = textEntry(CustomResourceDefinition, definition(), 1);
  const kinds = kindRegistry([]);
  const { promise: served, resolve } = Promise.withResolvers<Kind>();
  let tries = 0;
  const followed = followDefinitions({
    store: { get: () => entry, list: () => [entry], subscribe: () => () => {} },
    kinds,
    first: new Map(),
    served: {
      add: async (kind) => {
        tries += 1;
        if (tries === 1) throw new Error('the database is away');
        kinds.add(kind);
        resolve(kind);
      },
      replace: () => undefined,
      remove: () => {},
    },
    log: openLog('silent'),
  });
  await followed.settle();
  assert.deepEqual(kinds.all, []);
  // The timer of the retry keeps no process, nor this test.
  const alive = setInterval(() => {}, 1_000);
  assert.equal((await served).id, 'stock.example/Widget');
  clearInterval(alive);
  assert.equal(tries, 2);
  followed.stop();
});
