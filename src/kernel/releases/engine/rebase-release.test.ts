import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { policySpec } from '../kinds/release-policy.ts';
import type { NamedPolicy, ReleaseSpec } from '../kinds/release-spec.ts';
import { LISTENERS } from '../testing/listeners.ts';
import { Node } from '../testing/node.ts';
import { releaseItemOf, specOf, type PendingChange, type World } from './form.ts';
import { rebaseRelease } from './rebase-release.ts';

const kinds = kindRegistry([Node]);

function policy(required: number): NamedPolicy {
  return { name: 'all', spec: policySpec({ spec: { selector: {}, approvals: { required } } }) };
}

/** A Node as it is declared and live; an absent value: it is not there. */
function node(name: string, live: number | undefined, wanted: number | undefined): PendingChange {
  const side = (value: number | undefined) => {
    if (value === undefined) return undefined;
    const spec = { needs: [], value, neighbourMax: 9 };
    return {
      object: { kind: Node.id, namespace: '', name, labels: {}, spec, revision: `${value}` },
      generation: value,
    };
  };
  return { kind: Node, name, live: side(live), wanted: side(wanted) };
}

function world(nodes: readonly PendingChange[], { required = 1, writers = ['ann'] } = {}): World {
  const look: World['look'] = ({ name }) => nodes.find((one) => one.name === name) ?? node(name, undefined, undefined);
  const trail: World['trail'] = (_, state) => {
    return { steps: [{ version: 1, write: 1, user: 'ann', writers, isUnattended: false, state }], isWhole: true };
  };
  return { kinds, targets: [LISTENERS], policies: [policy(required)], look, trail };
}

function release(nodes: readonly PendingChange[]): ReleaseSpec {
  return specOf({ write: 1, user: 'ann', version: 1 }, nodes.map(releaseItemOf), world(nodes));
}

const TWO = [node('a', 1, 2), node('b', 1, 2)];

test('a release whose plan is as it was stays as it is', () => {
  assert.deepEqual(rebaseRelease(release(TWO), true, world(TWO)), { is: 'same' });
});

test('a release whose objects are all live already is done', () => {
  assert.deepEqual(rebaseRelease(release(TWO), true, world([node('a', 2, 2), node('b', 2, 2)])), { is: 'done' });
  assert.deepEqual(rebaseRelease(release(TWO), false, world([node('a', 2, 2), node('b', 2, 2)])), { is: 'done' });
});

test('a release starts from what is live now, whatever was declared since', () => {
  const rebased = rebaseRelease(release(TWO), true, world([node('a', 5, 7), node('b', 1, 2)]));
  const sides =
    rebased.is === 'changed' ? rebased.spec.objects.map(({ from, to }) => [from?.revision, to?.revision]) : [];
  assert.deepEqual(sides, [
    ['5', '2'],
    ['1', '2'],
  ]);
});

test('an object that is live leaves the first release, and stays in one that goes behind another', () => {
  const now = world([node('a', 2, 2), node('b', 1, 2)]);
  const first = rebaseRelease(release(TWO), true, now);
  assert.deepEqual(first.is === 'changed' ? first.spec.objects.map(({ name }) => name) : [], ['b']);
  const behind = rebaseRelease(release(TWO), false, now);
  assert.deepEqual(behind.is === 'changed' ? behind.spec.objects.map(({ name }) => name) : [], ['a', 'b']);
});

test('another policy or another author is another plan or another record', () => {
  const before = release(TWO);
  const edited = rebaseRelease(before, true, world(TWO, { required: 2 }));
  assert.notEqual(edited.is === 'changed' ? edited.spec.planHash : before.planHash, before.planHash);
  const joined = rebaseRelease(before, true, world(TWO, { writers: ['ann', 'bob'] }));
  assert.deepEqual(joined.is === 'changed' ? joined.spec.authors : [], ['ann', 'bob']);
});
