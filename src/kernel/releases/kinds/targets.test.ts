import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LISTENERS } from '../testing/listeners.ts';
import { isCircular, partsOf, requireTargets } from './targets.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const TARGETS = NAMES.map((name) => ({ ...LISTENERS, name }));
const KINDS = kindRegistry(
  NAMES.map((target) =>
    defineKind({
      group: 'test.backline.dev',
      version: 'v1',
      kind: target.toUpperCase(),
      plural: `${target}s`,
      scope: 'Cluster',
      description: 'Something.',
      released: true,
      target,
      spec: Type.Object({}),
    }),
  ),
);
const OBJECTS = NAMES.map((name) => ({ kind: `test.backline.dev/${name.toUpperCase()}`, name }));

function permutations(names: readonly string[]): readonly (readonly string[])[] {
  if (names.length === 0) return [[]];
  return names.flatMap((name) => permutations(names.filter((other) => other !== name)).map((rest) => [name, ...rest]));
}

/** Orders of targets that a policy allows, the one that is nearest to that of the program first. */
function allowedOrders(before: Readonly<Record<string, readonly string[]>>): readonly (readonly string[])[] {
  return permutations(NAMES).filter((order) =>
    Object.entries(before).every(([name, later]) => later.every((other) => order.indexOf(name) < order.indexOf(other))),
  );
}

const before = fc.dictionary(
  fc.constantFrom(...NAMES),
  fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 2 }),
  { maxKeys: 3 },
);

test('targets go out in the order of the program as far as a policy allows, and what takes back goes the other way round', () => {
  fc.assert(
    fc.property(before, (asked) => {
      const orders = allowedOrders(asked);
      assert.equal(isCircular(TARGETS, asked), orders.length === 0);
      if (orders.length === 0) return;
      const policy = { name: 'p', spec: { before: asked } } as never;
      const namesOf = (more: object) =>
        partsOf({ objects: OBJECTS, policy, ...more }, KINDS, TARGETS).map(({ target }) => target.name);
      assert.deepEqual(namesOf({}), orders[0]);
      assert.deepEqual(namesOf({ rollbackOf: 'r' }), orders[0]?.toReversed());
    }),
    { numRuns: 2_000 },
  );
});

test('a kind whose target no module has is a bug of the program', () => {
  requireTargets(KINDS, TARGETS);
  assert.throws(() => requireTargets(KINDS, TARGETS.slice(1)), /no module has the target a/);
});
