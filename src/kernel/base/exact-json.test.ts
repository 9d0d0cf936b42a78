import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExactJson } from './exact-json.ts';

test('whole numbers that would be rounded are read as their digits, all others as they are', () => {
  const text =
    '{"id":1795000000000000199,"below":-9007199254740993,"most":9007199254740991,"part":0.1234567890123456,"large":1e300,"in":["1795000000000000199",{"a":18446744073709551615}]}';
  assert.deepEqual(parseExactJson(text), {
    id: '1795000000000000199',
    below: '-9007199254740993',
    most: 9007199254740991,
    part: 0.1234567890123456,
    large: 1e300,
    in: ['1795000000000000199', { a: '18446744073709551615' }],
  });
  assert.throws(() => parseExactJson('{"a":1234567890123456789'), SyntaxError);
});
