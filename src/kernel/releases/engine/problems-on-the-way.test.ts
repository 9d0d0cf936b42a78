import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsOnTheWay } from './problems-on-the-way.ts';

/** Each letter needs the ones after it. */
const NEEDS: Readonly<Record<string, string>> = { a: 'b', b: 'c', x: 'y' };
const problemsOf = (some: readonly string[]) =>
  some.flatMap((one) => {
    const needed = NEEDS[one];
    return needed === undefined || some.includes(needed) ? [] : [`${one} needs ${needed}`];
  });

const TABLE: readonly (readonly [title: string, order: readonly string[], problems: readonly string[]])[] = [
  ['nothing', [], []],
  ['one target', ['abc'], []],
  ['the whole is broken', ['ab', 'd'], ['b needs c']],
  ['what is needed goes first', ['c', 'b', 'a'], []],
  [
    'what is needed goes later',
    ['c', 'a', 'b'],
    ['While t0, t1 have it and t2 do not: a needs b. Set `before` to choose which go first.'],
  ],
  [
    'the first target is broken alone',
    ['a', 'b', 'c'],
    ['While t0 have it and t1, t2 do not: a needs b. Set `before` to choose which go first.'],
  ],
];

for (const [title, letters, problems] of TABLE) {
  test(`the world is whole at each step of the targets: ${title}`, () => {
    const order = letters.map((some, index) => ({ target: `t${index}`, candidates: some.split('') }));
    assert.deepEqual(problemsOnTheWay(order, problemsOf), problems);
  });
}
