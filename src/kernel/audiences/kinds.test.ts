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

function declare(kind: Kind, name: string, spec: unknown): Operation {
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

const attribute = (name: string, spec: AttributeSpec) => declare(Attribute, name, spec);
const audience = (name: string, spec: AudienceSpec) => declare(Audience, name, spec);
const about = (name: string): AudienceSpec => ({ anyOf: [{ allOf: [{ attribute: name, exists: true }] }] });

/** The result of operations that are written together: no problems, or a list of them. */
function writeProblems(...operations: Operation[]): string[] {
  const limits = { changesMax: 100, charactersMax: 1e6 };
  const start = { kinds: registry.all, version: 0, floor: 0, entries: [], changes: [], limits };
  const plan = new BatchPlan(
    new Memory(start as never),
    decideWith(registry),
    Temporal.Instant.fromEpochMilliseconds(0),
  );
  const problems: string[] = [];
  const request = {
    operations: [declare(Namespace, 'n', undefined), ...operations],
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

test('the examples of both kinds are valid', () => {
  for (const { kind, example } of audienceKinds.map((one) => ({ kind: one, example: one.example }))) {
    assert.deepEqual(writeProblems(declare(kind, example?.name ?? '', example?.spec)), []);
  }
});

test('an attribute and an audience that uses it may be declared in one change', () => {
  assert.deepEqual(
    writeProblems(
      attribute('app-version', { name: 'appVersion', type: 'semver' }),
      audience('recent', about('appVersion')),
    ),
    [],
  );
});

test('an audience with an undeclared attribute is refused, with near spellings', () => {
  assert.deepEqual(writeProblems(attribute('country', { type: 'string' }), audience('swedes', about('contry'))), [
    'spec.anyOf[0].allOf[0].attribute: there is no attribute "contry" (did you mean "country"?); declare it with an Attribute',
  ]);
});

test('an attribute has the name of its object, is not built in, and never changes its type', () => {
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
  for (const [operations, problem] of table) assert.match(writeProblems(...operations).join(' | '), problem);
  assert.deepEqual(
    writeProblems(attribute('age', { type: 'number' }), attribute('age', { type: 'number', multiValued: false })),
    [],
  );
});

test('an audience has members or a rule, does not refer to itself, and has no key on both lists', () => {
  const table: [spec: AudienceSpec, problem: RegExp][] = [
    [{}, /^spec\.anyOf: say who is in it/],
    [{ members: { exclude: ['a'] } }, /^spec\.anyOf: say who is in it/],
    [
      { anyOf: [{ allOf: [{ audience: 'x' }] }] },
      /^spec\.anyOf\[0\]\.allOf\[0\]\.audience: "x" cannot be defined by itself$/,
    ],
    [{ members: { include: ['a', 'b'], exclude: ['b'] } }, /^spec\.members\.include\[1\]: "b" is excluded as well/],
  ];
  for (const [spec, problem] of table) assert.match(writeProblems(audience('x', spec)).join(' | '), problem);
});

/** Reasons that hold changes back in a world. */
function holdReasons(
  world: ReturnType<typeof worldOf>,
  changes: [kind: Kind, name: string, spec: unknown][],
): string[] {
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

test('an attribute that a live audience uses stays live, with the type that the audience relies on', () => {
  const world = worldOf([age], new Map([['adults', adults]]));
  assert.match(holdReasons(world, [[Attribute, 'age', undefined]]).join(), /still needed by Audience "adults"/);
  assert.match(
    holdReasons(world, [[Attribute, 'age', { type: 'string' }]]).join(),
    /would break Audience "adults": "age" is a string/,
  );
  assert.deepEqual(
    holdReasons(world, [
      [Attribute, 'age', undefined],
      [Audience, 'adults', undefined],
    ]),
    [],
  );
});

test('audiences go live together with their references, in any order, but not in a cycle', () => {
  const world = worldOf([]);
  assert.deepEqual(
    holdReasons(world, [
      [Audience, 'grown', refersTo('adults')],
      [Audience, 'adults', adults],
      [Attribute, 'age', { type: 'number' }],
    ]),
    [],
  );
  assert.match(
    holdReasons(world, [[Audience, 'grown', refersTo('adults')]]).join(),
    /there is no live Audience "adults"/,
  );
  const circle = holdReasons(world, [
    [Audience, 'a', refersTo('b')],
    [Audience, 'b', refersTo('c')],
    [Audience, 'c', refersTo('a')],
  ]);
  assert.match(circle.join(), /"a" → "b" → "c" → "a" form a cycle/);
  const diamond: [Kind, string, AudienceSpec][] = [
    [Audience, 'top', refersTo('l', 'r')],
    [Audience, 'l', refersTo('base')],
    [Audience, 'r', refersTo('base')],
    [Audience, 'base', { members: { include: ['x'] } }],
  ];
  assert.deepEqual(holdReasons(world, diamond), []);
});

test('a chain of audiences that is too long is held back at whichever end it grows', () => {
  const chain = (length: number) =>
    new Map(
      Array.from({ length }, (_, at) => [
        `a${at}`,
        at === 0 ? { members: { include: ['x'] } } : refersTo(`a${at - 1}`),
      ]),
    );
  assert.deepEqual(holdReasons(worldOf([], chain(9)), [[Audience, 'a9', refersTo('a8')]]), []);
  assert.match(
    holdReasons(worldOf([], chain(10)), [[Audience, 'a10', refersTo('a9')]]).join(),
    /has 11 audiences, and 10 are allowed/,
  );
  const world = worldOf([], chain(10));
  world.set(live(Audience, 'below', { members: { include: ['y'] } }));
  assert.match(
    holdReasons(world, [[Audience, 'a0', refersTo('below')]]).join(),
    /has 11 audiences, and 10 are allowed/,
  );
});

test('changes of audiences and attributes are described in plain sentences', () => {
  const say = (kind: Kind, name: string, before: unknown, after: unknown) =>
    kind.describe?.(name, { before, after }, { world: worldOf([]), now: Temporal.Instant.fromEpochMilliseconds(0) });
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
    ['New attribute: appVersion (set of semver); flags that use it fail for contexts with another type.'],
  );
  assert.deepEqual(say(Attribute, 'age', age, { ...age, sensitive: true, values: [1] }), [
    'The values that attribute age may have change.',
    'Attribute age is now kept out of messages.',
  ]);
});
