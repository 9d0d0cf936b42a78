import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import { ConfigMap, Namespace } from '#kernel/kinds/builtin/core.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { Node } from '../testing/node.ts';
import { addProblems, inOrder, itemsIn } from './change-set-items.ts';
import { ChangeSet } from './change-set.ts';

const kinds = kindRegistry([ConfigMap, Node, Namespace, ChangeSet]);
const map = (name: unknown, namespace?: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...(name === undefined ? {} : { name }), ...(namespace === undefined ? {} : { namespace }) },
});
const node = (name: string, spec: object = { needs: [], value: 0, neighbourMax: 9 }) => ({
  apiVersion: 'test.backline.dev/v1',
  kind: 'Node',
  metadata: { name },
  spec,
});
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };

const readItems = (...objects: object[]) => itemsIn({ spec: { objects, defaultNamespace: 'here' } }, kinds);

test('an object is where it says, or in the default namespace; one of the cluster is in none', () => {
  const { items, problems } = readItems(map('a'), map('a', 'there'), node('n'));
  assert.deepEqual(problems, []);
  assert.deepEqual(
    items.map((one) => [one.kind.kind, one.namespace, one.name, one.object.metadata.namespace]),
    [
      ['ConfigMap', 'here', 'a', 'here'],
      ['ConfigMap', 'there', 'a', 'there'],
      ['Node', '', 'n', undefined],
    ],
  );
});

const WRONG: readonly (readonly [title: string, objects: readonly object[], path: string, detail: RegExp])[] = [
  [
    'an unknown kind',
    [{ ...node('n'), kind: 'Nod' }],
    'objects[0]',
    /no kind "Nod" in version "test.backline.dev\/v1"/,
  ],
  ['another version', [{ ...node('n'), apiVersion: 'v7' }], 'objects[0]', /no kind "Node" in version "v7"/],
  [
    'a change set in a change set',
    [{ ...node('n'), apiVersion: ChangeSet.apiVersion, kind: 'ChangeSet' }],
    'objects[0]',
    /no kind "ChangeSet"/,
  ],
  ['no name', [node('n'), map(undefined)], 'objects[1].metadata.name', /Required/],
  ['an empty name', [map('')], 'objects[0].metadata.name', /Required/],
  ['a name that is a number', [map(7)], 'objects[0].metadata.name', /Required/],
  ['the same twice', [map('a'), node('n'), map('a', 'here')], 'objects[2]', /declared twice: also as objects\[0\]/],
];

for (const [title, objects, path, detail] of WRONG) {
  test(`a change set says where it is wrong: ${title}`, () => {
    const { problems } = readItems(...objects);
    assert.deepEqual(
      problems.map((one) => fieldPath(one.path)),
      [path],
    );
    assert.match(problems[0]?.detail ?? '', detail);
  });
}

test('a problem in the content of an object names its position', () => {
  const [, item] = readItems(map('a'), node('n', { needs: 'all', value: 0, neighbourMax: 9 })).items;
  assert.ok(item !== undefined);
  const problems: Parameters<typeof addProblems>[1] = [];
  addProblems(item, problems);
  assert.deepEqual(
    problems.map((one) => fieldPath(one.path)),
    ['objects[1].spec.needs'],
  );
});

test('namespaces are written first, then each kind as it is declared, and objects of a kind in their order', () => {
  const { items } = readItems(node('b'), map('z'), namespace, node('a'), map('y'));
  assert.deepEqual(
    inOrder(items, kinds).map(({ kind, name }) => `${kind.kind} ${name}`),
    ['Namespace shop', 'ConfigMap z', 'ConfigMap y', 'Node b', 'Node a'],
  );
});
