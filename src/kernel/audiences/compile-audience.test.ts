import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BUILT_IN_ATTRIBUTES } from './language/attributes.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { compileAudiences, type AudienceTable } from './compile-audience.ts';
import { Attribute } from './kinds/attribute.ts';
import { Audience, type AudienceSpec } from './kinds/audience.ts';
import type { Condition, Context, Truth } from './language/language.ts';
import { ATTRIBUTES, audiences, context, nowMs, rule } from './testing/arbitraries.ts';
import { naiveAudience, naiveTruth, type NaiveWorld } from './testing/naive.ts';
import { live, liveAttribute, worldOf } from './testing/world.ts';

const attributes = new Map([...BUILT_IN_ATTRIBUTES, ...ATTRIBUTES].map((attribute) => [attribute.name, attribute]));

function naiveWorld(specs: ReadonlyMap<string, AudienceSpec>): NaiveWorld {
  return { attributes, audiences: specs };
}

test('a compiled rule equals the naive evaluator, for any rule, context and moment', () => {
  fc.assert(
    fc.property(
      audiences,
      rule(['a0', 'a1', 'a2', 'nobody']),
      fc.array(context, { minLength: 4, maxLength: 12 }),
      nowMs,
      (specs, one, contexts, now) => {
        const table = compileAudiences(worldOf(ATTRIBUTES, specs));
        const matches = table.compile(one);
        for (const each of contexts) {
          assert.equal(matches(each, now), naiveTruth(one, each, now, naiveWorld(specs)), JSON.stringify([one, each]));
          for (const [name, spec] of specs) {
            assert.equal(table.matcher(name)?.(each, now), naiveAudience(spec, each, now, naiveWorld(specs)));
          }
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

test('an updated table equals a new one, and keeps the matchers of unchanged audiences', () => {
  const change = fc.oneof(
    fc.tuple(fc.constantFrom('a0', 'a1', 'a2'), fc.option(rule(['a0']), { nil: undefined })),
    fc.tuple(fc.constant('age'), fc.constantFrom('number', undefined)),
  );
  fc.assert(
    fc.property(
      audiences,
      fc.array(change, { maxLength: 2 }),
      fc.array(context, { minLength: 5, maxLength: 5 }),
      nowMs,
      (specs, changes, contexts, now) => {
        const world = worldOf(ATTRIBUTES, specs);
        const before = compileAudiences(world);
        const matchers = new Map([...specs.keys()].map((name) => [name, before.matcher(name)]));
        const answers = truths(before, contexts, now);
        for (const [name, spec] of changes) {
          const kind = name === 'age' ? Attribute : Audience;
          if (spec === undefined) world.delete(kind.id, name);
          else if (name === 'age') world.set(liveAttribute({ name, type: 'number', multiValued: false }));
          else world.set(live(Audience, name, spec));
        }
        const changed = changes.map(([name]) => ({ kind: name === 'age' ? Attribute.id : Audience.id, name }));
        const after = atOnce(before.update(world, changed));
        assert.deepEqual(truths(after, contexts, now), truths(compileAudiences(world), contexts, now));
        assert.deepEqual(truths(before, contexts, now), answers);
        assert.equal(after === before, changes.length === 0);
        // No audience refers to a2.
        if (changes.every(([name]) => name === 'a2')) assert.equal(after.matcher('a1'), matchers.get('a1'));
      },
    ),
    { numRuns: 500 },
  );
});

function truths(table: AudienceTable, contexts: readonly Context[], now: number): Truth[] {
  return ['a0', 'a1', 'a2'].flatMap((name) => contexts.map((each) => table.matcher(name)?.(each, now)));
}

const table = compileAudiences(worldOf(ATTRIBUTES));

function truth(condition: Condition, given: Context, now = '2026-01-01T00:00:00Z'): Truth {
  return table.compile({ anyOf: [{ allOf: [condition] }] })(given, Date.parse(now));
}

test('an unknown attribute is neither in nor out, and stays unknown when negated', () => {
  const abroad: Condition = { attribute: 'country', notIn: ['SE'] };
  assert.equal(truth(abroad, {}), undefined);
  assert.equal(truth(abroad, { country: null }), undefined);
  assert.equal(truth({ ...abroad, not: true }, {}), undefined);
  assert.equal(truth(abroad, { country: 7 }), undefined);
  assert.equal(truth({ ...abroad, absent: 'match' }, {}), true);
  assert.equal(truth({ ...abroad, absent: 'match', not: true }, {}), false);
  assert.equal(truth({ ...abroad, absent: 'match' }, { country: 7 }), undefined);
  assert.equal(truth({ attribute: 'country', exists: false }, {}), true);
  assert.equal(truth({ attribute: 'country', exists: true }, { country: 7 }), true);
  assert.equal(truth({ attribute: 'undeclared', exists: false }, {}), undefined);
});

test('an empty set is known to hold nothing', () => {
  assert.equal(truth({ attribute: 'genres', in: ['jazz'] }, { genres: [] }), false);
  assert.equal(truth({ attribute: 'genres', notIn: ['jazz'] }, { genres: [] }), true);
  assert.equal(truth({ attribute: 'genres', exists: true }, { genres: [] }), true);
  assert.equal(truth({ attribute: 'genres', in: ['jazz'] }, { genres: ['pop', 'jazz', 'jazz'] }), true);
  assert.equal(truth({ attribute: 'genres', in: ['jazz'] }, { genres: ['jazz', 7] }), undefined);
});

test('attributes that a context inherits from Object are absent', () => {
  assert.equal(truth({ attribute: 'constructor', exists: true }, {}), false);
  assert.equal(truth({ attribute: 'device.os', exists: true }, { device: 'ios' }), false);
  assert.equal(truth({ attribute: 'device.os', in: ['ios'] }, { device: { os: 'ios' } }), true);
  assert.equal(truth({ attribute: 'device.os', in: ['ios'] }, { 'device.os': 'tv', device: { os: 'ios' } }), false);
});

test('a pre-release counts as the version that it is', () => {
  const recent: Condition = { attribute: 'appVersion', semver: '>=8.9.0' };
  assert.equal(truth(recent, { appVersion: '9.0.0-beta.1' }), true);
  assert.equal(truth(recent, { appVersion: '8.9.0-beta.1' }), false);
  assert.equal(truth({ attribute: 'appVersion', semver: '<9' }, { appVersion: '9.0.0-beta.1' }), false);
  assert.equal(truth(recent, { appVersion: '9.0' }), undefined);
});

test('a nightly window belongs to the day on which it begins, by the wall clock of the listener', () => {
  const night: Condition = { time: { zone: 'listener', days: ['fri'], from: '22:00', until: '02:00' } };
  const inNewYork = { timeZone: 'America/New_York' };
  assert.equal(truth(night, inNewYork, '2026-06-06T02:00:00Z'), true);
  assert.equal(truth(night, inNewYork, '2026-06-06T05:59:59Z'), true);
  assert.equal(truth(night, inNewYork, '2026-06-06T06:00:00Z'), false);
  assert.equal(truth(night, inNewYork, '2026-06-05T05:00:00Z'), false);
  assert.equal(truth(night, {}, '2026-06-05T22:00:00Z'), true);
  assert.equal(truth(night, { timeZone: 'Mars/Olympus' }, '2026-06-05T22:00:00Z'), undefined);
});

test('an expression finds the end of a text, also beyond the first plane of Unicode', () => {
  assert.equal(truth({ attribute: 'country', matches: 'x[^a]$' }, { country: 'x🎧' }), true);
  assert.equal(truth({ attribute: 'country', matches: '[^a]$|b' }, { country: 'a' }), false);
});

test('when clocks go back an hour counts twice, when they go forward it never comes', () => {
  const twoToThree: Condition = { time: { zone: 'Europe/Stockholm', from: '02:00', until: '03:00' } };
  const minutesOn = (day: string) => {
    const start = Date.parse(`${day}T00:00:00Z`);
    return Array.from({ length: 1_440 }, (_, minute) => start + minute * 60_000).filter(
      (now) => truth(twoToThree, {}, new Date(now).toISOString()) === true,
    ).length;
  };
  assert.deepEqual(['2026-03-29', '2026-06-01', '2026-10-25'].map(minutesOn), [0, 60, 120]);
});

test('a table with a cycle, which cannot go live, still answers', () => {
  const circle = new Map<string, AudienceSpec>([
    ['a', { anyOf: [{ allOf: [{ audience: 'b' }] }] }],
    ['b', { anyOf: [{ allOf: [{ audience: 'a' }] }] }],
  ]);
  assert.equal(compileAudiences(worldOf([], circle)).matcher('a')?.({}, 0), undefined);
});
