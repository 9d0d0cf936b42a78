import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { namesBelow, subjectName, subjectParts } from './subject-name.ts';

/** Parts full of characters that names use. */
const part = fc.string({ unit: fc.constantFrom('a', '/', '%', '2', '5', 'F', '|', ':', 'ü') });
const parts = fc
  .tuple(part, fc.array(part, { maxLength: 3 }))
  .map(([first, rest]): [string, ...string[]] => [first, ...rest]);

test('a name has its parts in it, and no other list of parts has that name', () => {
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      assert.deepEqual(subjectParts(subjectName(one)), one);
      assert.equal(subjectName(one) === subjectName(other), JSON.stringify(one) === JSON.stringify(other));
    }),
    { numRuns: 2_000 },
  );
});

test('the names below a subject begin with its parts, and no other name does', () => {
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const isBelow = other.length > one.length && one.every((value, index) => other[index] === value);
      assert.equal(subjectName(other).startsWith(namesBelow(subjectName(one))), isBelow);
      const below = subjectName([...one, ...other]);
      assert.ok(below.startsWith(namesBelow(subjectName(one))));
    }),
    { numRuns: 2_000 },
  );
});
