import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributeTable } from './attributes.ts';
import { ruleProblems } from './check-rule.ts';
import { compileRule } from '../compile-audience.ts';
import { AUDIENCE_LIMITS, type AudienceRule, type Condition, type Context, type Truth } from './language.ts';
import { ANSWER_STEPS_MAX, spendSteps } from './work-budget.ts';

const attributes = attributeTable([
  { name: 'agent', type: 'string', multiValued: false },
  { name: 'genres', type: 'string', multiValued: true },
  { name: 'version', type: 'semver', multiValued: false },
  { name: 'country', type: 'string', multiValued: false, values: listOf(1_000, 'c') },
]);

function listOf(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

function anyOf(conditions: readonly Condition[]): AudienceRule {
  return { anyOf: conditions.map((one) => ({ allOf: [one] })) };
}

function ask(rule: AudienceRule, context: Context): Truth {
  return compileRule(rule, { attributes, matcher: () => undefined })(context, 0);
}

test('steps belong to one answer: another context has its own', () => {
  const [one, other] = [{}, {}];
  assert.equal(spendSteps(one, ANSWER_STEPS_MAX), true);
  assert.equal(spendSteps(one, 1), false);
  assert.equal(spendSteps(other, ANSWER_STEPS_MAX + 1), false);
  assert.equal(spendSteps(other, ANSWER_STEPS_MAX), true);
});

test('an answer that has spent its steps tests no further condition, whatever the rule', () => {
  const tests: Condition[] = [
    { attribute: 'agent', contains: ['a'] },
    { attribute: 'agent', startsWith: ['a'] },
    { attribute: 'agent', endsWith: ['a'], ignoreCase: true },
    { attribute: 'agent', matches: 'a' },
    { attribute: 'agent', in: ['a'], ignoreCase: true },
    { attribute: 'genres', in: ['a'] },
    { attribute: 'version', semver: '>=1' },
  ];
  for (const condition of tests) {
    const context = { agent: 'a', genres: ['a'], version: '1.2.3' };
    assert.equal(ask(anyOf([condition]), context), true, JSON.stringify(condition));
    const poor = { ...context };
    spendSteps(poor, ANSWER_STEPS_MAX);
    assert.equal(ask(anyOf([condition]), poor), undefined, JSON.stringify(condition));
  }
});

test('many pieces on a long text are unknown; on a normal one they are found', () => {
  const rule = anyOf([{ attribute: 'agent', contains: listOf(AUDIENCE_LIMITS.textsMax, 'piece-') }]);
  assert.equal(ask(rule, { agent: 'a'.repeat(16_000) }), undefined);
  assert.equal(ask(rule, { agent: 'Player/9.1 (piece-9999; iOS 26) of some maker, with some more' }), true);
  assert.equal(ask(rule, { agent: 'Player/9.1 (iOS 26)' }), false);
});

test('the number of texts at an edge costs an answer nothing', () => {
  const rule = anyOf([
    { attribute: 'agent', startsWith: [...listOf(9_000, 'piece-'), 'Player'] },
    { attribute: 'agent', endsWith: listOf(9_000, 'piece-'), ignoreCase: true },
  ]);
  const context = { agent: 'PLAYER piece-12' };
  assert.equal(ask(rule, context), true);
  assert.equal(spendSteps(context, ANSWER_STEPS_MAX - 100), true);
  assert.equal(ask(rule, { agent: 'Player' }), true);
  assert.equal(ask(rule, { agent: 'player' }), false);
});

test('a rule with too many texts, or with expressions that take long to compile, is refused as a whole', () => {
  const texts = listOf(AUDIENCE_LIMITS.textsMax, 't');
  const within = anyOf([{ attribute: 'agent', contains: texts }]);
  const beyond = anyOf([
    { attribute: 'agent', contains: texts },
    { attribute: 'agent', endsWith: ['one'] },
  ]);
  assert.deepEqual(ruleProblems(within, ['spec'], attributes), []);
  assert.match(
    ruleProblems(beyond, ['spec'], attributes)[0]?.detail ?? '',
    /10001 texts in all, and 10000 are allowed/,
  );
  const expressions = (count: number): AudienceRule =>
    anyOf(listOf(count, 'x').map((name) => ({ attribute: 'agent', matches: `^${name}-[a-z]{1,20}$` })));
  assert.deepEqual(ruleProblems(expressions(30), ['spec'], attributes), []);
  const problems = ruleProblems(expressions(100), ['spec'], attributes);
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.detail ?? '', /take \d+ steps to compile, and 40000 are allowed/);
});

test('a rule that is wrong throughout names as many problems as a person corrects at once', () => {
  const rule = anyOf(listOf(50, 'x').map(() => ({ attribute: 'country', in: listOf(10_000, 'wrong') })));
  assert.equal(ruleProblems(rule, ['spec'], attributes).length, 20);
});
