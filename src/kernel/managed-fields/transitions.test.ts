import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { test } from 'node:test';
import fc from 'fast-check';
import { difference, fieldsOf, intersection, isEmpty, union, EMPTY, type FieldSet } from './field-set.ts';
import type { FieldType } from './field-type.ts';
import { structs, typedValues } from './testing/arbitraries.ts';
import { applyObject, areEqualManagers, updateManagers, type Managers, type Versions } from './transitions.ts';
import { compareValues, isSame, mergeValues, removeFields, setOfObject, withStructs } from './values.ts';

const NOBODY: Managers = new Map();

function oneVersion(type: FieldType): Versions {
  return { typeOf: (version) => (version === 'v1' ? type : undefined), convert: (object) => object };
}

const pathsOf = (set: FieldSet) => new Set([...fieldsOf(set)].map((path) => path.join('/')));

/** A type, and objects of it. */
const objects = structs(typedValues(2)).chain(({ type, value }) =>
  fc.record({ type: fc.constant(type), objects: fc.array(value, { minLength: 3, maxLength: 5 }) }),
);

function apply(
  type: FieldType,
  write: { live: unknown; object: unknown; manager: string; managers: Managers },
  force = true,
) {
  const result = applyObject({ ...write, version: 'v1' }, force, oneVersion(type));
  assert.ok('object' in result);
  return result;
}

test('what is applied is in the object afterwards, and owned', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [live, first, second] }) => {
      const once = apply(type, { live, object: first, manager: 'a', managers: NOBODY });
      const twice = apply(type, { live: once.object, object: second, manager: 'a', managers: once.managers });
      const set = setOfObject(type, second);
      assert.deepEqual(pathsOf(twice.managers.get('a')?.fields ?? EMPTY), pathsOf(set));
      // Every applied field has its applied value.
      const { added, modified } = compareValues(type, twice.object, mergeValues(type, twice.object, second));
      assert.ok(isEmpty(added) && isEmpty(modified));
    }),
  );
});

test('an apply that is repeated changes nothing', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [live, first, second] }) => {
      const other = apply(type, { live, object: first, manager: 'b', managers: NOBODY });
      const once = apply(type, { ...other, live: other.object, object: second, manager: 'a' });
      const again = applyObject(
        { live: once.object, object: second, version: 'v1', manager: 'a', managers: once.managers },
        false,
        oneVersion(type),
      );
      assert.ok('object' in again);
      assert.deepEqual(again.object, once.object);
      assert.ok(areEqualManagers(again.managers, once.managers));
    }),
  );
});

test('a field leaves an object only with its last owner, and one that nobody owned stays', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [live, first, second, third] }) => {
      const one = apply(type, { live, object: first, manager: 'a', managers: NOBODY });
      const two = apply(type, { ...one, live: one.object, object: second, manager: 'b' });
      const after = apply(type, { ...two, live: two.object, object: third ?? {}, manager: 'a' });
      const { removed: lost, modified } = compareValues(type, two.object, after.object);
      const last = withStructs(type, two.managers.get('a')?.fields ?? EMPTY);
      const othersOwn = after.managers.get('b')?.fields ?? EMPTY;
      assert.ok(isEmpty(intersection(lost, othersOwn)), 'a field of another manager is gone');
      // Everything that goes was owned by the applier, or stood below an entry that was, or below a value that is another now.
      const reasons = union(last, modified);
      for (const path of fieldsOf(lost)) {
        const isOwned = path.some((_, index) => hasPath(reasons, path.slice(0, index + 1)));
        assert.ok(isOwned, `${path.join('/')} is gone, and its applier never owned it`);
      }
    }),
  );
});

function hasPath(set: FieldSet, path: readonly string[]): boolean {
  const found = path.reduce<FieldSet | undefined>((at, element) => at?.children.get(element), set);
  return found?.isMember === true;
}

test('who applies without force changes no field that another owns', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [live, first, second] }) => {
      const one = apply(type, { live, object: first, manager: 'a', managers: NOBODY });
      const write = { live: one.object, object: second, version: 'v1', manager: 'b', managers: one.managers };
      const result = applyObject(write, false, oneVersion(type));
      const forced = apply(type, write);
      const { added, modified } = compareValues(type, one.object, forced.object);
      const taken = intersection(one.managers.get('a')?.fields ?? EMPTY, union(added, modified));
      assert.equal('conflicts' in result, !isEmpty(taken));
      if ('conflicts' in result) {
        assert.deepEqual(
          result.conflicts.map(({ manager, fields }) => [manager, pathsOf(fields)]),
          [['a', pathsOf(taken)]],
        );
        // Force takes exactly these away from their owner.
        const left = pathsOf(forced.managers.get('a')?.fields ?? EMPTY);
        assert.ok(pathsOf(taken).isDisjointFrom(left));
      }
    }),
  );
});

test('an update owns what it changed, and takes it from everybody else', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [live, first, second] }) => {
      const before = apply(type, { live, object: first, manager: 'a', managers: NOBODY });
      const { managers } = updateManagers(
        { live: before.object, object: second, version: 'v1', manager: 'u', managers: before.managers },
        oneVersion(type),
      );
      const { added, modified, removed } = compareValues(type, before.object, second);
      const changed = union(added, modified);
      assert.deepEqual(pathsOf(managers.get('u')?.fields ?? EMPTY), pathsOf(changed));
      const owned = before.managers.get('a')?.fields ?? EMPTY;
      const expected = difference(difference(owned, changed), removed);
      assert.deepEqual(pathsOf(managers.get('a')?.fields ?? EMPTY), pathsOf(expected));
    }),
  );
});

test('two values have no differences exactly when they are the same but for the order of items', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [a, b] }) => {
      assert.ok(isSame(compareValues(type, a, a)));
      const sortItems = (value: unknown): unknown => {
        if (Array.isArray(value))
          return value.map(sortItems).toSorted((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));
        if (typeof value !== 'object' || value === null) return value;
        const entries = Object.entries(value).toSorted(([x], [y]) => (x < y ? -1 : 1));
        return Object.fromEntries(entries.map(([key, below]) => [key, sortItems(below)]));
      };
      if (isSame(compareValues(type, a, b))) assert.deepEqual(sortItems(a), sortItems(b));
      if (isDeepStrictEqual(a, b)) assert.ok(isSame(compareValues(type, a, b)));
    }),
  );
});

test('a value without all of its fields has nothing left', () => {
  fc.assert(
    fc.property(objects, ({ type, objects: [object] }) => {
      const rest = removeFields(type, object, withStructs(type, setOfObject(type, object)));
      assert.ok(
        isEmpty(setOfObject(type, rest)) || isDeepStrictEqual(rest, object) || isOnlyEmpty(rest),
        JSON.stringify(rest),
      );
    }),
  );
});

/** Empty lists own nothing, so they stay. */
function isOnlyEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every(isOnlyEmpty);
}
