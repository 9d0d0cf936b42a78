import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { holdAll, implies, type Requirement } from './requirements.ts';

const VALUES = ['', '1', '2', '3', 'x'];
const KEYS = ['a', 'b'];
const key = fc.constantFrom(...KEYS);
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.subarray(VALUES, { minLength: 1 }).map((values) => new Set(values)),
  }),
  fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
  fc.record({ key, operator: fc.constantFrom('Gt' as const, 'Lt' as const), bound: fc.integer({ min: 0, max: 4 }) }),
);
const selector = fc.array(requirement, { maxLength: 4 });

/** Every object that there can be. */
const OBJECTS = [undefined, ...VALUES].flatMap((a) => [undefined, ...VALUES].map((b) => ({ a, b })));

/** The meaning of a requirement, word for word. */
function naive(one: Requirement, value: string | undefined): boolean {
  if (one.operator === 'Exists') return value !== undefined;
  if (one.operator === 'DoesNotExist') return value === undefined;
  if (one.operator === 'In') return [...one.values].some((each) => each === value);
  if (one.operator === 'NotIn') return ![...one.values].some((each) => each === value);
  if (!('bound' in one) || value === undefined || Number.isNaN(Number.parseInt(value, 10))) return false;
  return one.operator === 'Gt' ? Number(value) > one.bound : Number(value) < one.bound;
}

test('requirements hold as the naive reading of each says', () => {
  fc.assert(
    fc.property(selector, (requirements) => {
      for (const object of OBJECTS) {
        const expected = requirements.every((one) => naive(one, object[one.key as 'a' | 'b']));
        assert.equal(
          holdAll(requirements, (of) => object[of as 'a' | 'b']),
          expected,
        );
      }
    }),
  );
});

test('a selector that implies another selects nothing that the other does not', () => {
  let implied = 0;
  fc.assert(
    fc.property(selector, selector, (given, wanted) => {
      if (!implies(given, wanted)) return;
      implied += 1;
      for (const object of OBJECTS) {
        const valueOf = (of: string) => object[of as 'a' | 'b'];
        assert.ok(!holdAll(given, valueOf) || holdAll(wanted, valueOf), JSON.stringify(object));
      }
    }),
    { numRuns: 3_000 },
  );
  assert.ok(implied > 100, `${implied} implied`);
});

test('where values are named, what is true of all of them is found to be implied', () => {
  const named = fc.array(
    fc.record({
      key,
      operator: fc.constantFrom('In' as const, 'NotIn' as const),
      values: fc.subarray(VALUES, { minLength: 1 }).map((values) => new Set(values)),
    }),
    { maxLength: 3 },
  );
  const both = KEYS.map((of): Requirement => ({ key: of, operator: 'In', values: new Set(VALUES) }));
  fc.assert(
    fc.property(named, selector, (some, wanted) => {
      const given = [...both, ...some];
      const selected = OBJECTS.filter((object) => holdAll(given, (of) => object[of as 'a' | 'b']));
      // Of a selector that selects nothing each requirement is looked at alone.
      if (selected.length === 0) return;
      const isTrue = selected.every((object) => holdAll(wanted, (of) => object[of as 'a' | 'b']));
      assert.equal(implies(given, wanted), isTrue);
    }),
  );
});

test('a selector implies itself', () => {
  fc.assert(fc.property(selector, (one) => assert.ok(implies(one, one))));
});
