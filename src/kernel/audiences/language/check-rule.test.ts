import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldPath } from '#kernel/base/failures.ts';
import { attributeTable } from './attributes.ts';
import { ruleProblems, ruleRefs } from './check-rule.ts';
import { compileRule } from '../compile-audience.ts';
import { describeRule } from './describe-rule.ts';
import type { Condition } from './language.ts';
import { ATTRIBUTES, context, rule } from '../testing/arbitraries.ts';

const attributes = attributeTable([
  ...ATTRIBUTES,
  { name: 'plan', type: 'string', multiValued: false, values: ['free', 'premium'] },
]);

function problems(condition: Condition): string[] {
  return ruleProblems({ anyOf: [{ allOf: [condition] }] }, ['spec', 'when'], attributes).map(
    ({ path, detail }) => `${fieldPath(path).replace('spec.when.anyOf[0].allOf[0]', '')}: ${detail}`,
  );
}

const REFUSED: [condition: Condition, problem: RegExp][] = [
  [{}, /^: a condition names one of attribute, audience and time, and this one names none of them$/],
  [{ attribute: 'age', audience: 'x', exists: true }, /this one names 2 of them/],
  [
    { attribute: 'contry', in: ['SE'] },
    /^\.attribute: there is no attribute "contry" \(did you mean "country"\?\); declare it/,
  ],
  [
    { attribute: 'country' },
    /the condition has no test of "country"; a string has the tests in, notIn, exists, startsWith/,
  ],
  [{ attribute: 'country', in: ['SE'], contains: ['x'] }, /one test, and this one has in, contains/],
  [{ attribute: 'age', in: [1], atLeast: 3 }, /this one has in, atLeast/],
  [
    { attribute: 'age', semver: '>=1' },
    /^\.semver: "age" is a number, which has no test semver; it has in, notIn, exists, atLeast/,
  ],
  [{ attribute: 'country', above: 3 }, /^\.above: "country" is a string, which has no test above/],
  [{ attribute: 'appVersion', atLeast: '9.0.0' }, /write it as semver: ">=1\.2\.3"/],
  [{ attribute: 'age', startsWith: ['1'] }, /no test startsWith/],
  [{ attribute: 'country', cidr: ['10.0.0.0/8'] }, /no test cidr/],
  [{ attribute: 'age', as: 'semver', semver: '>=1' }, /^\.as: only single texts can be read .* "age" is a number$/],
  [{ attribute: 'genres', as: 'number', in: [1] }, /^\.as: .* "genres" is a set$/],
  [{ attribute: 'country', as: 'number', startsWith: ['1'] }, /"country" is a number, which has no test startsWith/],
  [{ attribute: 'country', as: 'growthbook-version', semver: '>=1' }, /it has in, notIn, exists, atLeast/],
  [{ attribute: 'country', as: 'number', atLeast: '1' }, /"1" is no number/],
  [{ attribute: 'country', as: 'ip', in: ['10.0.0.1'], ignoreCase: true }, /is a ip, which has no case/],
  [{ attribute: 'country', as: 'number', exists: true }, /^\.as: exists tests for any value/],
  [{ audience: 'x', as: 'number' }, /as tests an attribute/],
  [{ attribute: 'age', in: [18, '18'] }, /^\.in\[1\]: "18" is no number, as "age" is$/],
  [{ attribute: 'appVersion', notIn: ['9'] }, /^\.notIn\[0\]: "9" is no semver/],
  [
    { attribute: 'plan', in: ['premum'] },
    /^\.in\[0\]: "premum" is none of the values that "plan" has \(did you mean "premium"\?\)$/,
  ],
  [{ attribute: 'age', atLeast: '18' }, /^\.atLeast: "18" is no number, as "age" is; write a number$/],
  [{ attribute: 'joined', below: '2026-02-30T00:00:00Z' }, /^\.below: "2026-02-30T00:00:00Z" is no timestamp/],
  [{ attribute: 'age', atLeast: 20, atMost: 10 }, /^\.atLeast: nothing is atLeast 20 and atMost 10$/],
  [{ attribute: 'age', above: 20, below: 20 }, /nothing is above 20 and below 20/],
  [{ attribute: 'age', above: 20, atLeast: 21 }, /^\.above: above and atLeast bound the same side/],
  [{ attribute: 'country', matches: 'a(?=b)' }, /^\.matches: "a\(\?=b\)" is not a regular expression of RE2/],
  [{ attribute: 'appVersion', semver: 'newest' }, /^\.semver: "newest" is no range of versions/],
  [
    { attribute: 'address', cidr: ['10.0.0.0/8', '10.1.2.3/8'] },
    /^\.cidr\[1\]: "10\.1\.2\.3\/8" has bits set beyond its \/8/,
  ],
  [{ attribute: 'address', cidr: ['10.0.0.0/33'] }, /is not a network/],
  [{ attribute: 'address', cidr: ['2001:db8::/129'] }, /is not a network/],
  [{ attribute: 'age', in: [1], ignoreCase: true }, /^\.ignoreCase: "age" is a number, which has no case$/],
  [{ attribute: 'country', exists: true, absent: 'match' }, /^\.absent: exists already decides/],
  [{ audience: 'x', in: ['SE'] }, /^\.in: in tests an attribute; this condition tests an audience$/],
  [{ audience: 'x', absent: 'match' }, /^\.absent: absent tests an attribute/],
  [{ time: {} }, /^\.time: give a time/],
  [
    { time: { zone: 'Europe/Stokholm', days: ['mon'] } },
    /^\.time\.zone: "Europe\/Stokholm" is no IANA time zone \(did you mean "Europe\/Stockholm"/,
  ],
  [{ time: { zone: '+01:00', days: ['mon'] } }, /is no IANA time zone/],
  [{ time: { zone: 'UTC', after: '2026-01-01T00:00:00Z' } }, /^\.time\.zone: after and before are instants/],
  [{ time: { from: '10:00', until: '10:00' } }, /window from 10:00 until 10:00 is empty/],
  [{ time: { days: ['mon', 'mon'] } }, /a day is there twice/],
  [{ time: { after: '2026-01-02T00:00:00Z', before: '2026-01-01T00:00:00Z' } }, /nothing is after/],
  [{ time: { after: '2026-02-30T00:00:00Z' } }, /^\.time\.after: "2026-02-30T00:00:00Z" is no instant/],
];

test('an invalid condition is refused in its place, with the right form', () => {
  for (const [condition, problem] of REFUSED) {
    const found = problems(condition);
    assert.equal(found.length, 1, `${JSON.stringify(condition)}: ${found.join(' | ')}`);
    assert.match(found[0] ?? '', problem);
  }
});

test('a rule that passes the checks compiles and has a description', () => {
  fc.assert(
    fc.property(rule(['other']), context, (one, given) => {
      fc.pre(ruleProblems(one, [], attributes).length === 0);
      const matches = compileRule(one, { attributes, matcher: () => () => true });
      assert.ok([true, false, undefined].includes(matches(given, 0)));
      assert.ok(describeRule(one).length > 0);
    }),
    { numRuns: 500 },
  );
});

test('a rule refers to the objects that declare its attributes, and to its audiences', () => {
  const refs = ruleRefs(
    {
      anyOf: [
        {
          allOf: [
            { attribute: 'appVersion', exists: true },
            { attribute: 'targetingKey', in: ['a'] },
          ],
        },
        { allOf: [{ audience: 'staff' }] },
      ],
    },
    ['spec'],
  );
  assert.deepEqual(
    refs.map(({ path, kind, name }) => `${fieldPath(path)} ${kind} ${name}`),
    [
      'spec.anyOf[0].allOf[0].attribute audiences.backline.dev/Attribute app-version',
      'spec.anyOf[1].allOf[0].audience audiences.backline.dev/Audience staff',
    ],
  );
});

test('a rule in words', () => {
  const words = describeRule({
    anyOf: [
      {
        allOf: [
          { attribute: 'country', in: ['SE', 'NO'] },
          { attribute: 'age', atLeast: 18, below: 30, absent: 'match' },
        ],
      },
      { allOf: [{ audience: 'staff', not: true }, { time: { zone: 'listener', days: ['fri'], from: '22:00' } }] },
      { allOf: [{ attribute: 'genres', notIn: ['a', 'b', 'c', 'd', 'e', 'f'] }] },
    ],
  });
  assert.equal(
    words,
    'country is SE or NO, and (age is at least 18 and is below 30, or is not known); or not (audience staff), and time on fri from 22:00 (listener); or genres is not one of 6 values',
  );
});
