import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliFailure } from '../terminal/failure.ts';
import { tableText } from './get.ts';
import { pathOf, typeNamed, type ResourceType } from '../api/resource-types.ts';

const type = (more: Partial<ResourceType>): ResourceType => ({
  group: 'products.backline.dev',
  version: 'v1',
  kind: 'Plan',
  plural: 'plans',
  singular: 'plan',
  shortNames: [],
  namespaced: true,
  verbs: ['create', 'delete', 'get', 'list', 'watch'],
  ...more,
});

const TYPES = [
  type({}),
  type({
    group: '',
    kind: 'Namespace',
    plural: 'namespaces',
    singular: 'namespace',
    shortNames: ['ns'],
    namespaced: false,
  }),
  type({ group: 'other.example' }),
];

test('a kind is found by each of its names', () => {
  for (const word of [
    'plans',
    'plan',
    'Plan',
    'PLANS',
    'plans.products.backline.dev',
    'plans.v1.products.backline.dev',
  ]) {
    assert.equal(typeNamed(word, TYPES), TYPES[0]);
  }
  assert.equal(typeNamed('ns', TYPES), TYPES[1]);
  assert.equal(typeNamed('plan.other.example', TYPES), TYPES[2]);
});

test('a kind that is not there is refused with the ones that are', () => {
  assert.throws(
    () => typeNamed('plns', TYPES),
    (error) =>
      error instanceof CliFailure &&
      error.message === 'the server has no resource type "plns" (did you mean "plans"?).' &&
      error.remedy === 'It has namespaces, plans.',
  );
});

test('objects are found at the paths of the Kubernetes API', () => {
  assert.equal(pathOf(type({}), 'shop', undefined), '/apis/products.backline.dev/v1/namespaces/shop/plans');
  assert.equal(pathOf(type({}), undefined, undefined), '/apis/products.backline.dev/v1/plans');
  assert.equal(pathOf(type({}), 'a/b', 'c?d'), '/apis/products.backline.dev/v1/namespaces/a%2Fb/plans/c%3Fd');
  assert.equal(
    pathOf(type({ group: '', namespaced: false, plural: 'namespaces' }), 'shop', 'x'),
    '/api/v1/namespaces/x',
  );
});

const TABLE = {
  columnDefinitions: [
    { name: 'Name', priority: 0 },
    { name: 'Rank', priority: 0 },
    { name: 'Notes', priority: 1 },
    { name: 'Age', priority: 0 },
  ],
  rows: [
    { cells: ['premium', 30, 'two\nlines', '3d'], object: { metadata: { name: 'premium', namespace: 'shop' } } },
    { cells: ['free', null, '', '5m'], object: { metadata: { name: 'free', namespace: 'a-long-namespace' } } },
  ],
};

test('tables look as kubectl prints them', () => {
  assert.equal(
    tableText(TABLE, { wide: false, namespaces: false }),
    ['NAME      RANK     AGE', 'premium   30       3d', 'free      <none>   5m'].join('\n'),
  );
  assert.equal(
    tableText(TABLE, { wide: true, namespaces: true }),
    [
      'NAMESPACE          NAME      RANK     NOTES   AGE',
      'shop               premium   30       two     3d',
      'a-long-namespace   free      <none>           5m',
    ].join('\n'),
  );
});
