import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import { registerDefinitions } from './register-definitions.ts';

function definition(generation: number, established = true): ResourceObject {
  const { apiVersion, kind, example } = CustomResourceDefinition;
  const status = { conditions: [{ type: 'Established', status: established ? 'True' : 'False' }] };
  const metadata = { name: 'widgets.stock.example', uid: 'u', generation };
  return { apiVersion, kind, metadata, spec: example?.spec, status };
}

test('a process without a store has the kinds that an API server tells of', () => {
  const kinds = kindRegistry([]);
  const register = registerDefinitions(kinds);
  const revisions = () => kinds.all.map(({ id, definition: defined }) => `${id} ${defined?.revision}`);
  register({ before: undefined, now: definition(1, false) });
  assert.deepEqual(revisions(), []);
  register({ before: definition(1, false), now: definition(1) });
  const [first = ''] = revisions();
  assert.match(first, /^stock\.example\/Widget /);
  register({ before: definition(1), now: definition(1) });
  assert.deepEqual(revisions(), [first]);
  register({ before: definition(1), now: definition(2) });
  assert.notDeepEqual(revisions(), [first]);
  assert.equal(revisions().length, 1);
  register({ before: definition(2), now: undefined });
  assert.deepEqual(revisions(), []);
});
