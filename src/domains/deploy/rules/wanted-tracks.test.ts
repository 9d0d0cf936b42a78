import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObservedTrack } from './cluster-state.ts';
import type { ComponentSource } from './program.ts';
import { replicasFor } from './plan-tracks.ts';
import { healthOf, textOfObserved, textOfWanted, wantedIn, type LiveComponent } from './wanted-tracks.ts';

const LUND = { name: 'lund', labels: { ring: 'first' } };
const NAME = 'aria/player';

const spec = (command: string, more: Partial<ComponentSource> = {}): ComponentSource => ({
  workload: 'service',
  command: [command],
  probeSeconds: 1,
  graceSeconds: 10,
  progressSeconds: 60,
  replicas: 2,
  clusters: {},
  ...more,
});

const live = (everyone: ComponentSource | undefined, next?: ComponentSource, weight = 0): LiveComponent => ({
  name: NAME,
  everyone,
  candidate: next === undefined ? undefined : { spec: next, weights: { parts: 1, weightOf: { lund: weight } } },
});

const tracksIn = (component: LiveComponent) =>
  wantedIn(component, LUND).tracks.map(({ weight, replicas, share }) => [weight, replicas, share]);

test('a candidate stands beside the revision of everyone, which keeps its replicas', () => {
  assert.deepEqual(tracksIn(live(spec('a'))), [[100, 2, 'all']]);
  assert.deepEqual(tracksIn(live(spec('a'), spec('b'), 10)), [
    [90, 2, 'all'],
    [10, 2, 'up'],
  ]);
  assert.deepEqual(tracksIn(live(spec('a'), spec('b'), 100)), [
    [0, 2, 'all'],
    [100, 2, 'up'],
  ]);
  // Where there is nothing before it, it gets everything: there is nothing to share with.
  assert.deepEqual(tracksIn(live(undefined, spec('b'), 10)), [[100, 2, 'all']]);
  // Another cluster has none of it.
  assert.deepEqual(tracksIn(live(spec('a'), spec('b'))), [[100, 2, 'all']]);
});

test('scaling is no new revision: one track with the replicas of the candidate', () => {
  assert.deepEqual(tracksIn(live(spec('a'), spec('a', { replicas: 5 }), 10)), [[100, 5, 'all']]);
});

test('a candidate that leaves a cluster stops there with its whole weight alone', () => {
  const elsewhere = spec('b', { clusters: { matchLabels: { ring: 'main' } } });
  assert.deepEqual(tracksIn(live(spec('a'), elsewhere, 50)), [[100, 2, 'all']]);
  assert.deepEqual(tracksIn(live(spec('a'), elsewhere, 100)), []);
});

test('while a candidate has a part, the hosts of both revisions are answered', () => {
  const [old, next] = [spec('a', { hosts: ['old.com', 'both.com'] }), spec('b', { hosts: ['both.com', 'new.com'] })];
  assert.deepEqual(wantedIn(live(old, next, 10), LUND).hosts, ['old.com', 'both.com', 'new.com']);
});

test('a service stays whole beside a candidate that is a worker', () => {
  const { hosts, tracks } = wantedIn(
    live(spec('a', { hosts: ['a.com'] }), spec('b', { workload: 'worker' }), 10),
    LUND,
  );
  assert.deepEqual(hosts, ['a.com']);
  assert.deepEqual(
    tracks.map((one) => replicasFor(one, one.weight)),
    [2, 1],
  );
});

const track = (revision: string, more: Partial<ObservedTrack> = {}): ObservedTrack => ({
  revision,
  replicas: 2,
  ready: 2,
  restarts: 0,
  failures: 0,
  unreadySeconds: 0,
  ...more,
});

test('a revision fails that crashes three times in a row, or is not ready in time; and not one that answers', () => {
  const wanted = wantedIn(live(spec('a')), LUND);
  const revision = wanted.tracks[0]?.revision ?? '';
  const health = (more: Partial<ObservedTrack>) =>
    healthOf(wanted, { tracks: [track(revision, more)], weights: { [revision]: 100 } }).state;
  assert.equal(health({}), 'healthy');
  assert.equal(health({ ready: 0, failures: 2 }), 'progressing');
  assert.equal(health({ ready: 0, failures: 3 }), 'failed');
  assert.equal(health({ ready: 1, failures: 3 }), 'progressing');
  assert.equal(health({ ready: 1, unreadySeconds: 59 }), 'progressing');
  assert.equal(health({ ready: 1, unreadySeconds: 60 }), 'failed');
});

test('the texts of what is wanted and observed are equal when it is reached, in whatever order', () => {
  const wanted = wantedIn(live(spec('a'), spec('b'), 50), LUND);
  const tracks = wanted.tracks
    .map(({ revision, share }) => track(revision, { replicas: share === 'all' ? 2 : 1 }))
    .toReversed();
  const weights = Object.fromEntries(wanted.tracks.map(({ revision }) => [revision, 50]));
  assert.equal(textOfObserved({ tracks, weights }), textOfWanted(wanted));
  assert.notEqual(textOfObserved({ tracks, weights: {} }), textOfWanted(wanted));
  assert.equal(textOfObserved({ tracks: [], weights: {} }), 'nothing');
});
