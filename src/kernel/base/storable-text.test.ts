import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isStorable, unstorableIn } from './storable-text.ts';

/** Looks at every text, key and value, of a document. */
function holdsUnstorable(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || value !== value.toWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, inner]) => holdsUnstorable(key) || holdsUnstorable(inner));
}

test('a document holds a text that cannot be kept exactly when one is found', () => {
  const text = fc.oneof(fc.constantFrom('\0', 'a\0', '\ud800', 'x\udfff', '\ud83d\ude00', '\\u0000'), fc.string());
  const document = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.constant(null), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(text, tie('value'), { maxKeys: 3 }),
  })).value;
  fc.assert(
    fc.property(document, (value) => {
      const json = JSON.stringify(value);
      assert.equal(unstorableIn(JSON.parse(json), json) !== undefined, holdsUnstorable(JSON.parse(json)));
    }),
    { numRuns: 2_000 },
  );
});

test('it is found where it is, however deep', () => {
  const at = (json: string) => unstorableIn(JSON.parse(json), json);
  assert.deepEqual(at('{"a":[1,{"b":"x\\u0000"}]}'), ['a', 1, 'b']);
  assert.deepEqual(at('{"a":{"\\uD800":1}}'), ['a']);
  assert.equal(at('{"a":"\\ud83d\\ude00"}'), undefined);
  const deep = 20_000;
  assert.equal(at(`${'['.repeat(deep)}"\\u0000"${']'.repeat(deep)}`)?.length, deep);
  assert.ok(isStorable('😀') && !isStorable('\ud83d'));
});
