import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { rangeAt } from './json-range.ts';

const key = fc.oneof(fc.constantFrom('spec', 'metadata', 'labels', 'a', ''), fc.string({ unit: 'binary' }));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** Every path in a value, and what stands there. */
function* places(at: unknown, path: readonly (string | number)[] = []): Iterable<[typeof path, unknown]> {
  yield [path, at];
  if (typeof at !== 'object' || at === null) return;
  for (const [name, inner] of Object.entries(at)) {
    yield* places(inner, [...path, Array.isArray(at) ? Number(name) : name]);
  }
}

function readAt(json: Buffer, path: readonly (string | number)[]): unknown {
  const range = rangeAt(
    json,
    path.map((step) => (typeof step === 'number' ? step : Buffer.from(step))),
  );
  return range && JSON.parse(json.toString('utf8', range.start, range.end));
}

test('the value at a path of a JSON text is found where it stands, with white space and without', () => {
  fc.assert(
    fc.property(value, fc.constantFrom(0, 1), (whole, indent) => {
      const json = Buffer.from(JSON.stringify(whole, null, indent));
      for (const [path, inner] of places(JSON.parse(json.toString()))) {
        // A key that is written with an escape is not looked for.
        if (path.some((step) => typeof step === 'string' && JSON.stringify(step) !== `"${step}"`)) continue;
        assert.deepEqual(readAt(json, path), inner);
        assert.equal(readAt(json, [...path, 'there is none']), undefined);
        assert.equal(readAt(json, [...path, Array.isArray(inner) ? inner.length : 0]), undefined);
      }
    }),
  );
});
