import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { indexKeysOf } from '#kernel/kinds/index-keys.ts';
import { Flag } from './flag.ts';

const optional = { requiredKeys: [] };
/** Values may look like the fields of a flag. */
const text = fc.constantFrom(
  'a',
  'targetingKey',
  'timeZone',
  'targetingKeys',
  '"key":',
  'attribute',
  '\\"audience":"a"',
);
const requires = fc.array(fc.record({ flag: text, variants: fc.constant(['on']) }), { maxLength: 2 });
const condition = fc.oneof(
  fc.record({ attribute: text, in: fc.array(text, { maxLength: 2 }) }),
  fc.record({ audience: text }),
  fc.record({ time: fc.record({ from: text }, optional) }),
);
const when = fc.record({
  anyOf: fc.array(fc.record({ allOf: fc.array(condition, { maxLength: 2 }) }), { maxLength: 2 }),
});
const rule = fc.record({ name: text, audience: text, when, requires, serve: text }, { requiredKeys: ['name'] });
const spec = fc.record(
  {
    title: text,
    key: text,
    variants: fc.array(fc.record({ name: text, value: fc.anything({ maxDepth: 1, key: text }) }), { maxLength: 2 }),
    requires,
    rules: fc.array(rule, { maxLength: 2 }),
  },
  { requiredKeys: ['variants'] },
);

test('a flag whose text shows that it is alone has no key of its own and refers to nothing', () => {
  let alone = 0;
  fc.assert(
    fc.property(spec, (given) => {
      const specText = JSON.stringify(given);
      const stored = JSON.parse(specText);
      const keys = indexKeysOf(Flag, { namespace: 'n', name: 'f' }, () => stored);
      if (Flag.isAlone?.(specText) !== true) return;
      alone += 1;
      assert.deepEqual(keys, []);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(alone > 0);
  const { example } = Flag;
  assert.equal(Flag.isAlone?.(JSON.stringify(example?.spec)), true);
});
