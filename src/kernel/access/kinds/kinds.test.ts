import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { accessKinds } from '../access.ts';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from './rbac.ts';
import { Secret } from './secret.ts';

function problems(kind: Kind, fields: object, before?: object): string[] {
  const whole = (content: object): ResourceObject => ({
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: 'x', ...(kind.namespaced ? { namespace: 'default' } : {}) },
    ...content,
  });
  const prepare = (content: object) => kind.prepare?.(whole(content)) ?? whole(content);
  const object = prepare(fields);
  const found = structureOf(kind).validate(object);
  const all = found.length > 0 ? found : (kind.validateObject?.(object, before && prepare(before)) ?? []);
  return all.map(({ path }) => fieldPath(path));
}

test('the examples of the kinds are valid', () => {
  for (const kind of accessKinds) {
    if (kind.example === undefined) continue;
    const { fields = {}, spec } = kind.example;
    assert.deepEqual(problems(kind, { ...fields, ...(spec === undefined ? {} : { spec }) }), [], kind.id);
  }
});

test('a rule names resources or paths, and paths are not in namespaces', () => {
  const paths = { verbs: ['get'], nonResourceURLs: ['/apis'] };
  const plans = { verbs: ['get'], apiGroups: [''], resources: ['plans'] };
  assert.deepEqual(problems(ClusterRole, { rules: [paths, plans] }), []);
  assert.deepEqual(problems(Role, { rules: [plans, paths] }), ['rules[1].nonResourceURLs']);
  assert.deepEqual(problems(ClusterRole, { rules: [{ ...paths, ...plans }] }), ['rules[0].nonResourceURLs']);
  assert.deepEqual(problems(Role, { rules: [{ verbs: [] }] }), [
    'rules[0].verbs',
    'rules[0].apiGroups',
    'rules[0].resources',
  ]);
  assert.deepEqual(problems(Role, { rules: null }), []);
  assert.deepEqual(problems(Role, { rules: [{ resources: ['plans'] }] }), ['rules[0].verbs']);
});

test('a binding keeps its role, and names subjects of known kinds', () => {
  const roleRef = { kind: 'ClusterRole', name: 'view' };
  const user = { kind: 'User', name: 'ann' };
  assert.deepEqual(problems(RoleBinding, { roleRef, subjects: [user] }), []);
  assert.deepEqual(problems(RoleBinding, { roleRef, subjects: [] }, { roleRef: { ...roleRef, name: 'edit' } }), [
    'roleRef',
  ]);
  assert.deepEqual(problems(RoleBinding, { roleRef: { ...roleRef, apiGroup: 'other' } }), ['roleRef.apiGroup']);
  assert.deepEqual(problems(RoleBinding, { roleRef, subjects: [{ ...user, apiGroup: 'other' }] }), [
    'subjects[0].apiGroup',
  ]);
  assert.deepEqual(problems(RoleBinding, { roleRef, subjects: [{ kind: 'Robot', name: 'r' }] }), ['subjects[0].kind']);
  const robot = { kind: 'ServiceAccount', name: 'robot' };
  assert.deepEqual(problems(RoleBinding, { roleRef, subjects: [robot] }), ['subjects[0].namespace']);
  assert.deepEqual(problems(ClusterRoleBinding, { roleRef: { kind: 'Role', name: 'x' } }), ['roleRef.kind']);
  assert.deepEqual(problems(RoleBinding, { subjects: [user] }), ['roleRef']);
});

test('texts of a secret become data, and the schema refuses wrong shapes', () => {
  const prepareSecret = (content: object) =>
    Secret.prepare?.({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, ...content });
  const merged = prepareSecret({ data: { a: 'YQ==', b: 'Yg==' }, stringData: { b: 'ß' } });
  assert.deepEqual([merged?.['data'], merged?.['stringData']], [{ a: 'YQ==', b: 'w58=' }, undefined]);
  assert.deepEqual(prepareSecret({ stringData: null })?.['data'], undefined);
  for (const wrong of [
    { stringData: 'a' },
    { stringData: { a: 1 } },
    { stringData: ['a'] },
    { data: 'a', stringData: { a: 'b' } },
  ]) {
    assert.equal(problems(Secret, wrong).length, 1, JSON.stringify(wrong));
  }
  assert.deepEqual(problems(Secret, { data: { 'a/b': '' } }), ['data[a/b]']);
  assert.deepEqual(problems(Secret, { stringData: { a: 'x'.repeat(1024 * 1024 + 1) } }), ['data']);
  assert.deepEqual(problems(Secret, { type: 'b' }, { type: 'a' }), ['type']);
  assert.deepEqual(problems(Secret, { immutable: true, data: { a: '' } }, { immutable: true }), ['data']);
});
