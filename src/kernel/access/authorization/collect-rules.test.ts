import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { ObjectSelector } from '#kernel/api/codec/requirements.ts';
import { outdatedRoles } from './collect-rules.ts';

const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });

function role(
  name: string,
  labels: Record<string, string>,
  resources: string[],
  collects?: ObjectSelector[],
): ResourceObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, labels },
    rules: resources.map(rule),
    ...(collects === undefined ? {} : { aggregationRule: { clusterRoleSelectors: collects } }),
  };
}

/** Required rules of the collecting roles that are out of date, by name. */
function requiredRules(...roles: ResourceObject[]): Record<string, string[]> {
  return Object.fromEntries(
    outdatedRoles(roles).map(({ role, rules }) => [
      role.metadata.name,
      rules.flatMap(({ resources = [] }) => resources),
    ]),
  );
}

test('a role collects the rules of the roles that its selectors choose, also indirectly, once each', () => {
  const view = role('view', { to: 'edit' }, [], [{ matchLabels: { to: 'view' } }]);
  const edit = role('edit', {}, [], [{ matchLabels: { to: 'edit' } }]);
  const plans = role('plans', { to: 'view' }, ['plans']);
  const both = role('prices', { to: 'edit' }, ['prices', 'plans']);
  assert.deepEqual(requiredRules(view, edit, plans, both), { edit: ['prices', 'plans'], view: ['plans'] });
  const kept = { ...view, rules: [rule('plans')] };
  assert.deepEqual(Object.keys(requiredRules(kept, edit, plans, both)), ['edit']);
  assert.deepEqual(requiredRules(kept, plans), {});
  assert.deepEqual(requiredRules(kept), { view: [] });
});

test('roles that collect from each other end with the same rules', () => {
  const a = role('a', { at: 'a' }, [], [{ matchLabels: { at: 'b' } }, { matchLabels: { at: 'leaf' } }]);
  const b = role('b', { at: 'b' }, [], [{ matchLabels: { at: 'a' } }]);
  const leaf = role('leaf', { at: 'leaf' }, ['plans']);
  assert.deepEqual(requiredRules(a, b, leaf), { a: ['plans'], b: ['plans'] });
});

test('selectors choose by expressions as well, and an empty one chooses all others', () => {
  const roles = [
    role('one', { tier: 'gold' }, ['one']),
    role('two', { tier: 'tin' }, ['two']),
    role('three', {}, ['three']),
  ];
  const cases: [NonNullable<ObjectSelector['matchExpressions']>[number], string[]][] = [
    [{ key: 'tier', operator: 'In', values: ['gold', 'silver'] }, ['one']],
    [{ key: 'tier', operator: 'NotIn', values: ['gold'] }, ['three', 'two']],
    [{ key: 'tier', operator: 'Exists' }, ['one', 'two']],
    [{ key: 'tier', operator: 'DoesNotExist' }, ['three']],
  ];
  for (const [expression, expected] of cases) {
    assert.deepEqual(requiredRules(...roles, role('all', {}, [], [{ matchExpressions: [expression] }])), {
      all: expected,
    });
  }
  assert.deepEqual(requiredRules(...roles, role('all', {}, [], [{}])), { all: ['one', 'three', 'two'] });
  assert.deepEqual(requiredRules(...roles, role('all', {}, [], [])), {});
});
