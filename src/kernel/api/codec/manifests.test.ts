import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { decodeManifests } from './manifests.ts';

const FILE = `# plans of the shop
apiVersion: products.backline.dev/v1
kind: Plan
metadata: {name: premium}
spec:
  timeline:
    - from: 2026-01-01
      amount: 10
---
# nothing here
---
apiVersion: v1
kind: List
items:
  - kind: A
    spec:
      x: 1
  - apiVersion: v1
    kind: BList
    items: [{kind: B}]
`;

test('every object of a file is found, lists replaced by their items, with the lines of its fields', () => {
  const manifests = decodeManifests(FILE);
  assert.deepEqual(
    manifests.map(({ value, lineOf }) => [value['kind'], lineOf([])]),
    [
      ['Plan', 2],
      ['A', 15],
      ['B', 20],
    ],
  );
  const [plan, a] = manifests;
  assert.equal(plan?.lineOf(['spec', 'timeline', 0, 'amount']), 8);
  assert.equal(plan?.lineOf(['spec', 'timeline']), 6);
  assert.equal(plan?.lineOf(['spec', 'timeline', 0, 'missing']), 7);
  assert.equal(plan?.lineOf(['spec', 'missing', 'deeper']), 5);
  assert.equal(a?.lineOf(['spec', 'x']), 17);
});

test('JSON files are manifests too', () => {
  const [first] = decodeManifests('\uFEFF{"kind": "A",\n "spec": {"x": 1}}');
  assert.deepEqual(first?.value, { kind: 'A', spec: { x: 1 } });
  assert.equal(first?.lineOf(['spec', 'x']), 2);
});

for (const [name, text, message] of [
  [
    'a key given twice',
    'kind: A\nspec:\n  a: 1\n  a: 2\n',
    'line 3: the key spec.a is given twice; only the last would count',
  ],
  [
    'a document that is no object',
    'kind: A\n---\n- a\n',
    'line 3: a manifest must be an object with apiVersion, kind and metadata',
  ],
  [
    'an item that is no object',
    'kind: List\nitems:\n- a\n',
    'line 3: a manifest must be an object with apiVersion, kind and metadata',
  ],
] as const) {
  test(`a wrong manifest is refused with its line: ${name}`, () => {
    assert.throws(
      () => decodeManifests(text),
      (error) => error instanceof Refusal && error.message === message,
    );
  });
}

test('a file of nothing has no manifests', () => {
  assert.deepEqual(decodeManifests('# empty\n'), []);
  assert.deepEqual(decodeManifests(''), []);
});
