import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { attributeTable } from '#kernel/audiences/language/attributes.ts';
import { compileRule } from '#kernel/audiences/compile-audience.ts';
import type { Condition } from '#kernel/audiences/language/language.ts';
import { all, any, leaf, not, toRule, type Expression } from './expression.ts';
import { UnsupportedSource } from './unsupported-source.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;
const attributes = attributeTable(NAMES.map((name) => ({ name, type: 'boolean', multiValued: false })));

/** Conditions that are true or false for each context, also without the attribute. */
const leaves = fc
  .tuple(
    fc.constantFrom(...NAMES),
    fc.constantFrom<Condition>({ in: [true] }, { notIn: [true] }, { exists: true }, { in: [false], not: true }),
    fc.constantFrom('match' as const, 'noMatch' as const),
  )
  .map(([attribute, test, absent]) => leaf({ attribute, ...test, ...(test.exists === undefined ? { absent } : {}) }));

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    leaves,
    fc.boolean(),
    fc.array(tie('expression'), { maxLength: 3 }).map(all),
    fc.array(tie('expression'), { maxLength: 3 }).map(any),
    tie('expression').map(not),
  ),
}));

/** Evaluates an expression literally. */
function naive(tree: Expression, context: Readonly<Record<string, boolean>>): boolean {
  if (typeof tree === 'boolean') return tree;
  if ('not' in tree) return !naive(tree.not, context);
  if ('all' in tree) return tree.all.every((part) => naive(part, context));
  if ('any' in tree) return tree.any.some((part) => naive(part, context));
  const { attribute = '', exists, in: members, notIn, absent, not: turned = false } = tree.leaf;
  const value = context[attribute];
  if (exists !== undefined) return (value !== undefined) === exists;
  const passes = members === undefined ? notIn?.includes(value) === false : members.includes(value);
  return (value === undefined ? absent === 'match' : passes) !== turned;
}

const contexts = [undefined, true, false].flatMap((a) =>
  [undefined, true, false].flatMap((b) =>
    [undefined, true].flatMap((c) =>
      [false, true].map((d) => JSON.parse(JSON.stringify({ a, b, c, d })) as Record<string, boolean>),
    ),
  ),
);

test('a rule says what its expression says; a total one says it also when it is turned round', () => {
  fc.assert(
    fc.property(expression, fc.boolean(), (tree, total) => {
      let rule;
      try {
        rule = toRule(tree, [], total);
      } catch (error) {
        assert.ok(error instanceof UnsupportedSource);
        return;
      }
      const matches =
        typeof rule === 'boolean' ? () => rule : compileRule(rule, { attributes, matcher: () => undefined });
      for (const context of contexts) {
        const truth = matches(context, 0);
        assert.equal(total ? truth : truth === true, naive(tree, context), JSON.stringify([tree, rule, context]));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a rule with too many groups is reported, not truncated', () => {
  const pairs = Array.from({ length: 12 }, (_, index) =>
    any([leaf({ attribute: `x${index}`, exists: true }), leaf({ attribute: `y${index}`, exists: true })]),
  );
  assert.throws(
    () => toRule(all(pairs), ['there']),
    (error) => error instanceof UnsupportedSource && /more than 100 groups/.test(error.message),
  );
});
