import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath } from '#kernel/base/failures.ts';
import { attributeTable } from './attributes.ts';
import { contextProblems } from './check-context.ts';
import type { Context } from './language.ts';
import { ATTRIBUTES } from './testing/arbitraries.ts';

const attributes = attributeTable(ATTRIBUTES);

function problems(context: Context): string[] {
  return contextProblems(context, attributes).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
}

test('a context of the right types has no problems, and what nobody declared is ignored', () => {
  const right: Context = {
    targetingKey: 'u1',
    timeZone: 'Europe/Stockholm',
    country: 'a value that nobody has declared yet',
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

test('a value of the wrong type is named with its place, what came, and what would be right', () => {
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
      'note: {} is not a text, a number, true or false, as "note" needs',
    ],
  );
});
