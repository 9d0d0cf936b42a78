import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import { defineKind } from './define-kind.ts';
import type { ObjectMeta } from './kind.ts';
import { annotationBytesMax, validateMetadata } from './metadata.ts';

const common = { version: 'v1', description: '' } as const;
const Thing = defineKind({ ...common, group: 'x.example', kind: 'Thing', plural: 'things', scope: 'Namespaced' });
const Namespace = defineKind({ ...common, group: '', kind: 'Namespace', plural: 'namespaces', scope: 'Cluster' });
const Role = defineKind({
  ...common,
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  scope: 'Cluster',
});

function messages(metadata: object, kind = Thing): string[] {
  const complete = { name: 'a', ...(kind.namespaced ? { namespace: 'default' } : {}), ...metadata } as ObjectMeta;
  return validateMetadata(kind, complete).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
}

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const owner = { apiVersion: 'v1', kind: 'A', name: 'a', uid: '1' };

const CASES: readonly [name: string, metadata: object, expected: readonly string[]][] = [
  ['a subdomain', { name: 'a.b-c.9' }, []],
  ['no name', { name: undefined }, ['metadata.name: Required value: name or generateName is required']],
  ['a generated name', { name: undefined, generateName: 'a-' }, []],
  [
    'a bad start of a generated name',
    { name: undefined, generateName: 'A-' },
    [`metadata.generateName: Invalid value: "A-": ${SUBDOMAIN}`],
  ],
  ['capitals', { name: 'Premium' }, [`metadata.name: Invalid value: "Premium": ${SUBDOMAIN}`]],
  ['253 characters', { name: 'a'.repeat(253) }, []],
  [
    '254 characters',
    { name: 'a'.repeat(254) },
    [`metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 characters`],
  ],
  ['no namespace', { namespace: '' }, ['metadata.namespace: Required value']],
  ['a bad namespace', { namespace: 'a.b' }, [`metadata.namespace: Invalid value: "a.b": ${LABEL}`]],
  ['labels', { labels: { a: '', 'example.com/B_c': 'X.y_z', [`${'a'.repeat(253)}/b`]: 'c' } }, []],
  [
    'a label key with a space',
    { labels: { 'a b': 'c' } },
    [`metadata.labels: Invalid value: "a b": name part ${QUALIFIED}`],
  ],
  [
    'a label key with a bad domain',
    { labels: { 'A/b': 'c' } },
    [`metadata.labels: Invalid value: "A/b": prefix part ${SUBDOMAIN}`],
  ],
  [
    'a label key with an empty domain',
    { labels: { '/b': 'c' } },
    ['metadata.labels: Invalid value: "/b": prefix part must be non-empty'],
  ],
  [
    'a label key with two slashes',
    { labels: { 'a/b/c': 'd' } },
    [
      `metadata.labels: Invalid value: "a/b/c": a qualified name ${QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ],
  ],
  [
    'a long label key',
    { labels: { ['a'.repeat(64)]: 'c' } },
    [`metadata.labels: Invalid value: "${'a'.repeat(64)}": name part must be no more than 63 characters`],
  ],
  ['a bad label value', { labels: { a: 'b c' } }, [`metadata.labels.a: Invalid value: "b c": ${VALUE}`]],
  [
    'a long label value',
    { labels: { a: 'b'.repeat(64) } },
    [`metadata.labels.a: Invalid value: "${'b'.repeat(64)}": must be no more than 63 characters`],
  ],
  ['an annotation in capitals', { annotations: { 'Example.COM/A': 'any text\n' } }, []],
  [
    'a bad annotation',
    { annotations: { 'a b': '' } },
    [`metadata.annotations: Invalid value: "a b": name part ${QUALIFIED}`],
  ],
  ['annotations at the limit', { annotations: { a: 'b'.repeat(annotationBytesMax - 1) } }, []],
  [
    'annotations beyond it',
    { annotations: { a: 'é'.repeat(annotationBytesMax / 2) } },
    ['metadata.annotations: Too long: must have at most 262144 bytes'],
  ],
  ['finalizers', { finalizers: ['example.com/a', 'foregroundDeletion', 'plain'] }, []],
  [
    'a bad finalizer',
    { finalizers: ['a', 'a b'] },
    [`metadata.finalizers[1]: Invalid value: "a b": name part ${QUALIFIED}`],
  ],
  [
    'finalizers that exclude each other',
    { finalizers: ['orphan', 'foregroundDeletion'] },
    [
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ],
  ],
  ['owners', { ownerReferences: [owner, { ...owner, uid: '2', controller: true }] }, []],
  [
    'an empty owner',
    { ownerReferences: [{ apiVersion: '', kind: '', name: '', uid: '' }] },
    [
      'metadata.ownerReferences[0].apiVersion: Invalid value: "": version must not be empty',
      'metadata.ownerReferences[0].kind: Invalid value: "": kind must not be empty',
      'metadata.ownerReferences[0].name: Invalid value: "": name must not be empty',
      'metadata.ownerReferences[0].uid: Invalid value: "": uid must not be empty',
    ],
  ],
  ['metadata of a wrong shape is left to the schema', { labels: 'x', finalizers: [1], ownerReferences: {} }, []],
];

for (const [name, metadata, expected] of CASES) {
  test(`metadata is validated as in Kubernetes: ${name}`, () => {
    assert.deepEqual(messages(metadata), expected);
  });
}

test('two controllers of one object are refused', () => {
  const [message = ''] = messages({
    ownerReferences: [
      { ...owner, controller: true },
      { ...owner, uid: '2', controller: true },
    ],
  });
  assert.match(message, /Only one reference can have Controller set to true\. Found "true" in references for a and a$/);
});

test('each kind has its form of names', () => {
  assert.deepEqual(messages({ name: 'a.b' }, Namespace), [`metadata.name: Invalid value: "a.b": ${LABEL}`]);
  assert.deepEqual(messages({ namespace: 'default' }, Namespace), [
    'metadata.namespace: Forbidden: not allowed on this type',
  ]);
  assert.deepEqual(messages({ finalizers: ['plain'] }, Namespace), [
    'metadata.finalizers[0]: Invalid value: "plain": name is neither a standard finalizer name nor is it fully qualified',
  ]);
  assert.deepEqual(messages({ name: 'system:Admin' }, Role), []);
  assert.deepEqual(messages({ name: 'a/b%' }, Role), [
    'metadata.name: Invalid value: "a/b%": may not contain \'/\'',
    'metadata.name: Invalid value: "a/b%": may not contain \'%\'',
  ]);
});
