import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import { structuralProblems } from './structural.ts';

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });
const textsOf = (schema: object) =>
  structuralProblems(schema as Readonly<Record<string, unknown>>, []).map(
    ({ path, detail }) => `${fieldPath(path)}: ${detail}`,
  );

test('a schema that is not structural is refused with the path and the rule, as by kube-apiserver', () => {
  const cases: readonly (readonly [string, object, string])[] = [
    ['no type at the root', {}, 'type: Required value: must not be empty at the root'],
    ['another type at the root', { type: 'array', items: { type: 'string' } }, 'must be object at the root'],
    [
      'a field without a type',
      object({ a: {} }),
      'properties.a.type: Required value: must not be empty for specified object fields',
    ],
    [
      'an item without a type',
      object({ a: { type: 'array', items: {} } }),
      'properties.a.items.type: Required value: must not be empty for specified array items',
    ],
    [
      'a field that only a rule names',
      object({}, { anyOf: [{ properties: { b: { minimum: 1 } } }] }),
      'properties.b: Required value: because it is defined in anyOf[0].properties.b',
    ],
    [
      'a type within a rule',
      object({ a: { type: 'string' } }, { allOf: [{ properties: { a: { type: 'string' } } }] }),
      'allOf[0].properties.a.type: Forbidden: must be empty to be structural',
    ],
    [
      'fields beside any fields',
      object({ a: { type: 'object', properties: {}, additionalProperties: { type: 'string' } } }),
      'mutual exclusive',
    ],
    [
      'any fields at the root',
      { type: 'object', additionalProperties: { type: 'string' } },
      'must not be used at the root',
    ],
    ['a reference', object({ a: { type: 'object', $ref: '#/definitions/x' } }), '$ref is not supported'],
    [
      'unique items',
      object({ a: { type: 'array', uniqueItems: true, items: { type: 'string' } } }),
      'becomes quadratic',
    ],
    [
      'metadata with more than names',
      object({ metadata: object({ labels: { type: 'object' } }) }),
      'must not specify anything other than name and generateName',
    ],
    [
      'a resource that is no object',
      object({ a: { type: 'string', 'x-kubernetes-embedded-resource': true } }),
      'must be object if x-kubernetes-embedded-resource is true',
    ],
    [
      'a resource without fields',
      object({ a: { type: 'object', 'x-kubernetes-embedded-resource': true } }),
      'must not be empty if x-kubernetes-embedded-resource is true',
    ],
    [
      'a map list without keys',
      object({ a: { type: 'array', 'x-kubernetes-list-type': 'map', items: object({}) } }),
      'must not be empty if x-kubernetes-list-type is map',
    ],
    [
      'a key that may be absent',
      object({
        a: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['n'],
          items: object({ n: { type: 'string' } }),
        },
      }),
      'must have a default or be a required property',
    ],
    [
      'an integer or string with a type',
      object({ a: { type: 'string', 'x-kubernetes-int-or-string': true } }),
      'must be empty if x-kubernetes-int-or-string is true',
    ],
  ];
  for (const [name, schema, text] of cases) {
    const found = textsOf(schema);
    assert.ok(
      found.some((one) => one.includes(text)),
      `${name}: ${found.join('; ')}`,
    );
  }
});

test('a structural schema has no problems', () => {
  const schema = object({
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: object({ name: { type: 'string', pattern: '^a' } }),
    spec: object(
      {
        a: { type: 'string' },
        port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
        all: {
          'x-kubernetes-int-or-string': true,
          allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, { minimum: 1 }],
        },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
        map: { type: 'object', additionalProperties: { type: 'integer' } },
        list: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['n'],
          items: object({ n: { type: 'string' } }, { required: ['n'] }),
        },
      },
      { oneOf: [{ required: ['a'] }, { properties: { map: { maxProperties: 1 } } }], not: { required: ['any'] } },
    ),
  });
  assert.deepEqual(textsOf(schema), []);
});
