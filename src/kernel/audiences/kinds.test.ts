import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath, Refusal } from '#kernel/base/failures.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { Memory } from '#kernel/store/memory.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { BatchPlan } from '#kernel/store/plan-batch.ts';
import { settle } from '#kernel/releases/settle.ts';
import { audienceKinds } from './kinds.ts';
import { Attribute, type AttributeSpec } from './kinds/attribute.ts';
import { Audience, type AudienceSpec } from './kinds/audience.ts';
import { kinds, live, worldOf } from './testing/world.ts';

const registry = kindRegistry([Namespace, ...audienceKinds]);

function declared(kind: Kind, name: string, spec: unknown): Operation {
  const metadata = kind.namespaced ? { name, namespace: 'n' } : { name };
  const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...(spec === undefined ? {} : { spec }) };
  return {
    verb: 'apply',
    kind: kind.id,
    namespace: kind.namespaced ? 'n' : '',
    name,
    object,
    uid: crypto.randomUUID(),
  };
}

const attribute = (name: string, spec: AttributeSpec) => declared(Attribute, name, spec);
const audience = (name: string, spec: AudienceSpec) => declared(Audience, name, spec);
const about = (name: string): AudienceSpec => ({ anyOf: [{ allOf: [{ attribute: name, exists: true }] }] });

/** What becomes of operations that are written together: nothing to say, or the problems. */
function written(...operations: Operation[]): string[] {
  const limits = { changesMax: 100, charactersMax: 1e6 };
  const start = { kinds: registry.all, version: 0, floor: 0, entries: [], changes: [], limits };
  const plan = new BatchPlan(
    new Memory(start as never),
    decideWith(registry),
    Temporal.Instant.fromEpochMilliseconds(0),
  );
  const problems: string[] = [];
  const request = {
    operations: [declared(Namespace, 'n', undefined), ...operations],
    author: { name: 'test' },
    dryRun: false,
    writeId: '',
    resolve: () => undefined,
    reject: (refusal: unknown) => {
      if (!(refusal instanceof Refusal)) throw refusal;
      problems.push(
        ...(refusal.problems.length > 0
          ? refusal.problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`)
          : [refusal.message]),
      );
    },
  };
  atOnce(plan.add(request as never));
  plan.answer();
  return problems;
}

test('the examples of both kinds are good', () => {
  for (const { kind, example } of audienceKinds.map((one) => ({ kind: one, example: one.example }))) {
    assert.deepEqual(written(declared(kind, example?.name ?? '', example?.spec)), []);
  }
});

test('an attribute and an audience about it may be declared in one change', () => {
  assert.deepEqual(
    written(attribute('app-version', { name: 'appVersion', type: 'semver' }), audience('recent', about('appVersion'))),
    [],
  );
});

test('an audience about an attribute that nobody declared is refused, with near spellings', () => {
  assert.deepEqual(written(attribute('country', { type: 'string' }), audience('swedes', about('contry'))), [
    'spec.anyOf[0].allOf[0].attribute: there is no attribute "contry" (did you mean "country"?); declare it with an Attribute',
  ]);
});

test('an attribute has the name of its object, is not built in, and stays what it is', () => {
  const table: [operations: Operation[], problem: RegExp][] = [
    [
      [attribute('version', { name: 'appVersion', type: 'semver' })],
      /^metadata\.name: .* has the name "app-version", not "version"/,
    ],
    [[attribute('targeting-key', { type: 'string' })], /^spec\.name: targetingKey is always there/],
    [[attribute('time-zone', { name: 'timeZone', type: 'string' })], /^spec\.name: timeZone is always there/],
    [
      [attribute('age', { type: 'number' }), attribute('age', { type: 'string' })],
      /^spec\.type: type was number and cannot become string/,
    ],
    [
      [attribute('age', { type: 'number' }), attribute('age', { type: 'number', multiValued: true })],
      /^spec\.multiValued: multiValued was false and cannot become true/,
    ],
    [
      [attribute('age', { type: 'number', loose: true })],
      /^spec\.loose: only texts can be loose, and this is a number/,
    ],
    [
      [attribute('age', { type: 'string' }), attribute('age', { type: 'string', loose: true })],
      /^spec\.loose: loose was false and cannot become true/,
    ],
    [
      [
        attribute('plan-type', { name: 'planType', type: 'string' }),
        attribute('plan-type', { name: 'plan_type', type: 'string' }),
      ],
      /^spec\.name: name was planType/,
    ],
    [[attribute('age', { type: 'number', values: [1, '1'] })], /^spec\.values\[1\]: "1" is no number$/],
    [
      [attribute('v', { type: 'semver', values: ['1.0.0', 'v1.0.0'] })],
      /^spec\.values\[1\]: "v1\.0\.0" is there twice$/,
    ],
  ];
  for (const [operations, problem] of table) assert.match(written(...operations).join(' | '), problem);
  assert.deepEqual(
    written(attribute('age', { type: 'number' }), attribute('age', { type: 'number', multiValued: false })),
    [],
  );
});

test('an audience says who is in it, does not define itself, and has nobody on both lists', () => {
  const table: [spec: AudienceSpec, problem: RegExp][] = [
    [{}, /^spec\.anyOf: say who is in it/],
    [{ members: { exclude: ['a'] } }, /^spec\.anyOf: say who is in it/],
    [
      { anyOf: [{ allOf: [{ audience: 'x' }] }] },
      /^spec\.anyOf\[0\]\.allOf\[0\]\.audience: "x" cannot be defined by itself$/,
    ],
    [{ members: { include: ['a', 'b'], exclude: ['b'] } }, /^spec\.members\.include\[1\]: "b" is excluded as well/],
  ];
  for (const [spec, problem] of table) assert.match(written(audience('x', spec)).join(' | '), problem);
});

/** What keeps changes from going live in a world. */
function held(world: ReturnType<typeof worldOf>, changes: [kind: Kind, name: string, spec: unknown][]): string[] {
  const candidates = changes.map(([kind, name, spec]) => ({
    kind: kind.id,
    name,
    wanted: spec === undefined ? undefined : live(kind, name, spec),
  }));
  return [...settle(world, candidates, kinds).values()].flat().map(({ detail }) => detail);
}

const age = { name: 'age', type: 'number', multiValued: false } as const;
const adults: AudienceSpec = { anyOf: [{ allOf: [{ attribute: 'age', atLeast: 18 }] }] };
const refersTo = (...names: string[]): AudienceSpec => ({
  anyOf: names.map((name) => ({ allOf: [{ audience: name }] })),
});

test('an attribute that a live audience is about stays live, and stays what the audience relies on', () => {
  const world = worldOf([age], new Map([['adults', adults]]));
  assert.match(held(world, [[Attribute, 'age', undefined]]).join(), /still needed by Audience "adults"/);
  assert.match(
    held(world, [[Attribute, 'age', { type: 'string' }]]).join(),
    /would break Audience "adults": "age" is a string/,
  );
  assert.deepEqual(
    held(world, [
      [Attribute, 'age', undefined],
      [Audience, 'adults', undefined],
    ]),
    [],
  );
});

test('audiences go live together with what they refer to, in any order, but not in a circle', () => {
  const world = worldOf([]);
  assert.deepEqual(
    held(world, [
      [Audience, 'grown', refersTo('adults')],
      [Audience, 'adults', adults],
      [Attribute, 'age', { type: 'number' }],
    ]),
    [],
  );
  assert.match(held(world, [[Audience, 'grown', refersTo('adults')]]).join(), /there is no live Audience "adults"/);
  const circle = held(world, [
    [Audience, 'a', refersTo('b')],
    [Audience, 'b', refersTo('c')],
    [Audience, 'c', refersTo('a')],
  ]);
  assert.match(circle.join(), /"a" → "b" → "c" → "a" go round in a circle/);
  const diamond: [Kind, string, AudienceSpec][] = [
    [Audience, 'top', refersTo('l', 'r')],
    [Audience, 'l', refersTo('base')],
    [Audience, 'r', refersTo('base')],
    [Audience, 'base', { members: { include: ['x'] } }],
  ];
  assert.deepEqual(held(world, diamond), []);
});

test('a chain of audiences that nobody understands is held back at whichever end it grows', () => {
  const chain = (length: number) =>
    new Map(
      Array.from({ length }, (_, at) => [
        `a${at}`,
        at === 0 ? { members: { include: ['x'] } } : refersTo(`a${at - 1}`),
      ]),
    );
  assert.deepEqual(held(worldOf([], chain(9)), [[Audience, 'a9', refersTo('a8')]]), []);
  assert.match(
    held(worldOf([], chain(10)), [[Audience, 'a10', refersTo('a9')]]).join(),
    /has 11 audiences, and 10 are allowed/,
  );
  const world = worldOf([], chain(10));
  world.set(live(Audience, 'below', { members: { include: ['y'] } }));
  assert.match(held(world, [[Audience, 'a0', refersTo('below')]]).join(), /has 11 audiences, and 10 are allowed/);
});

test('changes of audiences and attributes are told in plain sentences', () => {
  const say = (kind: Kind, name: string, before: unknown, after: unknown) =>
    kind.describe?.(name, before, after, worldOf([]), Temporal.Instant.fromEpochMilliseconds(0));
  assert.deepEqual(say(Audience, 'adults', undefined, { ...adults, members: { include: ['a'] } }), [
    'New audience adults: age is at least 18; 1 included by name.',
  ]);
  assert.deepEqual(
    say(Audience, 'adults', adults, { ...refersTo('grown'), title: 'Adults', members: { exclude: ['a', 'b'] } }),
    [
      'Audience adults is now called Adults.',
      'Audience Adults was: age is at least 18. It becomes: audience grown.',
      'Audience Adults: excluded members, 2 more and 0 fewer.',
    ],
  );
  assert.deepEqual(say(Audience, 'adults', adults, undefined), ['Audience adults is removed.']);
  assert.deepEqual(
    say(Attribute, 'app-version', undefined, { name: 'appVersion', type: 'semver', multiValued: true }),
    ['New attribute: appVersion (set of semver); flags that go by it are in error where a context says anything else.'],
  );
  assert.deepEqual(say(Attribute, 'age', age, { ...age, sensitive: true, values: [1] }), [
    'The values that attribute age may have change.',
    'Attribute age is now kept out of messages.',
  ]);
});
