import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import type { ManagedFieldsEntry, ResourceObject } from '#kernel/kinds/kind.ts';
import { joinOldUpdaters, MANAGER_LIMITS, readEntries, writeEntries } from './entries.ts';
import { EMPTY, fieldsOf, union, type FieldSet } from './field-set.ts';
import { trackApply, trackUpdate, type TrackedWrite } from './track.ts';

const TIME = '2026-01-01T00:00:00Z';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

function map(data: object, metadata: object = {}): ResourceObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', ...metadata }, data };
}

function write(manager: string, before?: ResourceObject, entries: readonly ManagedFieldsEntry[] = []): TrackedWrite {
  return { kind: ConfigMap, manager, part: 'main', time: TIME, before, entries };
}

function apply(write: TrackedWrite, applied: ResourceObject, force = false) {
  const result = trackApply(write, applied, force);
  assert.ok('fields' in result, JSON.stringify(result));
  return result;
}

const managersIn = (entries: readonly ManagedFieldsEntry[]) =>
  entries.map(({ operation, manager, fieldsV1 }) => `${operation} ${manager} ${JSON.stringify(fieldsV1)}`);

test('identity, versions and times of an object have no owner', () => {
  const before = map({}, { uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: TIME });
  const after = map(
    { x: '1' },
    { uid: 'u', resourceVersion: '1', generation: 2, creationTimestamp: TIME, labels: { a: 'b' } },
  );
  const created = trackUpdate(write('a'), before);
  assert.deepEqual(managersIn(created), ['Update a {"f:data":{}}']);
  assert.deepEqual(managersIn(trackUpdate(write('b', before, created), after)), [
    'Update a {"f:data":{}}',
    'Update b {"f:data":{"f:x":{}},"f:metadata":{"f:labels":{".":{},"f:a":{}}}}',
  ]);
  assert.deepEqual(managersIn(apply(write('c'), map({ x: '1' }, { uid: 'u' })).entries), [
    'Apply c {"f:data":{"f:x":{}}}',
  ]);
});

test('metadata that is empty has no owner: it is not stored', () => {
  const empty = { labels: {}, annotations: null, finalizers: [], ownerReferences: [] };
  const one = apply(write('a'), map({ x: '1' }, empty));
  assert.deepEqual(managersIn(one.entries), ['Apply a {"f:data":{"f:x":{}}}']);
  const before = map({ x: '1' });
  assert.deepEqual(apply(write('a', before, one.entries), map({ x: '1' }, empty)).entries, one.entries);
  assert.ok('fields' in trackApply(write('b', before, one.entries), map({ y: '1' }, empty), false));
});

test('the time of an entry is that of the last write which took fields', () => {
  const one = apply(write('a'), map({ x: '1' }));
  const before = map({ x: '1' });
  const later = { ...write('a', before, one.entries), time: '2026-02-02T00:00:00Z' };
  assert.deepEqual(apply(later, map({ x: '1' })).entries, one.entries);
  assert.equal(apply(later, map({ x: '2' })).entries[0]?.time, '2026-02-02T00:00:00Z');
  const removed = trackUpdate({ ...later, manager: 'u' }, map({}));
  assert.deepEqual(managersIn(removed), [], 'to remove a field makes nobody its owner');
});

test('kubectl takes over what client-side apply declared, and nothing else', () => {
  const declared = JSON.stringify(map({ x: '1' }));
  const before = map({ x: '1', y: '1' }, { annotations: { [LAST_APPLIED]: declared } });
  const entries = trackUpdate(write('kubectl-client-side-apply'), before);
  const taken = apply(write('kubectl', before, entries), map({ x: '2' }));
  assert.deepEqual(taken.fields['data'], { x: '2', y: '1' });
  for (const [manager, data] of [
    ['robot', { x: '2' }],
    ['kubectl', { y: '2' }],
  ] as const) {
    const refused = trackApply(write(manager, before, entries), map(data), false);
    assert.ok('conflicts' in refused);
    assert.deepEqual(
      refused.conflicts.map(({ fields }) => [...fieldsOf(fields)].map((path) => path.join('/'))),
      [[Object.keys(data).map((key) => `f:data/f:${key}`)[0]]],
    );
  }
  for (const broken of ['', '[1]', '{"metadata":3}', 'null']) {
    const odd = map({ x: '1' }, { annotations: { [LAST_APPLIED]: broken } });
    const refused = trackApply(write('kubectl', odd, trackUpdate(write('u'), odd)), map({ x: '2' }), false);
    assert.ok('conflicts' in refused, 'an annotation that is no object allows nothing');
  }
});

const updater = fc.record({
  manager: fc.integer({ min: 0, max: 20 }).map(String),
  operation: fc.constantFrom('Apply' as const, 'Update' as const),
  apiVersion: fc.constantFrom('v1', 'v2'),
  time: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'),
  fieldsType: fc.constant('FieldsV1'),
  fieldsV1: fc.dictionary(fc.constantFrom('f:a', 'f:b', 'f:c'), fc.constant({}), { minKeys: 1, noNullPrototype: true }),
  subresource: fc.constantFrom('', 'status'),
});

test('entries that are read and written again are the same, and joining the oldest loses no field', () => {
  fc.assert(
    fc.property(fc.array(updater, { maxLength: 40 }), (given) => {
      const entries = given.map(({ subresource, ...entry }) =>
        subresource === '' ? entry : { ...entry, subresource },
      );
      const tracking = readEntries(entries);
      const written = writeEntries(tracking);
      assert.deepEqual(writeEntries(readEntries(written)), written);
      const joined = joinOldUpdaters(tracking);
      const updaters = [...joined.managers.values()].filter(({ isApplier }) => !isApplier);
      const all = [...tracking.managers.values()].filter(({ isApplier }) => !isApplier);
      assert.ok(updaters.length <= Math.max(MANAGER_LIMITS.updatersMax, 2));
      if (all.length <= MANAGER_LIMITS.updatersMax) assert.equal(updaters.length, all.length);
      for (const version of ['v1', 'v2']) {
        const fieldsIn = (managers: typeof all): FieldSet =>
          managers.filter((one) => one.version === version).reduce((set, { fields }) => union(set, fields), EMPTY);
        assert.deepEqual([...fieldsOf(fieldsIn(updaters))], [...fieldsOf(fieldsIn(all))]);
      }
    }),
  );
});
