import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Type } from 'typebox';
import { headName } from './builtin/head.ts';
import { defineKind } from './define-kind.ts';
import { liveName, readLiveName, referredFrom } from './live-name.ts';
import { kindRegistry } from './registry.ts';
import { nameProblems } from './schema/names.ts';

const base = {
  group: 'test.backline.dev',
  version: 'v1',
  scope: 'Namespaced',
  description: 'A thing.',
  spec: Type.Object({}),
  released: true,
} as const;
const Plain = defineKind({ ...base, kind: 'Plain', plural: 'plains' });
const Own = defineKind({ ...base, kind: 'Own', plural: 'owns', names: 'namespace' });

const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,4}[a-z0-9])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const object = fc.record({ kind: fc.constantFrom(Plain, Own), namespace: label, name });

test('a live name is parsed back, and Heads of two live objects never have the same name', () => {
  fc.assert(
    fc.property(object, object, (a, b) => {
      const [first, second] = [a, b].map((one) => liveName(one.kind, one.namespace, one.name)) as [string, string];
      assert.deepEqual(readLiveName(a.kind, first), {
        ...(a.kind === Own ? { namespace: a.namespace } : {}),
        name: a.name,
      });
      const isSame = a.kind === b.kind && a.name === b.name && (a.kind === Plain || a.namespace === b.namespace);
      assert.equal(headName(a.kind, first) === headName(b.kind, second), isSame);
      assert.deepEqual(nameProblems('subdomain', headName(a.kind, first)), []);
    }),
  );
});

test('a reference resolves in the namespace that it names, else in that of its object', () => {
  assert.deepEqual([referredFrom('a', 'orders'), referredFrom('a', 'b/orders')], ['a/orders', 'b/orders']);
});

test('kinds whose Heads could have one name are not served together, nor names of no namespace', () => {
  const below = defineKind({ ...base, group: 'test.backline.dev.own', kind: 'Plain', plural: 'plains' });
  assert.doesNotThrow(() => kindRegistry([Plain, Own]));
  const prefix = defineKind({ ...base, group: 'test', kind: 'Plain', plural: 'plains' });
  assert.throws(() => kindRegistry([Plain, prefix]), /Heads of test\/Plain and of test\.backline\.dev\/Plain could/);
  assert.throws(() => kindRegistry([below, Plain]), /could have one name/);
  assert.throws(
    () => defineKind({ ...base, kind: 'A', plural: 'as', scope: 'Cluster', names: 'namespace' }),
    /no names/,
  );
  assert.throws(
    () => defineKind({ ...base, kind: 'A', plural: 'as', released: false, names: 'namespace' }),
    /no names/,
  );
});
