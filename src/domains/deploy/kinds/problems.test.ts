import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '#kernel/base/failures.ts';
import { Cluster } from './cluster.ts';
import { Component } from './component.ts';

const CONTEXT = { name: 'aria/player', namespace: 'aria', operation: 'create' } as never;
const detailsOf = (problems: readonly Problem[] | undefined) => problems?.map(({ detail }) => detail);

test('files that cannot be beside each other are refused', () => {
  const problemsOf = (names: readonly string[]) => {
    const files = Object.fromEntries(names.map((name) => [name, '']));
    return detailsOf(Component.validate?.({ command: ['node'], files }, CONTEXT));
  };
  assert.deepEqual(problemsOf(['a', 'b/a', 'b/c/d']), []);
  assert.deepEqual(problemsOf(['b/c', 'b/c/d']), ['b/c is also a folder of another file']);
  assert.deepEqual(problemsOf(['a'.repeat(201)]), ['a name has at most 200 characters']);
});

test('names that would be ambiguous in those of Instances are refused', () => {
  const context = { ...(CONTEXT as object), name: 'a.b' } as never;
  for (const problems of [
    Component.validate?.({ command: ['node'] }, { ...(CONTEXT as object), name: 'aria/a.b' } as never),
    Cluster.validate?.({ local: {} }, context),
  ]) {
    assert.deepEqual(
      problems?.map(({ path }) => path),
      [['metadata', 'name']],
    );
  }
});
