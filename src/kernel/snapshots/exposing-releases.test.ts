import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigMap } from '#kernel/resources/builtin/core.ts';
import { headOf } from '#kernel/resources/builtin/head.ts';
import type { LiveObject, ResourceObject } from '#kernel/resources/kind.ts';
import { ExposingReleases } from './exposing-releases.ts';
import { cohortHead, everybody } from './testing/exposing-heads.ts';

function live(name: string, revision: string): LiveObject {
  return { kind: ConfigMap.id, namespace: 'default', name, labels: {}, spec: { revision }, revision };
}

function carrying(name: string, release: string, revision: string | undefined): ResourceObject {
  const object = revision === undefined ? undefined : live(name, revision);
  return headOf(ConfigMap, name, { object: live(name, 'old'), generation: 1 }, { release, object, generation: 2 });
}

test('a release exposes something while it has both candidates and a cohort', () => {
  const exposing = new ExposingReleases();
  assert.equal(exposing.take('a', carrying('a', 'r', 'new')), true);
  assert.deepEqual(exposing.list(), []);
  assert.equal(exposing.take('r', cohortHead('r', everybody)), true);
  const [release] = exposing.list();
  assert.deepEqual([release?.name, release?.candidates.map(({ object }) => object?.revision)], ['r', ['new']]);
  assert.equal(exposing.take('r', undefined), true);
  assert.deepEqual(exposing.list(), []);
});

test('the same Head again changes nothing; another cohort, candidate or release does', () => {
  const exposing = new ExposingReleases();
  exposing.take('a', carrying('a', 'r', 'new'));
  exposing.take('r', cohortHead('r', everybody));
  assert.equal(exposing.take('a', carrying('a', 'r', 'new')), false);
  assert.equal(exposing.take('r', cohortHead('r', everybody)), false);
  assert.equal(exposing.take('r', cohortHead('r', { ...everybody, slices: [{ share: 1 }] })), true);
  assert.equal(exposing.take('a', carrying('a', 'r', 'newer')), true);
  assert.equal(exposing.take('a', carrying('a', 'other', 'newer')), true);
  assert.equal(exposing.take('a', carrying('a', 'other', undefined)), true);
});

test('the revision of a release follows from what it carries, and from nothing else', () => {
  const revisionOf = (heads: readonly ResourceObject[]): string | undefined => {
    const exposing = new ExposingReleases();
    for (const head of heads) exposing.take(head.metadata.name, head);
    return exposing.list()[0]?.revision;
  };
  const two = [carrying('a', 'r', '1'), carrying('b', 'r', '2')];
  const revision = revisionOf([...two, cohortHead('r', everybody)]);
  assert.match(revision ?? '', /^[0-9a-f]{12}$/);
  assert.equal(revisionOf([cohortHead('r', { ...everybody, salt: 'x' }), ...two.toReversed()]), revision);
  assert.notEqual(revisionOf([carrying('a', 'r', '1'), cohortHead('r', everybody)]), revision);
  assert.notEqual(revisionOf([carrying('a', 'r', '2'), carrying('b', 'r', '1'), cohortHead('r', everybody)]), revision);
});

test('a cohort that cannot be read exposes nothing', () => {
  const exposing = new ExposingReleases();
  exposing.take('a', carrying('a', 'r', 'new'));
  assert.equal(exposing.take('r', cohortHead('r', { unit: 'planet' })), false);
  assert.deepEqual(exposing.list(), []);
});
