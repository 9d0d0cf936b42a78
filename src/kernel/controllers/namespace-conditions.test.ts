import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endConditions } from './namespace-conditions.ts';

const noon = '2026-01-01T12:00:00Z';
const later = '2026-01-01T13:00:00Z';
const summarize = (conditions: ReturnType<typeof endConditions>) =>
  conditions.map(({ type, status, message, lastTransitionTime }) => [type, status, message, lastTransitionTime]);

test('the conditions count what is left, cite what was refused, and keep the time of a state that lasts', () => {
  const other = { type: 'Checked', status: 'True' as const };
  const first = endConditions(
    [other],
    {
      remaining: [
        { resource: 'configmaps', finalizers: ['a.b/c', 'a.b/d'] },
        { resource: 'configmaps', finalizers: ['a.b/c'] },
        { resource: 'prices.products.backline.dev', finalizers: [] },
      ],
      refusals: ['Price "x" has begun'],
    },
    noon,
  );
  assert.deepEqual(summarize(first), [
    ['Checked', 'True', undefined, undefined],
    ['NamespaceDeletionContentFailure', 'True', 'Failed to delete 1 objects: Price "x" has begun', noon],
    [
      'NamespaceContentRemaining',
      'True',
      'Some resources are remaining: configmaps has 2 resource instances, prices.products.backline.dev has 1 resource instances',
      noon,
    ],
    [
      'NamespaceFinalizersRemaining',
      'True',
      'Some content in the namespace has finalizers remaining: a.b/c in 2 resource instances, a.b/d in 1 resource instances',
      noon,
    ],
  ]);
  const second = endConditions(first, { remaining: [{ resource: 'configmaps', finalizers: [] }], refusals: [] }, later);
  assert.deepEqual(
    second.map(({ type, status, lastTransitionTime }) => [type, status, lastTransitionTime]),
    [
      ['Checked', 'True', undefined],
      ['NamespaceDeletionContentFailure', 'False', later],
      ['NamespaceContentRemaining', 'True', noon],
      ['NamespaceFinalizersRemaining', 'False', later],
    ],
  );
});

test('of very many refusals a condition cites some and counts the rest', () => {
  const refusals = Array.from({ length: 25 }, (_, index) => `refusal ${index}`);
  const [failure] = endConditions([], { remaining: [], refusals }, noon);
  assert.match(failure?.message ?? '', /^Failed to delete 25 objects: refusal 0; .*; and 22 more$/);
});
