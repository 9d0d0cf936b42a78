import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atOnce } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { CompactObject } from '#kernel/snapshots/compact-object.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allKinds } from '#planes/catalogue.ts';
import { Node } from '../testing/node.ts';
import { checkLive } from './check-live.ts';

const UNREADABLE = 'not JSON';

/** Names of the Nodes that are at fault. */
function faultsOf(kind: Kind, specs: Readonly<Record<string, object>>, unreadable: readonly string[] = []): string[] {
  const kinds = kindRegistry([kind]);
  const live = new LiveObjects(kinds);
  const objectOf = (name: string, spec: object) => ({
    kind: kind.id,
    namespace: '',
    name,
    labels: {},
    spec,
    revision: 'r',
  });
  for (const [name, spec] of Object.entries(specs))
    live.set(new CompactObject(objectOf(name, spec), JSON.stringify(spec)));
  for (const name of unreadable) live.set(new CompactObject(objectOf(name, {}), UNREADABLE, []));
  return Array.from(atOnce(checkLive(live, kinds, kinds.all, () => true)).values(), ({ name }) => name);
}

const specs = {
  sound: { needs: [], value: 1, neighbourMax: 9 },
  lonely: { needs: ['nobody'], value: 1, neighbourMax: 9 },
  beside: { needs: ['sound'], value: 1, neighbourMax: 0 },
};

test('an object that refers to nothing, and is checked by its references alone, is not read', () => {
  const kind: Kind = { ...Node, checksReferencesOnly: true };
  assert.deepEqual(faultsOf(kind, specs, ['unreadable']), ['lonely', 'beside']);
});

test('an object in which a check may find something without a reference is read', () => {
  assert.deepEqual(faultsOf(Node, specs, ['unreadable']), ['lonely', 'beside', 'unreadable']);
  const never: Kind = { ...Node, check: () => [{ path: [], reason: 'FieldValueInvalid', detail: 'never' }] };
  assert.deepEqual(faultsOf(never, specs), Object.keys(specs));
});

test('kinds that say so find nothing in what refers to nothing', () => {
  const found = allKinds().all.filter((kind) => kind.checksReferencesOnly === true);
  assert.ok(found.length > 0);
  const empty = new LiveObjects(allKinds());
  for (const { id, check, refs, example } of found) {
    const spec = structuredClone(example?.spec);
    assert.deepEqual([id, refs?.(spec, 'default'), check?.(spec, empty, 'other')], [id, [], []]);
  }
});
