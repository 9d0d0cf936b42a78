import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagdCore } from '@openfeature/flagd-core';
import fc from 'fast-check';
import { contextProblems } from '#kernel/audiences/check-context.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { decideFlag, declaredTable } from '../../testing/imported-table.ts';
import { importFlagd } from './flagd.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12, 0, 7, 250);
const NOW_S = Math.floor(NOW_MS / 1_000);
const SILENT = { error() {}, warn() {}, info() {}, debug() {} };

const EMAILS = ['a@x.com', 'b@y.org', '', 'x', '😀@x.com'];
const VERSIONS: readonly unknown[] = [
  '1.2.3',
  'v1.2',
  '1.3.1',
  '1.2.9-a',
  'V2',
  '2.0.0-rc.1',
  '2.0.0+b',
  '1',
  'x',
  '',
  1.5,
  2,
  true,
];
const KEYS = ['', 'å', ...Array.from({ length: 60 }, (_, number) => `user-${number}`)];

const contextArbitrary: fc.Arbitrary<Context> = fc
  .record({
    targetingKey: fc.option(fc.constantFrom(...KEYS), { nil: undefined, freq: 5 }),
    email: fc.option(fc.constantFrom(...EMAILS), { nil: undefined, freq: 3 }),
    age: fc.option(fc.constantFrom(0, 1, -2.5, 18, 30), { nil: undefined, freq: 3 }),
    premium: fc.option(fc.boolean(), { nil: undefined, freq: 3 }),
    trial: fc.option(fc.boolean(), { nil: undefined, freq: 3 }),
    version: fc.option(fc.constantFrom(...VERSIONS), { nil: undefined, freq: 4 }),
    session: fc.option(fc.constantFrom<unknown>('s1', 's2', '', 7, true), { nil: undefined, freq: 2 }),
    groups: fc.option(fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }), { nil: undefined, freq: 3 }),
    device: fc.option(fc.record({ os: fc.constantFrom('ios', 'tv') }), { nil: undefined, freq: 3 }),
  })
  .map((context) => JSON.parse(JSON.stringify(context)) as Context);

const variable = (name: string) => ({ var: name });
const either = (operator: string, left: unknown, right: unknown) =>
  fc.boolean().map((turned) => ({ [operator]: turned ? [right, left] : [left, right] }));
const compare = (
  operators: readonly string[],
  name: string,
  values: readonly unknown[],
  fallbacks: readonly unknown[],
) =>
  fc
    .tuple(
      fc.constantFrom(...operators),
      fc.constantFrom(...values),
      fc.constantFrom(undefined, undefined, ...fallbacks),
    )
    .chain(([operator, value, fallback]) =>
      either(operator, fallback === undefined ? variable(name) : { var: [name, fallback] }, value),
    );

const condition: fc.Arbitrary<unknown> = fc.oneof(
  compare(['==', '===', '!=', '!=='], 'email', [...EMAILS, null], ['x']),
  compare(['==', '===', '!=', '!==', '<', '<=', '>', '>='], 'age', [0, 1, 18, 18.5, null, true], [18, null]),
  compare(['==', '===', '!=', '!==', '<', '>='], 'premium', [true, false, null], [false]),
  compare(['==', '==='], 'device.os', ['ios', 'web'], []),
  fc.constantFrom(
    { '<': [1, variable('age'), 20] },
    { in: ['@x', variable('email')] },
    { in: ['', variable('email')] },
    { in: [variable('email'), ['x', 'b@y.org', null]] },
    { in: [variable('age'), [0, 18]] },
    { in: ['b', variable('groups')] },
    { in: ['b', ['a', 'b']] },
    { '!': variable('trial') },
    { '!': [variable('email')] },
    { '!!': [variable('age')] },
    { starts_with: [variable('email'), 'a@'] },
    { ends_with: [variable('email'), '.com'] },
    { ends_with: [{ var: ['email', 'n.com'] }, '.com'] },
    { starts_with: [variable('email')] },
    { $ref: 'isAdult' },
    { '==': [variable('$flagd.flagKey'), 'one'] },
    variable('trial'),
    true,
    0,
    '',
  ),
  fc
    .tuple(fc.constantFrom('<', '<=', '>', '>=', '=='), fc.constantFrom(NOW_S, NOW_S + 1, NOW_S - 1, NOW_S + 0.5, 0))
    .chain(([operator, second]) => either(operator, variable('$flagd.timestamp'), second)),
  fc
    .tuple(
      fc.constantFrom('=', '!=', '<', '<=', '>', '>=', '^', '~', '?'),
      fc.constantFrom('1.2.3', '1.2', '2', 'v2.0.0-rc.1', 'x', 1),
      fc.boolean(),
    )
    .map(([operator, version, turned]) => ({
      sem_ver: turned ? [version, operator, variable('version')] : [variable('version'), operator, version],
    })),
);

const buckets = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom('on', 'off', 'beta'), fc.constantFrom(0, 1, 50, 25)),
    fc.constantFrom(['on'], ['off', -5], [null, 10], ['beta', 1.5]),
  ),
  { minLength: 1, maxLength: 3 },
);
const by = fc.constantFrom(
  undefined,
  undefined,
  variable('email'),
  { cat: [variable('$flagd.flagKey'), variable('session')] },
  { cat: ['other', variable('session')] },
  { cat: ['salt', '-', variable('email')] },
  { cat: ['constant'] },
  variable('targetingKey'),
);
const fractional = fc
  .tuple(by, buckets)
  .map(([first, list]) => ({ fractional: first === undefined ? list : [first, ...list] }));

const { logic } = fc.letrec<{ logic: unknown; test: unknown }>((tie) => ({
  test: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    condition,
    fc.array(tie('test'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('test'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie('test').map((one) => ({ '!': [one] })),
  ),
  logic: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constantFrom('on', 'off', 'beta', null, true), fractional, condition),
    fc.tuple(tie('test'), tie('logic'), tie('logic')).map((parts) => ({ if: parts })),
    fc.tuple(tie('test'), tie('logic')).map((parts) => ({ if: parts })),
    fc.tuple(tie('test'), tie('logic'), tie('test'), tie('logic'), tie('logic')).map((parts) => ({ if: parts })),
    fc.tuple(tie('test'), tie('logic')).map((and) => ({ and })),
    fc.tuple(tie('test'), tie('logic')).map((or) => ({ or })),
  ),
}));

const flag = fc.record({
  state: fc.constantFrom('ENABLED', 'ENABLED', 'ENABLED', 'DISABLED'),
  defaultVariant: fc.constantFrom('off', 'on', null),
  targeting: fc.oneof({ arbitrary: fc.constantFrom(undefined, {}), weight: 1 }, { arbitrary: logic, weight: 8 }),
  variants: fc.constantFrom(
    { on: 1, off: 2, beta: 3, true: 4, false: 5 },
    { on: 'A', off: 'B', beta: '', true: 'T', false: 'F' },
    { on: { a: 1 }, off: [1], beta: {}, true: [], false: { f: 1 } },
  ),
  metadata: fc.constantFrom(undefined, { owner: 'x' }),
});
const definition = fc.record({ one: flag, 'Another flag': flag }).map(
  (flags) =>
    JSON.parse(JSON.stringify({ flags, $evaluators: { isAdult: { '>=': [{ var: 'age' }, 18] } } })) as {
      flags: Record<string, { variants: Record<string, unknown> }>;
    },
);

/** The value that flagd gives at NOW_MS. */
function toolValue(core: FlagdCore, key: string, context: Context): unknown {
  const { now } = Date;
  Date.now = () => NOW_MS;
  try {
    const found = core.getFlag(key);
    if (found?.state === 'DISABLED') return undefined;
    return found?.evaluate(context as never).value;
  } finally {
    Date.now = now;
  }
}

/** Facts that targeting alone does not show: list attributes, and attributes compared with several types. */
const ATTRIBUTES = new Map([
  ['groups', { type: 'string', multiValued: true }],
  ['age', { type: 'number' }],
  ['premium', { type: 'boolean' }],
] as const);

test('imported flags are for every context what flagd-core says', () => {
  let compared = 0;
  let leftOut = 0;
  const splits = new Set<string>();
  fc.assert(
    fc.property(definition, fc.array(contextArbitrary, { minLength: 12, maxLength: 12 }), (document, contexts) => {
      const core = new FlagdCore(undefined, SILENT);
      core.setConfigurations(JSON.stringify(document));
      const { objects, notes } = importFlagd(document, { attributes: ATTRIBUTES });
      leftOut += notes.filter((note) => note.leftOut).length;
      const table = declaredTable(objects);
      for (const context of contexts) {
        // An attribute whose truth alone is tested is inferred as boolean.
        if (contextProblems(context, table.audiences.attributes).length > 0) continue;
        for (const { key } of table.inOrder()) {
          const outcome = decideFlag(table, key, context, { nowMs: NOW_MS });
          const shown = JSON.stringify([key, context, document, objects, outcome?.json]);
          assert.equal(outcome?.error, undefined, shown);
          assert.deepEqual(outcome?.value, toolValue(core, key, context), shown);
          compared += 1;
          if (outcome?.reason === 'SPLIT') splits.add(`${outcome.variant} ${outcome.rule}`);
        }
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(compared > 8_000 && splits.size > 8, `${compared} compared, ${splits.size} splits`);
  assert.ok(leftOut < 400, `${leftOut} left out`);
});
