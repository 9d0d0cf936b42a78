import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowthBook } from '@growthbook/growthbook';
import fc from 'fast-check';
import { contextProblems } from '#kernel/audiences/check-context.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { decideFlag, declaredTable } from '../../testing/imported-table.ts';
import { importGrowthbook } from './growthbook.ts';

const TEXTS = ['SE', 'se', 'NO', 'null', '', '12', 'a/b', 'v1.2', 'x😀y'];
const NUMBERS = [0, 1, 12, -3.5, 18];
const VERSIONS = ['1.2.3', '1.2.3-beta.2', 'v1.10.0', '1.2', '2024.1', '123456.0.0', '', '0'];
/**
 * Facts that conditions alone do not show: list attributes used only with $in, and a saved group with two
 * value types.
 */
const ATTRIBUTES = new Map([
  ['tags', { type: 'string', multiValued: true }],
  ['country', { type: 'string' }],
] as const);
const IDS = ['', 'å', ...Array.from({ length: 60 }, (_, number) => `user-${number}`)];

const contextArbitrary: fc.Arbitrary<Context> = fc
  .record({
    id: fc.option(fc.constantFrom(...IDS), { nil: undefined, freq: 6 }),
    deviceId: fc.option(fc.constantFrom<unknown>('d1', 'd2', 17, true), { nil: undefined, freq: 3 }),
    country: fc.option(fc.constantFrom(...TEXTS), { nil: undefined, freq: 3 }),
    age: fc.option(fc.constantFrom(...NUMBERS), { nil: undefined, freq: 3 }),
    premium: fc.option(fc.boolean(), { nil: undefined, freq: 3 }),
    version: fc.option(fc.constantFrom(...VERSIONS), { nil: undefined, freq: 3 }),
    tags: fc.option(fc.array(fc.constantFrom('a', 'b', 'C'), { maxLength: 3 }), { nil: undefined, freq: 3 }),
    user: fc.option(fc.record({ plan: fc.constantFrom('free', 'paid') }), { nil: undefined, freq: 3 }),
  })
  .map((context) => JSON.parse(JSON.stringify(context)) as Context);

const listOf = <Value>(values: readonly Value[]) => fc.array(fc.constantFrom(...values), { maxLength: 3 });
const operator = <Value>(names: readonly string[], value: fc.Arbitrary<Value>) =>
  fc.tuple(fc.constantFrom(...names), value).map(([name, expected]) => ({ [name]: expected }));
const text = fc.oneof(
  fc.constantFrom(...TEXTS),
  operator(['$eq', '$ne'], fc.constantFrom<unknown>(...TEXTS, null)),
  operator(['$in', '$nin', '$ini', '$nini'], listOf<unknown>([...TEXTS, null])),
  operator(
    ['$regex', '$regexi'],
    fc.constantFrom('^s', 'a/b$', '.*E.*', 'null', '^x.*y$', '(', '\\d+', '^(a|A)+', 'x\\'),
  ),
  operator(['$inGroup', '$notInGroup'], fc.constantFrom('countries', 'nothing', 'condition')),
);
const number = fc.oneof(
  fc.constantFrom(...NUMBERS),
  operator(['$eq', '$ne'], fc.constantFrom(...NUMBERS)),
  operator(['$in', '$nin'], listOf(NUMBERS)),
  operator(['$gt', '$gte', '$lt', '$lte'], fc.constantFrom(...NUMBERS)),
  fc.constant({ $gte: 1, $lt: 18 }),
);
const about = fc.oneof(
  text.map((country) => ({ country })),
  number.map((age) => ({ age })),
  fc.oneof(fc.boolean(), operator(['$eq', '$ne'], fc.boolean())).map((premium) => ({ premium })),
  operator(['$veq', '$vne', '$vgt', '$vgte', '$vlt', '$vlte'], fc.constantFrom(...VERSIONS)).map((version) => ({
    version,
  })),
  fc
    .oneof(
      fc.constantFrom('a', 'z').map((tag) => ({ $elemMatch: { $eq: tag } })),
      operator(['$in', '$nin', '$all', '$ini'], listOf(['a', 'b', 'c'])),
      fc.constant({ $elemMatch: { $regexi: '^c' } }),
    )
    .map((tags) => ({ tags })),
  fc.constantFrom('free', { $in: ['paid'] }).map((plan) => ({ 'user.plan': plan })),
  fc.boolean().map(($exists) => ({ id: { $exists } })),
  fc.constantFrom(
    { $savedGroup: { id: 'condition' } },
    { $savedGroup: { id: 'list' } },
    { $savedGroup: { id: 'nothing' } },
  ),
);
const negated = fc.oneof(
  about,
  about,
  text.map(($not) => ({ country: { $not } })),
  about.map(($not) => ({ $not })),
);
const condition = fc.oneof(
  fc.constant(undefined),
  negated,
  fc.tuple(negated, negated).map((two) => Object.assign({}, ...two) as object),
  operator(['$or', '$nor', '$and'], fc.array(negated, { maxLength: 3 })),
);

const unit = fc
  .constantFrom('d', 'x', undefined)
  .map((one) => (one === 'd' ? 'deviceId' : one === 'x' ? 'id' : undefined));
const range = fc.constantFrom([0, 0.5], [0.2, 0.2], [0.1, 0.9], [0.55, 1.1]);
const hashVersion = fc.constantFrom(1, 2, undefined);
const filters = fc.option(
  fc.array(
    fc.record({
      seed: fc.constantFrom('n1', 'n2'),
      attribute: unit,
      hashVersion,
      ranges: fc.array(range, { minLength: 1, maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  { nil: undefined, freq: 4 },
);
const limits = { condition, hashAttribute: unit, hashVersion, seed: fc.constantFrom('s', undefined), filters };
const coverage = fc.constantFrom(undefined, undefined, 0, 0.25, 0.5, 0.333, 0.50007, 1, 0.9999);
function force<Value>(value: fc.Arbitrary<Value>) {
  return fc.record({ ...limits, force: value, coverage, range: fc.option(range, { nil: undefined, freq: 3 }) });
}
function experiment<Value>(values: readonly (readonly Value[])[]) {
  return fc
    .record({
      ...limits,
      variations: fc.constantFrom(...values),
      coverage,
      weights: fc.constantFrom('equal', 'uneven', undefined),
      key: fc.constantFrom('exp', 'other', undefined),
      namespace: fc.constantFrom(undefined, undefined, ['ns', 0, 0.5], ['ns', 0.4, 1]),
      ranges: fc.constantFrom(
        undefined,
        undefined,
        [
          [0, 0.1],
          [0.1, 0.6],
          [0.6, 1],
        ],
        [
          [0.5, 1],
          [0, 0.2],
        ],
      ),
      meta: fc.constantFrom(undefined, undefined, [{ key: 'c' }, { key: 't', passthrough: true }, {}]),
    })
    .map(({ weights, variations, ...rule }) => ({
      ...rule,
      variations,
      weights:
        weights === undefined
          ? undefined
          : weights === 'equal'
            ? variations.map(() => 1 / variations.length)
            : variations.map((_, index) => (index === 0 ? 1 - 0.1 * (variations.length - 1) : 0.1)),
    }));
}
const parent = fc.record({
  id: fc.constantFrom('first', 'second', 'nothing'),
  condition: fc.constantFrom(
    { value: true },
    { value: { $ne: 'b' } },
    { value: { $in: ['a', 'b'] } },
    { value: { $exists: true } },
    {},
  ),
  gate: fc.boolean(),
});
const parents = fc.option(fc.array(parent, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 2 });

const feature = fc.oneof(
  fc.record({
    defaultValue: fc.constantFrom(false, false, null),
    rules: fc.array(
      fc.oneof(
        force(fc.boolean()),
        experiment([
          [false, true],
          [true, true],
        ]),
      ),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    defaultValue: fc.constantFrom('a', 'b', '', null),
    rules: fc.array(
      fc.oneof(
        force(fc.constantFrom('a', 'b', 'on')),
        experiment([
          ['a', 'b'],
          ['a', 'b', 'a'],
        ]),
      ),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    defaultValue: fc.constant({ limit: 1 }),
    rules: fc.array(force(fc.constantFrom<object>({ limit: 2 }, [1])), { maxLength: 2 }),
  }),
);
const payload = fc
  .record({
    first: feature,
    second: feature,
    third: feature,
    parents: fc.array(parents, { minLength: 3, maxLength: 3 }),
    ids: fc.boolean(),
  })
  .map(({ first, second, third, parents: conditions, ids }) => {
    const prefixNames = (
      prefix: string,
      { rules, ...each }: { rules: readonly object[] },
      above: readonly unknown[],
    ) => ({
      ...each,
      rules: rules.map((rule, index) => ({
        ...rule,
        id: ids ? `${prefix}-${index}` : undefined,
        parentConditions: above[index],
      })),
    });
    return JSON.parse(
      JSON.stringify({
        features: {
          first: prefixNames('1', first, []),
          second: prefixNames('2', second, []),
          'Third feature': prefixNames('3', third, conditions),
        },
        savedGroups: {
          countries: ['SE', 'NO', 'null', 7],
          list: { type: 'list', attributeKey: 'country', values: ['SE', 'a/b'] },
          condition: { type: 'condition', condition: { age: { $gt: 1 } } },
        },
      }),
    ) as { features: Record<string, object>; savedGroups: Record<string, never> };
  });

/** The value of GrowthBook, and whether the listener takes part in an experiment. */
function toolValue(
  { features, savedGroups }: { features: object; savedGroups: object },
  key: string,
  attributes: Context,
) {
  const growthbook = new GrowthBook({
    features: features as never,
    savedGroups: savedGroups as never,
    attributes: { ...attributes },
  });
  const { value, source, ruleId } = growthbook.evalFeature(key);
  growthbook.destroy();
  return { value: value as unknown, source, ruleId };
}

test('imported features are for every context what the SDK of GrowthBook says, and so is who takes part', () => {
  let compared = 0;
  let experiments = 0;
  let leftOut = 0;
  fc.assert(
    fc.property(payload, fc.array(contextArbitrary, { minLength: 8, maxLength: 8 }), (document, contexts) => {
      const { objects, notes } = importGrowthbook(document, { attributes: ATTRIBUTES });
      leftOut += notes.filter((note) => note.leftOut).length;
      const table = declaredTable(objects);
      for (const context of contexts) {
        assert.deepEqual(contextProblems(context, table.audiences.attributes), []);
        for (const flag of table.inOrder()) {
          const outcome = decideFlag(table, flag.key, context);
          const theirs = toolValue(document, flag.key, context);
          const shown = JSON.stringify([flag.key, context, document.features, objects, theirs, outcome?.json]);
          assert.equal(outcome?.error, undefined, shown);
          assert.deepEqual(outcome?.value ?? null, theirs.value, shown);
          compared += 1;
          const spec = objects.find(({ kind, metadata }) => kind === 'Flag' && metadata.name === flag.name)?.spec;
          const rule =
            isRecord(spec) && Array.isArray(spec['rules'])
              ? (spec['rules'] as { name: string; split?: unknown }[]).find(({ name }) => name === outcome?.rule)
              : undefined;
          const takesPart = outcome?.experiment !== undefined || rule?.split !== undefined;
          assert.equal(takesPart, theirs.source === 'experiment', shown);
          if (rule !== undefined && rule.name !== 'otherwise' && theirs.ruleId !== '')
            assert.equal(rule.name, theirs.ruleId, shown);
          if (outcome?.experiment !== undefined) experiments += 1;
        }
      }
    }),
    { numRuns: 800 },
  );
  assert.ok(compared > 5_000 && experiments > 200, `${compared} compared, ${experiments} in experiments`);
  assert.ok(leftOut < compared / 20, `${leftOut} left out`);
});
