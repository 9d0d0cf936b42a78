import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contradictionProblems } from './find-contradiction.ts';
import { BUILT_IN_ATTRIBUTES, type AttributeDeclaration } from './language/attributes.ts';
import type { AudienceRule, Condition } from './language/language.ts';
import { ATTRIBUTES, context, nowMs, rule } from './testing/arbitraries.ts';
import { naiveTruth } from './testing/naive.ts';

const attributes: ReadonlyMap<string, AttributeDeclaration> = new Map(
  [...BUILT_IN_ATTRIBUTES, ...ATTRIBUTES].map((attribute) => [attribute.name, attribute]),
);
const lookup = { get: (name: string) => attributes.get(name), names: () => [...attributes.keys()] };

const detailsOf = (one: AudienceRule) =>
  contradictionProblems(one, ['spec', 'when'], lookup).map(({ detail }) => detail);

test('a rule that is refused is met by no context at any time', () => {
  // Conditions on few attributes, so that many are contradictory.
  const group = fc
    .tuple(rule(), rule(), rule())
    .map((rules) => rules.flatMap(({ anyOf }) => anyOf.flatMap(({ allOf }) => allOf)))
    .map((conditions) => {
      const subject = conditions[0]?.attribute;
      return conditions.filter(({ attribute }) => attribute === subject).slice(0, 4);
    });
  const groups = fc.array(group, { minLength: 1, maxLength: 2 }).map((all) => all.map((allOf) => ({ allOf })));
  let refused = 0;
  fc.assert(
    fc.property(groups, fc.array(context, { minLength: 12, maxLength: 12 }), nowMs, (anyOf, contexts, now) => {
      if (detailsOf({ anyOf }).length === 0) return;
      refused += 1;
      for (const each of contexts) {
        assert.notEqual(naiveTruth({ anyOf }, each, now, { attributes, audiences: new Map() }), true);
      }
    }),
    { numRuns: 3_000 },
  );
  assert.ok(refused > 100, `${refused} of them were refused`);
});

test('a rule of numbers is refused exactly when none of a line of numbers meets it', () => {
  const bound = fc.integer({ min: 0, max: 6 });
  const one: fc.Arbitrary<Condition> = fc.oneof(
    fc
      .tuple(fc.constantFrom('atLeast', 'above', 'atMost', 'below'), bound)
      .map(([test, value]): Condition => ({ [test]: value })),
    fc.array(bound, { minLength: 1, maxLength: 3 }).map((values): Condition => ({ in: values })),
    fc.array(bound, { minLength: 1, maxLength: 3 }).map((values): Condition => ({ notIn: values, absent: 'noMatch' })),
    fc.constant<Condition>({ exists: true }),
  );
  const line = Array.from({ length: 17 }, (_, index) => ({ age: index / 2 - 1 }));
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 4 }), (conditions) => {
      const anyOf = [{ allOf: conditions.map((condition) => ({ attribute: 'age', ...condition })) }];
      const isMet = [{}, ...line].some((each) => naiveTruth({ anyOf }, each, 0, { attributes, audiences: new Map() }));
      assert.equal(detailsOf({ anyOf }).length === 0, isMet);
    }),
    { numRuns: 2_000 },
  );
});

const CASES: readonly (readonly [conditions: readonly Condition[], subject: string | undefined])[] = [
  [
    [
      { attribute: 'country', in: ['SE'] },
      { attribute: 'country', in: ['NO', 'DK'] },
    ],
    '"country"',
  ],
  [
    [
      { attribute: 'country', in: ['SE'] },
      { attribute: 'country', notIn: ['SE', 'NO'] },
    ],
    '"country"',
  ],
  [
    [
      { attribute: 'country', in: ['SE'] },
      { attribute: 'country', startsWith: ['N'] },
    ],
    '"country"',
  ],
  [
    [
      { attribute: 'country', in: ['SE'] },
      { attribute: 'country', in: ['SE'], not: true },
    ],
    '"country"',
  ],
  [
    [
      { attribute: 'country', exists: false },
      { attribute: 'country', in: ['SE'] },
    ],
    '"country"',
  ],
  [
    [
      { attribute: 'genres', exists: false },
      { attribute: 'genres', in: ['jazz'] },
    ],
    '"genres"',
  ],
  [
    [
      { attribute: 'premium', in: [true] },
      { attribute: 'premium', in: [false] },
    ],
    '"premium"',
  ],
  [
    [
      { attribute: 'age', atLeast: 18 },
      { attribute: 'age', below: 18 },
    ],
    '"age"',
  ],
  [
    [
      { attribute: 'joined', above: '2026-12-01T00:00:00Z' },
      { attribute: 'joined', below: '2026-11-01T00:00:00Z' },
    ],
    '"joined"',
  ],
  [[{ audience: 'a' }, { audience: 'a', not: true }], 'audience "a"'],
  [[{ time: { after: '2026-12-02T00:00:00Z' } }, { time: { before: '2026-12-01T00:00:00Z' } }], 'the time'],
  // An absent attribute meets both.
  [
    [
      { attribute: 'country', in: ['SE'], absent: 'match' },
      { attribute: 'country', in: ['NO'], absent: 'match' },
    ],
    undefined,
  ],
  // A set has both.
  [
    [
      { attribute: 'genres', in: ['jazz'] },
      { attribute: 'genres', in: ['rock'] },
    ],
    undefined,
  ],
  [
    [
      { attribute: 'country', in: ['se'], ignoreCase: true },
      { attribute: 'country', in: ['SE'] },
    ],
    undefined,
  ],
  [
    [
      { attribute: 'country', in: ['SE'] },
      { attribute: 'age', atLeast: 18 },
    ],
    undefined,
  ],
];

test('conditions that exclude each other are found, and those that only seem to are not', () => {
  for (const [allOf, subject] of CASES) {
    const detail = subject && `no listener can meet it: conditions exclude each other on ${subject}`;
    assert.deepEqual(
      detailsOf({ anyOf: [{ allOf: [...allOf] }] }),
      detail === undefined ? [] : [detail],
      JSON.stringify(allOf),
    );
  }
});

test('one group that can be met is enough', () => {
  const [[never = []] = [], possible] = [CASES[0], { attribute: 'country', in: ['SE'] }];
  assert.deepEqual(detailsOf({ anyOf: [{ allOf: [...never] }, { allOf: [possible] }] }), []);
});
