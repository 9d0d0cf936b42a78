import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocate, blocksText } from '#kernel/audiences/allocation.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { CompactObject } from '#kernel/snapshots/compact-object.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { Experiment } from '../kinds/experiment.ts';
import type { ExperimentSpec } from '../kinds/experiment-spec.ts';
import { Flag } from '../kinds/flag.ts';
import type { FlagSpec } from '../kinds/flag-spec.ts';
import { Holdout, type HoldoutSpec } from '../kinds/holdout.ts';
import { naiveFlag, type NaiveFlags } from '../testing/naive.ts';
import { experienceKinds } from '../module.ts';
import { compile, update } from './compile.ts';
import { explain } from './explain.ts';
import type { Evaluation, Outcome } from './table.ts';

const kinds = kindRegistry([...audienceKinds, ...experienceKinds]);
const NOW_MS = Date.UTC(2026, 10, 22, 12);

function live(kind: Kind, name: string, spec: unknown, allotment?: unknown): LiveObject {
  const shared = { kind: kind.id, namespace: 'default', name, labels: {}, spec, revision: contentHash(spec) };
  return new CompactObject(allotment === undefined ? shared : { ...shared, allotment }, JSON.stringify(spec));
}

const ATTRIBUTES = [
  { name: 'plan', type: 'string', multiValued: false },
  { name: 'age', type: 'number', multiValued: false },
] as const;
const audiences = new Map([['payers', { anyOf: [{ allOf: [{ attribute: 'plan', in: ['premium'] }] }] }]]);

/** The live objects of a described world. */
function objectsOf({ flags, experiments, holdouts }: NaiveFlags): LiveObject[] {
  return [
    ...ATTRIBUTES.map((attribute) => live(Attribute, attribute.name, attribute)),
    ...[...audiences].map(([name, spec]) => live(Audience, name, spec)),
    ...[...flags].map(([name, spec]) => live(Flag, name, spec)),
    ...[...holdouts].map(([name, spec]) => live(Holdout, name, spec)),
    ...[...experiments].map(([name, { blocks, ...spec }]) =>
      live(Experiment, name, spec, blocks === undefined ? undefined : { blocks }),
    ),
  ];
}

const variant = fc.constantFrom('a', 'b', 'c');
const condition = fc.oneof(
  fc.record({ attribute: fc.constant('plan'), in: fc.subarray(['free', 'premium', 'family'], { minLength: 1 }) }),
  fc.record({ attribute: fc.constant('plan'), notIn: fc.subarray(['free', 'premium'], { minLength: 1 }) }),
  fc.record({ attribute: fc.constant('age'), atLeast: fc.integer({ min: 10, max: 40 }), not: fc.boolean() }),
  fc.record({ audience: fc.constant('payers'), not: fc.boolean() }),
);
const who = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.constant({ audience: 'payers' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      when: fc.record({
        anyOf: fc.array(fc.record({ allOf: fc.array(condition, { minLength: 1, maxLength: 2 }) }), {
          minLength: 1,
          maxLength: 2,
        }),
      }),
    }),
  },
);
const unit = fc.option(fc.constantFrom(['targetingKey'], ['plan', 'targetingKey'], ['age']), { nil: undefined });
const bucketing = fc.option(
  fc.record({
    algorithm: fc.constantFrom('backline', 'growthbook-v2', 'unleash', 'flagd-v2', 'eppo'),
    salt: fc.constantFrom('x', 'y'),
  }),
  { nil: undefined },
);
const weights = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 }))
  .map(([a, b, c]) => [
    { variant: 'a', weight: a },
    { variant: 'b', weight: b },
    { variant: 'c', weight: c },
  ]);
const ranges = fc.constant([
  { variant: 'b', ranges: [{ from: 0.1, until: 0.3 }] },
  {
    variant: 'a',
    ranges: [
      { from: 0.3, until: 0.4 },
      { from: 0.8, until: 1 },
    ],
  },
]);
const split = fc.oneof(weights, ranges);
const traffic = fc.option(
  fc.oneof(
    fc.record({ percent: fc.constantFrom(0, 12.5, 50, 100) }),
    fc.record({ ranges: fc.constant([{ from: 0.2, until: 0.9 }]) }),
    fc.record({
      percent: fc.constant(80),
      also: fc.array(fc.record({ percent: fc.constantFrom(30, 60), unit, bucketing }), { maxLength: 2 }),
    }),
  ),
  { nil: undefined },
);

/** Omits undefined, as JSON does. */
const json = <Value>(arbitrary: fc.Arbitrary<Value>) =>
  arbitrary.map((value) => JSON.parse(JSON.stringify(value)) as Value);

const flagArbitrary = fc
  .record({
    enabled: fc.constantFrom(true, true, true, false),
    fallback: fc.option(variant, { nil: undefined }),
    unit,
    rules: fc.array(
      fc.tuple(who, traffic, unit, bucketing, fc.oneof(variant, split)).map(([meant, part, of, how, given]) => ({
        ...meant,
        traffic: part,
        ...(typeof given === 'string' ? { serve: given } : { split: given, unit: of, bucketing: how }),
      })),
      { maxLength: 3 },
    ),
  })
  .map(({ enabled, fallback, unit: of, rules }) => ({
    type: 'string',
    enabled,
    unit: of,
    default: fallback,
    variants: ['a', 'b', 'c'].map((name) => ({ name, value: name.toUpperCase() })),
    rules: rules.map((rule, index) => ({ ...rule, name: `r${index}` })),
  }));

const experimentArbitrary = fc
  .record({
    meant: who,
    flag: fc.constantFrom('one', 'two'),
    state: fc.constantFrom('running', 'running', 'draft', 'ended'),
    iteration: fc.constantFrom(1, 2),
    unit,
    split,
    bucketing,
    traffic,
    holdouts: fc.option(fc.constant(['rest']), { nil: undefined }),
    sticky: fc.option(
      fc.record({ intake: fc.constantFrom('open', 'paused'), ignoreTargeting: fc.boolean(), days: fc.constant(90) }),
      { nil: undefined },
    ),
    percent: fc.option(fc.constantFrom(20, 70), { nil: undefined }),
  })
  .map(({ meant, percent, ...spec }) => {
    const given = percent === undefined ? undefined : allocate({ percent, seed: 'seed', taken: [] });
    return {
      ...meant,
      ...spec,
      ...(given !== undefined && 'blocks' in given ? { blocks: blocksText(given.blocks) } : {}),
    };
  });

const worldArbitrary: fc.Arbitrary<NaiveFlags> = json(
  fc.record({
    one: flagArbitrary,
    two: flagArbitrary,
    requires: fc.boolean(),
    ruleRequires: fc.subarray([0, 1, 2]),
    experiments: fc.array(experimentArbitrary, { maxLength: 2 }),
    percent: fc.constantFrom(0, 30, 50),
    held: who,
  }),
).map(({ one, two, requires, ruleRequires, experiments, percent, held }) => ({
  audiences: { attributes: new Map(ATTRIBUTES.map((each) => [each.name, each])), audiences },
  flags: new Map<string, FlagSpec>([
    ['one', one as unknown as FlagSpec],
    [
      'two',
      {
        ...two,
        ...(requires ? { requires: [{ flag: 'one', variants: ['a', 'b'] }] } : {}),
        rules: two.rules.map((rule, index) =>
          ruleRequires.includes(index) ? { ...rule, requires: [{ flag: 'one', variants: ['b', 'c'] }] } : rule,
        ),
      } as unknown as FlagSpec,
    ],
  ]),
  experiments: new Map(
    experiments.map((spec, index) => [`exp-${index}`, spec as unknown as ExperimentSpec & { blocks?: string }]),
  ),
  holdouts: new Map<string, HoldoutSpec>([['rest', { percent, ...held }]]),
}));

const contextArbitrary: fc.Arbitrary<Context> = json(
  fc.record({
    targetingKey: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), { nil: undefined }),
    plan: fc.option(fc.constantFrom('free', 'premium', 'family'), { nil: undefined }),
    age: fc.option(fc.integer({ min: 10, max: 40 }), { nil: undefined }),
  }),
);
const keptArbitrary = fc
  .dictionary(fc.constantFrom('exp-0/1', 'exp-0/2', 'exp-1/1'), fc.constantFrom('a', 'b', 'gone'))
  .map((kept) => new Map(Object.entries(kept)));

function outcomeText({ reason, variant: name, rule, experiment, holdout, error }: Outcome): string {
  if (error !== undefined) return error.code;
  if (reason === 'DISABLED') return 'DISABLED';
  const by = rule ?? experiment?.name ?? (holdout === undefined ? 'default' : `holdout ${holdout}`);
  return `${name ?? 'code'} by ${by}`;
}

test('compiled flags decide as the naive reading of what is declared', () => {
  fc.assert(
    fc.property(
      worldArbitrary,
      fc.array(fc.tuple(contextArbitrary, keptArbitrary), { minLength: 5, maxLength: 20 }),
      (world, questions) => {
        const table = compile(new LiveObjects(kinds, objectsOf(world)));
        for (const [context, kept] of questions) {
          const evaluation: Evaluation = { context, kept, nowMs: NOW_MS, random: () => 0 };
          for (const flag of table.inOrder()) {
            const decided = flag.decide(evaluation, table.flags);
            assert.equal(outcomeText(decided), naiveFlag(world, flag.name, context, NOW_MS, kept));
            // The explanation agrees and never fails.
            assert.equal(explain(table, flag, evaluation).variant, decided.variant);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a value of the wrong type changes nothing for flags that are not in error for it', () => {
  let [inError, others] = [0, 0];
  fc.assert(
    fc.property(worldArbitrary, contextArbitrary, keptArbitrary, (world, context, kept) => {
      const { flags } = compile(new LiveObjects(kinds, objectsOf(world)));
      const evaluation = { nowMs: NOW_MS, random: () => 0, kept };
      for (const flag of flags.values()) {
        const wrong = new Map([['plan', 'it is of the wrong type']]);
        const decided = flag.decide({ ...evaluation, context: { ...context, plan: 'premium' }, wrong }, flags);
        if (decided.error?.code === 'INVALID_CONTEXT') {
          inError += 1;
          continue;
        }
        others += 1;
        for (const plan of ['premium', 'free', undefined]) {
          const right = flag.decide({ ...evaluation, context: { ...context, plan } }, flags);
          assert.equal(decided.json, right.json, `${flag.key} with ${String(plan)}`);
        }
      }
    }),
  );
  assert.ok(inError > 0 && others > 0, `${inError} in error, ${others} not`);
});

test('a table that is updated equals one that is compiled anew, and the one before stays as it was', () => {
  fc.assert(
    fc.property(
      worldArbitrary,
      worldArbitrary,
      fc.array(contextArbitrary, { maxLength: 5 }),
      (before, after, contexts) => {
        const objects = objectsOf(before);
        const world = new LiveObjects(kinds, objects);
        const first = compile(world);
        const answers = (table: typeof first) =>
          contexts.map((context) =>
            table
              .inOrder()
              .map(
                (flag) => flag.decide({ context, kept: new Map(), nowMs: NOW_MS, random: () => 0 }, table.flags).json,
              ),
          );
        // Flags compile lazily: the first table is evaluated only after its world changed.
        const answeredBefore = answers(compile(new LiveObjects(kinds, objects)));
        const next = objectsOf(after);
        const isIn = (list: readonly LiveObject[], { kind, name }: LiveObject) =>
          list.some((other) => other.kind === kind && other.name === name);
        const gone = objects.filter((object) => !isIn(next, object));
        for (const { kind, name } of gone) world.delete(kind, name);
        for (const object of next) world.set(object);
        const changed = [...gone, ...next].map(({ kind, name }) => ({ kind, name }));
        // First only small changes of flags and experiments, then any change.
        const small = changed.filter(({ kind }) => kind === Flag.id || kind === Experiment.id);
        const holdoutStays = JSON.stringify([...before.holdouts]) === JSON.stringify([...after.holdouts]);
        const updated = update(first, world, holdoutStays ? small : changed);
        const anew = compile(world);
        assert.deepEqual(answers(updated), answers(anew));
        assert.equal(updated.tag, anew.tag);
        assert.deepEqual(answers(first), answeredBefore);
      },
    ),
    { numRuns: 300 },
  );
});

test('raising the part that takes part moves nobody back', () => {
  const flagOf = (percent: number): FlagSpec => ({
    type: 'string',
    enabled: true,
    default: 'a',
    variants: [
      { name: 'a', value: 'A' },
      { name: 'b', value: 'B' },
    ],
    rules: [{ name: 'ramp', traffic: { percent }, serve: 'b' }],
  });
  const tables = [1, 10, 25, 50, 100].map((percent) =>
    compile(new LiveObjects(kinds, [live(Flag, 'one', flagOf(percent))])),
  );
  const counts = tables.map(() => 0);
  for (let number = 0; number < 20_000; number += 1) {
    const evaluation: Evaluation = { context: { targetingKey: `u${number}` }, nowMs: NOW_MS, random: () => 0 };
    let was = false;
    for (const [index, table] of tables.entries()) {
      const isIn = table.flags.get('one')?.decide(evaluation, table.flags).variant === 'b';
      assert.ok(isIn || !was, `u${number} was in and is no longer`);
      was = isIn;
      if (isIn) counts[index] = (counts[index] ?? 0) + 1;
    }
  }
  // Three standard errors of a binomial share around the expected one.
  for (const [index, share] of [0.01, 0.1, 0.25, 0.5, 1].entries()) {
    const tolerance = 3 * Math.sqrt((share * (1 - share)) / 20_000) + 1e-9;
    assert.ok(Math.abs((counts[index] ?? 0) / 20_000 - share) <= tolerance, `${counts[index]} of 20000 for ${share}`);
  }
});

test('a flag that is found by its name alone and refers to nothing is not read before its evaluation', () => {
  const spec = { type: 'boolean', variants: [{ name: 'on', value: true }], enabled: true };
  const unread = new CompactObject(live(Flag, 'unread', {}), 'not JSON', []);
  const keyed = live(Flag, 'keyed', { ...spec, key: 'key' });
  const requiring = live(Flag, 'requiring', { ...spec, requires: [{ flag: 'keyed', variants: ['on'] }] });
  const { flags } = compile(new LiveObjects(kinds, [unread, keyed, requiring]));
  assert.deepEqual(
    Array.from(flags, ([key, { name, requires }]) => [key, name, requires]),
    [
      ['unread', 'unread', false],
      ['key', 'keyed', false],
      ['requiring', 'requiring', true],
    ],
  );
});
