import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nameProblems } from '#kernel/kinds/schema/names.ts';
import { objectNames } from './object-names.ts';

const key = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
  fc.constantFrom(
    'my-flag',
    'My-Flag',
    'my flag',
    'my_flag',
    'my.flag',
    '-',
    '🎧',
    'a'.repeat(250),
    'my-flag-0bcb7ddd',
  ),
);

test('every key gets a name that an object can have, always the same, and no two the same', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 20 }), (keys) => {
      const names = objectNames(keys);
      assert.deepEqual([...names.keys()].sort(), keys.toSorted());
      assert.equal(new Set(names.values()).size, keys.length);
      for (const [from, name] of names) {
        assert.deepEqual(nameProblems('subdomain', name), [], from);
        if (nameProblems('subdomain', from).length === 0 && from.length <= 200) assert.equal(name, from);
      }
      assert.deepEqual(new Map([...objectNames(keys.toReversed())].sort()), new Map([...names].sort()));
    }),
  );
});

test('a key that stepsOf like the name of another one keeps it', () => {
  const [taken = ''] = objectNames(['My Flag']).values();
  const names = objectNames(['My Flag', taken]);
  assert.equal(names.get(taken), taken);
  assert.notEqual(names.get('My Flag'), taken);
});
