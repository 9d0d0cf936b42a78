import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentHash } from '#kernel/base/ids.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import { headOf } from '#kernel/kinds/builtin/head.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { ExposingReleases } from './exposing-releases.ts';
import { goneState, stateOf, type HeadState } from './head-state.ts';
import { everybody } from './testing/exposing-heads.ts';

function live(name: string, revision: string): LiveObject {
  return { kind: ConfigMap.id, namespace: 'default', name, labels: {}, spec: { revision }, revision };
}

interface Carrying {
  readonly release?: string;
  readonly revision?: string | undefined;
  readonly stage?: number;
  readonly where?: unknown;
}

function carrying(name: string, given: Carrying = {}): HeadState {
  const { release = 'r', revision = 'new', stage = 0, where = everybody } = { revision: 'new', ...given };
  const object = 'revision' in given && given.revision === undefined ? undefined : live(name, revision);
  const before = { object: live(name, 'old'), generation: 1 };
  return stateOf(headOf(ConfigMap, name, before, { release, object, generation: 2, stage, where }));
}

test('a release exposes something while a Head has an entry of it', () => {
  const exposing = new ExposingReleases();
  assert.equal(exposing.take(carrying('a')), true);
  const [release] = atOnce(exposing.list());
  assert.deepEqual([release?.name, release?.candidates.map(({ object }) => object?.revision)], ['r', ['new']]);
  assert.equal(exposing.take(goneState(headOf(ConfigMap, 'a', undefined))), true);
  assert.deepEqual(atOnce(exposing.list()), []);
});

test('the same Head again changes nothing; another cohort, stage, candidate or release does', () => {
  const exposing = new ExposingReleases();
  exposing.take(carrying('a'));
  assert.equal(exposing.take(carrying('a')), false);
  for (const other of [
    { where: { ...everybody, slices: [{ share: 1 }] } },
    { stage: 1 },
    { revision: 'newer' },
    { release: 'other' },
    { revision: undefined },
  ]) {
    assert.equal(exposing.take(carrying('a', other)), true, JSON.stringify(other));
    assert.equal(exposing.take(carrying('a')), true);
  }
});

test('the revision of a release follows from what it carries, and from nothing else', () => {
  const revisionOf = (heads: readonly HeadState[]): string | undefined => {
    const exposing = new ExposingReleases();
    for (const head of heads) exposing.take(head);
    return atOnce(exposing.list())[0]?.revision;
  };
  const two = (more: Carrying = {}) => [
    carrying('a', { revision: '1', ...more }),
    carrying('b', { revision: '2', ...more }),
  ];
  const revision = revisionOf(two());
  const digests = ['a 1', 'b 2'].map((one) => {
    const [name, held] = one.split(' ');
    return contentHash([ConfigMap.id, name, held, 'default', {}, undefined]);
  });
  assert.equal(revision, contentHash(digests.toSorted()).slice(0, 12), 'all nodes name it alike, also older ones');
  assert.equal(revisionOf(two({ where: { ...everybody, salt: 'x' } }).toReversed()), revision);
  assert.notEqual(revisionOf([carrying('a', { revision: '1' })]), revision);
  assert.notEqual(revisionOf([carrying('a', { revision: '2' }), carrying('b', { revision: '1' })]), revision);
});

test('an entry that has no cohort, as it is for somewhere else, exposes nothing', () => {
  const exposing = new ExposingReleases();
  assert.equal(exposing.take(carrying('r', { where: { places: ['one'] } })), false);
  assert.deepEqual(atOnce(exposing.list()), []);
});
