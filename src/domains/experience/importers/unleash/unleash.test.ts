import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import UnleashClient from 'unleash-client/lib/client.js';
import { defaultStrategies } from 'unleash-client/lib/strategy/index.js';
import { Strategy } from 'unleash-client/lib/strategy/strategy.js';
import type { Context } from '#kernel/audiences/language/language.ts';
import { patternFault, patternTest } from '#kernel/audiences/language/pattern.ts';
import { contextProblems } from '#kernel/audiences/check-context.ts';
import { decideFlag, declaredTable } from '../../testing/imported-table.ts';
import { importUnleash } from './unleash.ts';

const FIELDS = ['userId', 'sessionId', 'remoteAddress', 'environment', 'version', 'score', 'custom.field'];
const VALUES = {
  userId: ['1', '2', '7', 'cat', 'Cats', '', 'u12', ...Array.from({ length: 40 }, (_, number) => `user-${number}`)],
  sessionId: ['s1', 's2', ''],
  remoteAddress: ['10.0.0.1', '10.9.9.9', '192.168.1.7', '2001:db8::1', '::ffff:10.0.0.1', 'nowhere', ''],
  environment: ['dev', 'prod'],
  version: ['1.2.3', 'v1.2.3', '1.2.3-beta.2', '2.0.0+build', '1.2', 'latest', 3],
  score: [0, 12, '12', '12.0', '-3', '', ' 7 ', '1e3', 'Infinity', 'many', true],
  'custom.field': ['A', 'a', 'foo bar', 'line\nfoo', 'x@y.z', 1.5, false],
} as const;

const SEMVER = ['SEMVER_EQ', 'SEMVER_GT', 'SEMVER_GTE', 'SEMVER_LT', 'SEMVER_LTE'];
const NUMBER = ['NUM_EQ', 'NUM_GT', 'NUM_GTE', 'NUM_LT', 'NUM_LTE'];
const TEXT = ['IN', 'NOT_IN', 'STR_STARTS_WITH', 'STR_ENDS_WITH', 'STR_CONTAINS'];
const VERSIONS = ['1.2.3', 'v1.2.3', '1.2.3-beta.1', '1.2.3-beta.2', '2.0.0', '1.2'];
const NUMBERS = ['12', '0', '', '-3', '7', '1000', 'x'];
const NETWORKS = [
  '10.0.0.0/8',
  '10.1.2.3/8',
  '192.168.1.7',
  '2001:db8::/32',
  '2001:db8::1',
  '1.2.3',
  '::ffff:10.0.0.0/104',
];
const PATTERNS = [
  '^cat',
  '(?i)CAT',
  'a.*b',
  '^.$',
  '\\d{1,2}',
  '(?m)^foo$',
  '[[:alpha:]]+\\b',
  '\\S@\\w',
  '^(a|A)+$',
  '(',
  '(?=a)',
  '[^\\s]+ bar',
];

/** A constraint of one type on a suitable field, or sometimes on any. */
function sort(operators: readonly string[], fields: readonly string[], texts: readonly string[]) {
  return fc.record({
    operator: fc.constantFrom(...operators),
    contextName: fc.oneof(
      { arbitrary: fc.constantFrom(...fields), weight: 4 },
      { arbitrary: fc.constantFrom(...FIELDS), weight: 1 },
    ),
    values: fc.array(fc.constantFrom(...texts), { maxLength: 3 }),
    value: fc.constantFrom(...texts),
    inverted: fc.boolean(),
    caseInsensitive: fc.boolean(),
  });
}
const constraint = fc.oneof(
  sort(TEXT, ['userId', 'environment', 'custom.field'], ['1', 'cat', 'CAT', ' 7 ', 'a', 'foo', '', 'prod', 'ba']),
  sort(TEXT, ['version', 'score'], ['12', '3', '1.2.3', '-3', 'true', 'v']),
  sort(NUMBER, ['score'], NUMBERS),
  sort(SEMVER, ['version'], VERSIONS),
  sort(['IN_CIDR'], ['remoteAddress'], NETWORKS),
  sort(['REGEX'], ['userId', 'custom.field'], PATTERNS),
  sort(['NEW'], ['userId'], ['1']),
);
const constraints = fc.array(constraint, { maxLength: 2 });

const variants = fc.option(
  fc.array(
    fc.record(
      {
        name: fc.constantFrom('red', 'blue', 'disabled', 'enabled'),
        weight: fc.constantFrom(0, 1, 33, 500),
        payload: fc.constantFrom(undefined, { type: 'string', value: 'x' }, { type: 'json', value: '{}' }),
        overrides: fc.constantFrom(
          undefined,
          [{ contextName: 'userId', values: ['1', 'cat'] }],
          [{ contextName: 'score', values: ['12'] }],
        ),
      },
      { requiredKeys: ['name', 'weight'] },
    ),
    { maxLength: 3 },
  ),
  { nil: undefined },
);
const sticky = fc.constantFrom('default', 'userId', 'sessionId', 'score', 'custom.field', undefined);
const percent = fc.constantFrom('0', '1', '30', '50.5', '20.9', '99', '100', '150', '-1', 'x');
const group = fc.constantFrom('g', 'group 2', undefined);
const strategy = fc
  .tuple(
    fc.oneof(
      fc.constant({ name: 'default', parameters: {} }),
      fc
        .constantFrom('', '1', '1,2', 'cat , u12', '1,,2')
        .map((userIds) => ({ name: 'userWithId', parameters: { userIds } })),
      fc
        .constantFrom('', '10.0.0.1', '10.0.0.0/8, 2001:db8::1', 'nowhere', '10.1.1.1/8,192.168.1.7')
        .map((IPs) => ({ name: 'remoteAddress', parameters: { IPs } })),
      fc
        .tuple(fc.constantFrom('gradualRolloutUserId', 'gradualRolloutSessionId'), percent, group)
        .map(([name, percentage, groupId]) => ({ name, parameters: { percentage, groupId } })),
      fc.tuple(percent, sticky, group).map(([rollout, stickiness, groupId]) => ({
        name: 'flexibleRollout',
        parameters: { rollout, stickiness, groupId },
      })),
      fc.constantFrom('0', '100').map((percentage) => ({ name: 'gradualRolloutRandom', parameters: { percentage } })),
    ),
    constraints,
    fc.subarray([1, 2, 404]),
    variants,
    fc.constantFrom('default', 'userId', 'custom.field', undefined),
  )
  .map(([{ name, parameters }, limits, segments, own, stickiness]) => ({
    name,
    parameters,
    constraints: limits,
    segments: segments.length === 3 ? [] : segments,
    variants: own?.map((variant) => ({ ...variant, stickiness })),
  }));

const state = fc
  .record({
    features: fc.array(
      fc.record({
        enabled: fc.constantFrom(true, true, true, false),
        strategies: fc.array(strategy, { maxLength: 3 }),
        variants,
        stickiness: fc.constantFrom('default', 'score', undefined),
        dependencies: fc.option(
          fc.array(
            fc.record(
              {
                feature: fc.constantFrom('Feature 0', 'feature-1', 'nothing'),
                enabled: fc.boolean(),
                variants: fc.constantFrom([], ['red'], ['disabled'], ['blue', 'nothing']),
              },
              { requiredKeys: ['feature'] },
            ),
            { maxLength: 2 },
          ),
          { nil: undefined, freq: 2 },
        ),
      }),
      { minLength: 3, maxLength: 3 },
    ),
    segments: fc
      .tuple(constraints, constraints)
      .map((all) => all.map((one, index) => ({ id: index + 1, constraints: one }))),
  })
  // JSON form: without undefined.
  .map(({ features, segments }) => ({
    version: 2,
    segments: JSON.parse(JSON.stringify(segments)) as object[],
    features: (JSON.parse(JSON.stringify(features)) as typeof features).map(({ stickiness, ...feature }, index) => ({
      ...feature,
      name: ['Feature 0', 'feature-1', 'feature/2'][index],
      variants: feature.variants?.map((variant) => ({ ...variant, stickiness })),
    })),
  }));

const context: fc.Arbitrary<Context> = fc
  .record(
    Object.fromEntries(
      FIELDS.map((field) => [field, fc.constantFrom<unknown>(...VALUES[field as keyof typeof VALUES])]),
    ),
    { requiredKeys: [] },
  )
  .map((each) => JSON.parse(JSON.stringify(each)) as Context);

/** The answer of the Unleash client, as a flag value. */
function toolValue(features: ReturnType<typeof sdk>, name: string, given: Context) {
  const { userId, sessionId, remoteAddress, environment, ...properties } = given;
  return countingDraws(() => {
    const variant = features.getVariant(name, { userId, sessionId, remoteAddress, environment, properties } as never);
    const { feature_enabled, name: called, payload, enabled } = variant;
    return { name: called, enabled, feature_enabled, ...(payload === undefined ? {} : { payload }) };
  });
}

function sdk({
  features,
  segments,
}: {
  features: readonly { name?: string | undefined }[];
  segments: readonly object[];
}) {
  const repository = {
    getToggle: (name: string) => features.find((feature) => feature.name === name),
    getSegment: (id: number) => segments.find((segment) => 'id' in segment && segment.id === id),
  };
  return new UnleashClient.default(repository as never, defaultStrategies);
}

/** A computation, with the number of random numbers it drew. */
function countingDraws<Value>(compute: () => Value): { readonly value: Value; readonly draws: number } {
  const { random } = Math;
  let draws = 0;
  Math.random = () => {
    draws += 1;
    return 0;
  };
  try {
    const value = compute();
    return { value, draws };
  } finally {
    Math.random = random;
  }
}

test('imported features are for every context what unleash-client says', () => {
  let compared = 0;
  let leftOut = 0;
  fc.assert(
    fc.property(state, fc.array(context, { minLength: 10, maxLength: 10 }), (document, contexts) => {
      const { objects, notes } = importUnleash(document);
      leftOut += notes.filter((note) => note.leftOut).length;
      const table = declaredTable(objects);
      const client = sdk(document);
      for (const given of contexts) {
        if (contextProblems(given, table.audiences.attributes).length > 0) continue;
        for (const flag of table.inOrder()) {
          let draws = 0;
          const random = () => {
            draws += 1;
            return 0;
          };
          const { value } = flag.decide({ context: given, nowMs: 0, random, kept: new Map() }, table.flags);
          const theirs = toolValue(client, flag.key, given);
          // A random unit here requires a draw there (except for a dependency, whose variant Unleash does not
          // evaluate), and variants must belong to different units.
          if (draws > 0) {
            const { dependencies } = document.features.find(({ name }) => name === flag.key) ?? {};
            assert.ok(theirs.draws > 0 || dependencies !== undefined, JSON.stringify([flag.key, given, objects]));
            continue;
          }
          compared += 1;
          const whole =
            typeof value === 'boolean' ? { name: 'disabled', enabled: false, feature_enabled: value } : value;
          assert.deepEqual(whole, theirs.value, JSON.stringify([flag.key, given, objects]));
        }
      }
    }),
    { numRuns: 600 },
  );
  assert.ok(compared > 10_000, `${compared} compared`);
  assert.ok(leftOut < compared / 20, `${leftOut} left out`);
});

function feature(strategy: object): object {
  return { features: [{ name: 'f', enabled: true, strategies: [strategy] }] };
}

test('a gradual strategy matches the same units as unleash-client, for any fraction of a percent', () => {
  for (const rollout of ['0.5', '1', '20.9', '50.5', '99.99']) {
    const document = feature({ name: 'flexibleRollout', parameters: { rollout, stickiness: 'userId', groupId: 'g' } });
    const table = declaredTable(importUnleash(document).objects);
    const client = sdk({ segments: [], ...(document as { features: [] }) });
    for (let number = 0; number < 500; number += 1) {
      const context = { userId: `user-${number}` };
      assert.equal(
        decideFlag(table, 'f', context)?.value,
        client.isEnabled('f', context, () => false),
      );
    }
  }
});

test('a unit with overrides is drawn once, like every other', () => {
  const overrides = [{ contextName: 'userId', values: ['1'] }];
  const document = feature({
    name: 'flexibleRollout',
    parameters: { rollout: '50', stickiness: 'random', groupId: 'g' },
    variants: ['red', 'blue', 'green'].map((name) => ({ name, weight: 1, overrides })),
  });
  const table = declaredTable(importUnleash(document).objects);
  let enabled = 0;
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let round = 0; round < 4_000; round += 1) {
    const outcome = decideFlag(table, 'f', { userId: '1' }, { random });
    assert.ok(outcome?.variant === 'red' || outcome?.variant === 'disabled');
    if (outcome.variant === 'red') enabled += 1;
  }
  // Four standard errors; a second draw would give 3,000.
  assert.ok(Math.abs(enabled - 2_000) < 127, `${enabled} of 4000`);
});

test('expressions of RE2 mean what they mean in Unleash, in whatever text', () => {
  const piece = fc.constantFrom(
    'k',
    'S',
    'x',
    '-',
    '\\.',
    '.',
    '[a-k]',
    '[^a-k]',
    '[^K\\s]',
    '\\w',
    '\\W',
    '\\S',
    '[\\W_x]',
    '[[:punct:]x]',
    '\\d',
    '\\b',
    '[]x-]',
    '\\x',
    '(?i)',
    '(?-i)',
    '(?s)',
    '(?i:k)',
    '(x|ks?)',
    '(?P<name>s+)',
    '\\n',
    '{',
    '}',
    '/',
    '😀',
    'é',
    '\\/',
  );
  const repeated = fc
    .tuple(piece, fc.constantFrom('', '', '', '', '*', '+', '?', '{2}', '{1,3}', '*?', '{0,}'))
    .map((two) => two.join(''));
  const pattern = fc
    .tuple(
      fc.constantFrom('', '', '^', '(?m)^', '\\A', '(?i)'),
      fc.array(repeated, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('', '', '$', '\\z', '|x$'),
    )
    .map(([start, pieces, end]) => start + pieces.join('') + end);
  const text = fc
    .array(
      fc.constantFrom(
        'k',
        'K',
        '\u212a',
        's',
        'S',
        '\u017f',
        'x',
        'a',
        '-',
        '.',
        '_',
        ' ',
        '\n',
        '\r',
        '\u2028',
        '\v',
        '7',
        '😀',
        'é',
        '[',
        '/',
      ),
      { maxLength: 6 },
    )
    .map((chars) => chars.join(''));
  const evaluator = new Strategy('any');
  let allowed = 0;
  fc.assert(
    fc.property(
      pattern,
      fc.boolean(),
      fc.array(text, { minLength: 8, maxLength: 8 }),
      (value, caseInsensitive, texts) => {
        const fault = patternFault(value);
        if (fault?.reason === 'size') return;
        if (fault === undefined) allowed += 1;
        const isFound = patternTest(value, caseInsensitive);
        for (const userId of texts) {
          const constraint = {
            contextName: 'userId',
            operator: 'REGEX',
            value,
            caseInsensitive,
            inverted: false,
            values: [],
          };
          assert.equal(
            isFound(userId, {}) ?? false,
            evaluator.checkConstraint(constraint as never, { userId }),
            JSON.stringify([value, userId]),
          );
        }
      },
    ),
    { numRuns: 3_000 },
  );
  assert.ok(allowed > 1_500, `${allowed} allowed`);
});
