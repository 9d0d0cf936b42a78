import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecord } from '#kernel/base/is-record.ts';
import { fieldsOf, parseFieldsV1, pathText, type FieldSet } from './field-set.ts';
import { LEAF, type FieldType } from './field-type.ts';
import { applyObject, areEqualManagers, updateManagers, type Managers, type Versions } from './transitions.ts';
import { compareValues } from './values.ts';

const struct = (...names: string[]): FieldType => ({
  form: 'map',
  fields: new Map(names.map((name) => [name, LEAF])),
  nullable: false,
});
const TYPES = new Map([
  ['v1', struct('title', 'size', 'note')],
  ['v2', struct('name', 'size', 'note')],
]);
const NAMES: Readonly<Record<string, string>> = { v1: 'title', v2: 'name' };

/** A field has another name in each of two versions. */
const VERSIONS: Versions = {
  typeOf: (version) => TYPES.get(version),
  convert: (object, from, to) => {
    const [old, now] = [NAMES[from] ?? '', NAMES[to] ?? ''];
    if (!isRecord(object) || !(old in object) || old === now) return object;
    const { [old]: value, ...rest } = object;
    return { ...rest, [now]: value };
  },
};

interface State {
  readonly object: unknown;
  readonly version: string;
  readonly managers: Managers;
}

const FIRST: State = { object: {}, version: 'v1', managers: new Map() };

function writeOf(state: State, manager: string, version: string, object: object) {
  const live = VERSIONS.convert(state.object, state.version, version);
  return { live, object, version, manager, managers: state.managers };
}

function apply(state: State, manager: string, version: string, object: object): State {
  const result = applyObject(writeOf(state, manager, version, object), false, VERSIONS);
  assert.ok('object' in result, JSON.stringify(result));
  return { ...result, version };
}

const pathsOf = (fields: FieldSet | undefined) => (fields === undefined ? [] : [...fieldsOf(fields)].map(pathText));

test('a manager of another version conflicts in its own version, and shares the same value', () => {
  const first = apply(FIRST, 'a', 'v1', { title: 'x', size: 1 });
  const refused = applyObject(writeOf(first, 'b', 'v2', { name: 'y' }), false, VERSIONS);
  assert.ok('conflicts' in refused);
  assert.deepEqual(
    refused.conflicts.map(({ manager, fields }) => [manager, pathsOf(fields)]),
    [['a', ['.title']]],
  );
  const shared = apply(first, 'b', 'v2', { name: 'x' });
  assert.deepEqual(shared.object, { name: 'x', size: 1 });
  assert.deepEqual(pathsOf(shared.managers.get('a')?.fields), ['.size', '.title']);
  assert.deepEqual(pathsOf(shared.managers.get('b')?.fields), ['.name']);
  const left = apply(shared, 'a', 'v1', { size: 1 });
  assert.deepEqual(left.object, { title: 'x', size: 1 }, 'b owns it in its version');
  assert.deepEqual(apply(left, 'b', 'v2', { size: 1 }).object, { size: 1 }, 'nobody owns it');
});

test('an applier that comes in another version drops what it applied in the one before', () => {
  const first = apply(FIRST, 'a', 'v1', { title: 'x', size: 1, note: 'n' });
  const moved = apply(first, 'a', 'v2', { size: 1 });
  assert.deepEqual(moved.object, { size: 1 });
  assert.deepEqual(
    [...moved.managers],
    [['a', { version: 'v2', isApplier: true, fields: parseFieldsV1({ 'f:size': {} }) }]],
  );
});

test('an update in one version takes fields in each other version', () => {
  let state = apply(FIRST, 'a', 'v1', { title: 'x', size: 1 });
  state = apply(state, 'b', 'v2', { name: 'x', note: 'n' });
  const update = updateManagers(writeOf(state, 'u', 'v2', { name: 'y', size: 1, note: 'n' }), VERSIONS);
  assert.deepEqual(pathsOf(update.taken), ['.name']);
  assert.deepEqual(pathsOf(update.managers.get('a')?.fields), ['.size']);
  assert.deepEqual(pathsOf(update.managers.get('b')?.fields), ['.note']);
  const older = updateManagers(writeOf(state, 'u', 'v1', { title: 'x', size: 1 }), VERSIONS);
  assert.deepEqual(pathsOf(older.taken), []);
  assert.deepEqual(pathsOf(older.managers.get('b')?.fields), ['.name'], 'a removed field is nobody’s');
  assert.equal(older.managers.has('u'), false);
});

test('managers of a version that cannot be converted to keep what they have', () => {
  const apart: Versions = { ...VERSIONS, convert: (object, from, to) => (from === to ? object : undefined) };
  const first = applyObject(writeOf(FIRST, 'a', 'v1', { title: 'x', size: 1 }), false, apart);
  assert.ok('object' in first);
  const write = { live: { name: 'x', size: 1 }, version: 'v2', managers: first.managers };
  const second = applyObject({ ...write, object: { name: 'y', size: 2 }, manager: 'b' }, false, apart);
  assert.ok('object' in second);
  assert.deepEqual(second.object, { name: 'y', size: 2 });
  assert.deepEqual(pathsOf(second.managers.get('a')?.fields), ['.size', '.title']);
  // Which of its earlier fields it dropped is unknown in another version: nothing is removed.
  const moved = applyObject({ ...write, object: { size: 1 }, manager: 'a' }, false, apart);
  assert.ok('object' in moved);
  assert.deepEqual(moved.object, { name: 'x', size: 1 });
  const back = { live: { title: 'y', size: 2 }, version: 'v1', managers: second.managers };
  const dropped = applyObject({ ...back, object: { size: 2 }, manager: 'a' }, false, apart);
  assert.ok('object' in dropped);
  assert.deepEqual(dropped.object, { size: 2 }, 'in its own version it removes what it applied');
});

test('a write in a version that is not served is a fault of the caller', () => {
  assert.throws(() => apply(FIRST, 'a', 'v3', {}), /version v3 is not served/);
});

test('managers are equal when all of them are, in version, kind and fields', () => {
  const one = { version: 'v1', isApplier: true, fields: parseFieldsV1({ 'f:size': {} }) };
  const managers: Managers = new Map([['a', one]]);
  assert.equal(areEqualManagers(managers, new Map([['a', { ...one, fields: parseFieldsV1({ 'f:size': {} }) }]])), true);
  const others: readonly Managers[] = [
    new Map(),
    new Map([['b', one]]),
    new Map([['a', { ...one, version: 'v2' }]]),
    new Map([['a', { ...one, isApplier: false }]]),
    new Map([['a', { ...one, fields: parseFieldsV1({ 'f:title': {} }) }]]),
    new Map([
      ['a', one],
      ['b', one],
    ]),
  ];
  for (const other of others) {
    assert.equal(areEqualManagers(managers, other), false);
    assert.equal(areEqualManagers(other, managers), false);
  }
  const two: Managers = new Map([
    ['a', one],
    ['b', one],
  ]);
  assert.equal(areEqualManagers(two, new Map(two).set('b', { ...one, version: 'v2' })), false);
});

test('null, an empty list and a list of repeated items are three values', () => {
  const items: FieldType = { form: 'map', fields: new Map([['name', LEAF]]), nullable: false };
  const keys = [{ name: 'name', initial: undefined }];
  const list: FieldType = { form: 'list', keys, items, nullable: true };
  const type: FieldType = { form: 'map', fields: new Map([['list', list]]), nullable: false };
  const modifiedFields = (before: unknown, after: unknown) =>
    pathsOf(compareValues(type, { list: before }, { list: after }).modified);
  assert.deepEqual(modifiedFields(null, []), ['.list']);
  assert.deepEqual(modifiedFields([], null), ['.list']);
  assert.deepEqual(modifiedFields([], []), []);
  assert.deepEqual(modifiedFields([], 'text'), ['.list']);
  const one = { name: 'a' };
  assert.deepEqual(modifiedFields([one], [one, one]), ['.list[name="a"]']);
  assert.deepEqual(modifiedFields([one, one], [one, one]), []);
  const { added, removed } = compareValues(type, { list: [one] }, { list: 'text' });
  assert.deepEqual([pathsOf(added), pathsOf(removed)], [[], ['.list[name="a"]', '.list[name="a"].name']]);
  assert.deepEqual(pathsOf(compareValues(type, { list: null }, { list: [one] }).added), [
    '.list[name="a"]',
    '.list[name="a"].name',
  ]);
});
