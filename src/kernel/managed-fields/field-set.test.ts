import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  areEqualSets,
  difference,
  differenceBelow,
  fieldsOf,
  FieldSetError,
  intersection,
  isEmpty,
  parseFieldsV1,
  pathText,
  setOfPaths,
  union,
  writeFieldsV1,
  type FieldSet,
} from './field-set.ts';

const element = fc.constantFrom(
  'f:a',
  'f:b',
  'f:',
  'f:.',
  'k:{"name":"a"}',
  'k:{"a":1,"b":"x"}',
  'v:"x"',
  'v:1',
  'i:0',
);
const path = fc.array(element, { minLength: 1, maxLength: 4 });
const paths = fc.array(path, { maxLength: 8 });

/** The naive oracle: sets of paths as texts. */
const textsOf = (set: FieldSet) => new Set([...fieldsOf(set)].map((one) => JSON.stringify(one)));
const texts = (given: readonly (readonly string[])[]) => new Set(given.map((one) => JSON.stringify(one)));

test('union, intersection and difference are those of sets of paths', () => {
  fc.assert(
    fc.property(paths, paths, (a, b) => {
      const left = setOfPaths(a);
      const right = setOfPaths(b);
      assert.deepEqual(textsOf(left), texts(a));
      assert.deepEqual(textsOf(union(left, right)), texts(a).union(texts(b)));
      assert.deepEqual(textsOf(intersection(left, right)), texts(a).intersection(texts(b)));
      assert.deepEqual(textsOf(difference(left, right)), texts(a).difference(texts(b)));
      const isBelow = (one: readonly string[]) => b.some((above) => above.every((part, index) => one[index] === part));
      assert.deepEqual(textsOf(differenceBelow(left, right)), texts(a.filter((one) => !isBelow(one))));
      assert.equal(areEqualSets(left, right), texts(a).symmetricDifference(texts(b)).size === 0);
      assert.equal(isEmpty(difference(left, left)), true);
    }),
  );
});

test('a set that is written as fieldsV1 and read again is the same set', () => {
  fc.assert(
    fc.property(paths, (given) => {
      const set = setOfPaths(given);
      const json: unknown = JSON.parse(JSON.stringify(writeFieldsV1(set)));
      assert.deepEqual(textsOf(parseFieldsV1(json)), texts(given));
      assert.deepEqual(writeFieldsV1(parseFieldsV1(json)), json);
    }),
  );
});

test('the keys of an item have one spelling', () => {
  const json = { 'f:ports': { 'k:{"protocol":"TCP", "port":80}': { '.': {}, 'f:port': {} }, 'v:1.0': {} } };
  assert.deepEqual(writeFieldsV1(parseFieldsV1(json)), {
    'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} }, 'v:1': {} },
  });
});

test('fieldsV1 that is no set of fields is refused with the place', () => {
  const broken: readonly (readonly [unknown, RegExp])[] = [
    [null, /must be an object, not null/],
    [[], /must be an object/],
    [{ 'f:a': 1 }, /f:a: must be an object, not 1/],
    [{ spec: {} }, /"spec" is no path element: use f:NAME/],
    [{ 'f:a': { 'k:{}': {} } }, /f:a: "k:\{\}" is no path element/],
    [{ 'f:a': { 'k:[1]': {} } }, /is no path element/],
    [{ 'f:a': { 'v:': {} } }, /is no path element/],
    [{ 'i:-1': {} }, /is no path element/],
    [{ '.': {} }, /the object as a whole is no field/],
  ];
  for (const [json, message] of broken) {
    assert.throws(
      () => parseFieldsV1(json),
      (error) => error instanceof FieldSetError && message.test(error.message),
    );
  }
  let deep: unknown = {};
  for (let level = 0; level < 1000; level++) deep = { 'f:a': deep };
  assert.throws(() => parseFieldsV1(deep), /nested deeper than 128 levels/);
});

test('paths are written as Kubernetes writes them', () => {
  const written = pathText(['f:spec', 'f:containers', 'k:{"name":"app","port":80}', 'f:args', 'v:"x"', 'i:3']);
  assert.equal(written, '.spec.containers[name="app",port=80].args[="x"][3]');
});
