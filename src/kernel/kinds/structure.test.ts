import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Type } from 'typebox';
import { fieldPath } from '#kernel/base/failures.ts';
import { defineKind } from './define-kind.ts';
import { isObject } from './schema/own.ts';
import { unknownFieldsMax } from './schema/prune.ts';
import { compileSchema, structureOf } from './structure.ts';
import { unknownFieldProblems } from './unknown-fields.ts';

function prune(schema: unknown, value: unknown): [unknown, string[]] {
  const { value: kept, unknown } = compileSchema(schema).prune(value);
  return [kept, unknown.map(fieldPath)];
}

test('unknown fields are removed and named, known ones stay, and the argument is not altered', () => {
  const schema = Type.Object({
    spec: Type.Object({ a: Type.Integer(), list: Type.Array(Type.Object({ b: Type.String() })) }),
    labels: Type.Record(Type.String(), Type.String()),
  });
  const value = { spec: { a: 1, x: 1, list: [{ b: 'b' }, { b: 'b', y: {} }] }, labels: { any: 'key' }, z: null };
  const before = structuredClone(value);
  assert.deepEqual(prune(schema, value), [
    { spec: { a: 1, list: [{ b: 'b' }, { b: 'b' }] }, labels: { any: 'key' } },
    ['spec.x', 'spec.list[1].y', 'z'],
  ]);
  assert.deepEqual(value, before);
});

test('an unknown field is reported with a suggestion or the known fields', () => {
  const condition = Type.Object({ attribute: Type.String(), in: Type.Array(Type.String()) });
  const schema = compileSchema(
    Type.Object({ allOf: Type.Array(condition), labels: Type.Record(Type.String(), condition) }),
  );
  const details = (value: object) =>
    unknownFieldProblems(schema, schema.prune(value).unknown).map(
      ({ path, detail }) => `${fieldPath(path)}: ${detail}`,
    );
  assert.deepEqual(details({ allOf: [{ attribut: 'plan', equals: 'free' }], labels: { x: { is: 1 } }, allof: [] }), [
    'allOf[0].attribut: unknown field (did you mean "attribute"?)',
    'allOf[0].equals: unknown field; there are attribute, in',
    'labels.x.is: unknown field (did you mean "in"?)',
    'allof: unknown field (did you mean "allOf"?)',
  ]);
});

test('a value without unknown fields comes back as the same value', () => {
  const { prune, applyDefaults } = compileSchema(Type.Object({ a: Type.Array(Type.Object({ b: Type.String() })) }));
  const value = { a: [{ b: 'c' }] };
  assert.equal(prune(value).value, value);
  assert.equal(applyDefaults(value), value);
});

test('free-form parts, embedded resources and fields of every alternative are kept', () => {
  const free = { type: 'object', properties: { a: { type: 'object' } }, 'x-kubernetes-preserve-unknown-fields': true };
  assert.deepEqual(prune(free, { a: { x: 1 }, y: { z: 1 } }), [{ a: {}, y: { z: 1 } }, ['a.x']]);
  const embedded = { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } };
  const resource = { apiVersion: 'v1', kind: 'A', metadata: { name: 'a' }, spec: {}, other: 1 };
  assert.deepEqual(prune(embedded, resource)[1], ['other']);
  const union = Type.Union([
    Type.Object({ type: Type.Literal('a'), x: Type.Object({ p: Type.String() }) }),
    Type.Object({ type: Type.Literal('b'), x: Type.Object({ q: Type.String() }) }),
    Type.Array(Type.Object({ r: Type.String() })),
  ]);
  assert.deepEqual(prune(union, { type: 'b', x: { q: '', p: '', s: '' }, u: 1 }), [
    { type: 'b', x: { q: '', p: '' } },
    ['x.s', 'u'],
  ]);
  assert.deepEqual(prune(union, [{ r: '', s: '' }])[1], ['[0].s']);
  assert.deepEqual(prune({}, { a: 1 }), [{ a: 1 }, []]);
  assert.deepEqual(prune(Type.Object({ a: Type.Unknown() }), { a: { b: 1 } }), [{ a: { b: 1 } }, []]);
});

test('hostile keys are pruned like others and never reach a prototype', () => {
  const value = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"x":1},"a":{"__proto__":{"b":1,"c":2}}}');
  const schema = {
    type: 'object',
    properties: { a: { type: 'object', additionalProperties: Type.Object({ b: Type.Integer() }) } },
  };
  const [kept, unknown] = prune(schema, value);
  assert.deepEqual(unknown, ['__proto__', 'constructor', 'a.__proto__.c']);
  assert.equal(JSON.stringify(kept), '{"a":{"__proto__":{"b":1}}}');
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  const deep = compileSchema({
    type: 'object',
    properties: { a: { type: 'string', default: 'x' } },
    additionalProperties: { type: 'object', properties: { n: { type: 'integer', default: 1 } } },
  });
  assert.equal(JSON.stringify(deep.applyDefaults(JSON.parse('{"__proto__":{}}'))), '{"__proto__":{"n":1},"a":"x"}');
});

test('the number of named unknown fields is limited, and all are removed', () => {
  const value = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, 1]));
  const [kept, unknown] = prune({ type: 'object' }, value);
  assert.deepEqual(kept, {});
  assert.equal(unknown.length, unknownFieldsMax);
});

test('defaults fill what is absent, and what is null where null is not allowed', () => {
  const { applyDefaults } = compileSchema({
    type: 'object',
    properties: {
      foo: { type: 'string', nullable: false, default: 'default' },
      bar: { type: 'string', nullable: true },
      baz: { type: 'string' },
      nested: { type: 'object', default: {}, properties: { n: { type: 'integer', default: 1 } } },
      list: {
        type: 'array',
        items: { type: 'object', default: { n: 7 }, properties: { n: { type: 'integer', default: 1 } } },
      },
      map: {
        type: 'object',
        additionalProperties: { type: 'object', properties: { n: { type: 'integer', default: 1 } } },
      },
      optional: { type: 'object', properties: { n: { type: 'integer', default: 1 } } },
    },
  });
  // The example of the Kubernetes documentation on nullable and defaulting.
  assert.deepEqual(applyDefaults({ foo: null, bar: null, baz: null }), { foo: 'default', bar: null, nested: { n: 1 } });
  assert.deepEqual(applyDefaults({ list: [{}, null], map: { a: {}, b: null }, nested: { n: 2 } }), {
    foo: 'default',
    nested: { n: 2 },
    list: [{ n: 1 }, { n: 7 }],
    map: { a: { n: 1 } },
  });
});

test('a default is never shared between two objects', () => {
  const { applyDefaults } = compileSchema({ type: 'object', properties: { tags: { type: 'array', default: ['a'] } } });
  const first = applyDefaults({});
  assert.ok(isObject(first) && Array.isArray(first['tags']));
  first['tags'].push('b');
  assert.deepEqual(applyDefaults({}), { tags: ['a'] });
});

test('the structure of a kind has its metadata, spec, fields and status, and demands its spec', () => {
  const kind = defineKind({
    group: 'x.example',
    version: 'v1',
    kind: 'Thing',
    plural: 'things',
    scope: 'Namespaced',
    description: 'A thing.',
    spec: Type.Object({ size: Type.Integer() }),
    fields: { data: Type.Optional(Type.Record(Type.String(), Type.String())) },
    status: Type.Object({ seen: Type.Boolean() }),
  });
  const structure = structureOf(kind);
  assert.equal(structureOf(kind), structure);
  const object = {
    apiVersion: 'x.example/v1',
    kind: 'Thing',
    metadata: { name: 'a', labels: { a: 'b' }, odd: 1 },
    spec: { size: 1 },
    odd: 1,
  };
  assert.deepEqual(structure.prune(object).unknown.map(fieldPath), ['metadata.odd', 'odd']);
  assert.deepEqual(
    structure.validate({ ...object, spec: undefined }).map(({ path }) => fieldPath(path)),
    ['spec'],
  );
  assert.deepEqual(
    structure
      .validate({ ...object, metadata: { labels: { a: 1 }, creationTimestamp: null } })
      .map(({ path }) => fieldPath(path)),
    ['metadata.labels.a'],
  );
});

const leaf = fc.oneof(
  fc.constant<object>({ type: 'string' }),
  fc.constant({ type: 'integer', default: 3 }),
  fc.constant({ type: 'string', nullable: true }),
  fc.constant({ type: 'boolean', default: false }),
  fc.constant({ type: 'string', enum: ['a', 'b'], default: 'a' }),
  fc.constant({}),
);
const { schema: schemas } = fc.letrec<{ schema: object }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    tie('schema').map((items) => ({ type: 'array', items })),
    tie('schema').map((additionalProperties) => ({ type: 'object', additionalProperties })),
    fc
      .dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema'), { maxKeys: 3, noNullPrototype: true })
      .map((properties) => ({ type: 'object', properties })),
  ),
}));
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>('a', 'b', 1, true, null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'constructor'), tie('value'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
})).value;

/** A naive definition of pruning, without paths, copies on write or compilation. */
function naivePrune(schema: Readonly<Record<string, unknown>>, value: unknown): unknown {
  const { type, properties = {}, additionalProperties, items } = schema;
  if (type === 'array' && Array.isArray(value))
    return isObject(items) ? value.map((item) => naivePrune(items, item)) : value;
  if (type !== 'object' || !isObject(value) || !isObject(properties)) return value;
  const kept = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const known = Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
    return isObject(known) ? [[key, naivePrune(known, child)]] : [];
  });
  return Object.fromEntries(kept);
}

test('pruning matches its naive definition and is idempotent', () => {
  fc.assert(
    fc.property(schemas, values, (schema, value) => {
      const { prune } = compileSchema(schema);
      const once = prune(value);
      assert.deepEqual(once.value, naivePrune({ ...schema }, value));
      const twice = prune(once.value);
      assert.deepEqual(twice, { value: once.value, unknown: [] });
      assert.equal(once.unknown.length === 0, once.value === value);
    }),
  );
});

test('defaulting is idempotent, and keeps valid and pruned values valid and pruned', () => {
  fc.assert(
    fc.property(schemas, values, (schema, value) => {
      const { prune, applyDefaults, validate } = compileSchema(schema);
      const { value: kept } = prune(value);
      const filled = applyDefaults(kept);
      assert.equal(applyDefaults(filled), filled);
      assert.deepEqual(prune(filled).unknown, []);
      if (validate(kept).length === 0) assert.deepEqual(validate(filled), []);
    }),
  );
});

test('an object with too many unknown fields is refused early', () => {
  const { prune } = compileSchema(Type.Object({ a: Type.Optional(Type.Object({ b: Type.String() })) }));
  let looks = 0;
  const keys = ['a', ...Array.from({ length: 600_000 }, (_, index) => `x${index}`)];
  const value = { a: { b: '' } };
  const many = new Proxy(value, {
    ownKeys: () => keys,
    getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true, value: '' }),
    get: (_, key) => {
      looks += 1;
      return Reflect.get(value, key);
    },
  });
  assert.throws(() => prune(many), /more than 10000 unknown fields; the first is "x0"/);
  assert.ok(looks < 10, String(looks));
  const some = Object.fromEntries([['a', { b: '', c: 1 }], ...keys.slice(1, 10_000).map((key) => [key, 1])]);
  assert.deepEqual(prune(some).value, { a: { b: '' } });
});
