import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldChanges } from './field-changes.ts';

test('a change inside a list names the item by what identifies it', () => {
  const before = {
    timeline: [
      { from: '2026-01-01', amount: '9.99' },
      { from: '2026-06-01', amount: '10.99' },
    ],
  };
  const after = {
    timeline: [
      { from: '2026-06-01', amount: '11.99' },
      { from: '2026-12-01', amount: '12.99' },
    ],
  };
  assert.deepEqual(fieldChanges(before, after), [
    { path: 'timeline[from=2026-01-01].from', before: '2026-01-01' },
    { path: 'timeline[from=2026-01-01].amount', before: '9.99' },
    { path: 'timeline[from=2026-06-01].amount', before: '10.99', after: '11.99' },
    { path: 'timeline[from=2026-12-01].from', after: '2026-12-01' },
    { path: 'timeline[from=2026-12-01].amount', after: '12.99' },
  ]);
});

test('lists of plain values change as a whole, and a new object is listed leaf by leaf', () => {
  assert.deepEqual(fieldChanges({ roles: ['a'] }, { roles: ['a', 'b'] }), [
    { path: 'roles', before: ['a'], after: ['a', 'b'] },
  ]);
  assert.deepEqual(fieldChanges(undefined, { a: { b: 1 }, c: [] }), [
    { path: 'a.b', after: 1 },
    { path: 'c', after: [] },
  ]);
});

test('equal values have no changes, different ones always have some', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      assert.deepEqual(fieldChanges(a, structuredClone(a)), []);
      const same = JSON.stringify(a) === JSON.stringify(b);
      if (!same && typeof a !== 'object' && typeof b !== 'object') assert.equal(fieldChanges(a, b).length, 1);
    }),
  );
});
