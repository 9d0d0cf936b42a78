import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import { attributeTable } from './language/attributes.ts';
import { contextProblems } from './check-context.ts';
import type { Context } from './language/language.ts';
import { ATTRIBUTES } from './testing/arbitraries.ts';

const attributes = attributeTable(ATTRIBUTES);

function problems(context: Context): string[] {
  return contextProblems(context, attributes).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
}

test('a context of the right types has no problems, and undeclared attributes are ignored', () => {
  const right: Context = {
    targetingKey: 'u1',
    timeZone: 'Europe/Stockholm',
    country: 'a value that is not declared yet',
    age: null,
    device: { os: 'ios', other: 7 },
    appVersion: 'v9.1.0',
    joined: 1_774_746_000_000,
    address: '::ffff:10.0.0.1',
    genres: 'jazz',
    scores: [],
    note: 12,
    tags: [true, 'new', 1.5],
    undeclared: { anything: [1] },
  };
  assert.deepEqual(problems(right), []);
  assert.deepEqual(problems({}), []);
});

test('a value of the wrong type is reported with its place, the value, and the right form', () => {
  assert.deepEqual(
    problems({
      targetingKey: 7,
      device: { os: ['ios'] },
      age: Number.NaN,
      premium: 'yes',
      appVersion: '9',
      joined: '2026-02-30T00:00:00Z',
      address: '10.0.0.256',
      genres: ['jazz', null],
      country: 'x'.repeat(3).split(''),
      note: {},
    }),
    [
      'targetingKey: 7 is not a text, as "targetingKey" needs',
      'country: ["x","x","x"] is not a text, as "country" needs',
      'device.os: ["ios"] is not a text, as "device.os" needs',
      'age: NaN is not a finite number, as "age" needs',
      'premium: "yes" is not true or false, as "premium" needs',
      'appVersion: "9" is not a version like "9.1.0", as "appVersion" needs',
      'joined: "2026-02-30T00:00:00Z" is not an instant like "2026-12-01T00:00:00Z" or epoch milliseconds, as "joined" needs',
      'address: "10.0.0.256" is not an IP address like "192.0.2.1" or "2001:db8::1", as "address" needs',
      'genres: ["jazz",null] is not a text, or a list of such, as "genres" needs',
      'note: {} is not a text, a number up to 2^53 (beyond, send a text), true or false, as "note" needs',
    ],
  );
});

test('an id that JavaScript has rounded is refused and gets no bucket; a bigint is exact', () => {
  assert.deepEqual(problems({ note: 1_795_000_000_000_000_199n }), []);
  const rounded = Number('1795000000000000199');
  assert.deepEqual(
    problems({ note: rounded, tags: [1, rounded] }).map((problem) => problem.split(' ')[0]),
    ['note:', 'tags:'],
  );
});

test('values that JSON lacks are reported like any other wrong value', () => {
  const round: { self?: unknown } = {};
  round.self = round;
  assert.deepEqual(problems({ age: 10n, premium: round, joined: () => 1 }), [
    'age: 10 is not a finite number, as "age" needs',
    'premium: this object is not true or false, as "premium" needs',
    'joined: function is not an instant like "2026-12-01T00:00:00Z" or epoch milliseconds, as "joined" needs',
  ]);
});

test('a value of a sensitive attribute is not shown', () => {
  const table = attributeTable([{ name: 'birthday', type: 'timestamp', multiValued: false, sensitive: true }]);
  const [problem] = contextProblems({ birthday: '12 May 1980' }, table);
  assert.match(problem?.detail ?? '', /^The value is not an instant/);
});
