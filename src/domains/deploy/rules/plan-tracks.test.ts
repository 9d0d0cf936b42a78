import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ObservedTrack, Program, Track, Weights } from './cluster-state.ts';
import { planTracks, replicasFor, type TrackPlan, type WantedTrack } from './plan-tracks.ts';

const PROGRAM: Program = { command: ['a'], env: {}, files: {}, probeSeconds: 1, graceSeconds: 1 };
const REVISIONS = ['a', 'b', 'c', 'd'] as const;

const track = (revision: string, weight: number, replicas = 4, share: WantedTrack['share'] = 'all'): WantedTrack => ({
  revision,
  program: PROGRAM,
  weight,
  replicas,
  share,
});

const observeTrack = (revision: string, replicas: number, ready = replicas): ObservedTrack => ({
  revision,
  replicas,
  ready,
  restarts: 0,
  failures: 0,
  unreadySeconds: 0,
});

test('C1: requests move to a candidate when it has ready replicas for them, and not before', () => {
  const wanted = [track('a', 50), track('b', 50, 4, 'up')];
  const weights = { a: 100 };
  const first = planTracks(wanted, { tracks: [observeTrack('a', 4)], weights });
  assert.deepEqual(replicasIn(first), { a: 4, b: 2 });
  assert.deepEqual(first.weights, weights);
  assert.match(first.waits ?? '', /b has 0 of 2/);
  const half = planTracks(wanted, { tracks: [observeTrack('a', 4), observeTrack('b', 2, 1)], weights });
  assert.deepEqual(half.weights, weights);
  const ready = planTracks(wanted, { tracks: [observeTrack('a', 4), observeTrack('b', 2)], weights });
  assert.deepEqual(ready.weights, { a: 50, b: 50 });
  assert.equal(ready.waits, undefined);
});

test('C1: they go back when stable has ready replicas for them, and the candidate stays until then', () => {
  const wanted = [track('a', 100)];
  const weights = { b: 100 };
  const before = planTracks(wanted, { tracks: [observeTrack('a', 4, 3), observeTrack('b', 4)], weights });
  assert.deepEqual(before.weights, weights);
  assert.deepEqual(before.keeps, ['b']);
  const after = planTracks(wanted, { tracks: [observeTrack('a', 4), observeTrack('b', 4)], weights });
  assert.deepEqual(after.weights, { a: 100 });
  // Its last requests are under way in the look that moves them.
  assert.deepEqual(after.keeps, ['b']);
  const done = planTracks(wanted, { tracks: [observeTrack('a', 4), observeTrack('b', 4)], weights: { a: 100 } });
  assert.deepEqual(done.keeps, []);
});

test('C2: a revision without any ready replica holds no requests where another one is ready', () => {
  const wanted = [track('a', 95), track('b', 5, 4, 'up')];
  const observedNow = { tracks: [observeTrack('a', 4, 0), observeTrack('b', 1)], weights: { a: 100 } };
  assert.deepEqual(planTracks(wanted, observedNow).weights, { a: 95, b: 5 });
});

test('workers divide their replicas, and stable gives up one when the candidate runs', () => {
  const wanted = [track('a', 75, 4, 'down'), track('b', 25, 4, 'up')];
  const first = planTracks(wanted, { tracks: [observeTrack('a', 4)], weights: { a: 100 } });
  assert.deepEqual(replicasIn(first), { a: 4, b: 1 });
  const then = planTracks(wanted, { tracks: [observeTrack('a', 4), observeTrack('b', 1)], weights: { a: 100 } });
  assert.deepEqual(then.weights, { a: 75, b: 25 });
  const last = planTracks(wanted, { tracks: [observeTrack('a', 4), observeTrack('b', 1)], weights: { a: 75, b: 25 } });
  assert.deepEqual(replicasIn(last), { a: 3, b: 1 });
});

/** Steps of a schedule: what Heads want, and what happens in the cluster. */
type Step =
  | {
      readonly do: 'want';
      readonly stable: number;
      readonly next: number;
      readonly weight: number;
      readonly replicas: number;
    }
  /** Acts on what was last observed: what it asks may be lost. */
  | { readonly do: 'act'; readonly isLost: boolean }
  | { readonly do: 'observe' }
  | { readonly do: 'start' | 'crash'; readonly revision: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'observe' } as const) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('act' as const), isLost: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('start' as const), revision: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), revision: fc.nat({ max: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('want' as const),
      stable: fc.nat({ max: 3 }),
      next: fc.nat({ max: 3 }),
      weight: fc.constantFrom(0, 1, 5, 50, 100),
      replicas: fc.integer({ min: 1, max: 5 }),
    }),
  },
);

/** A cluster that does as it is asked, and whose replicas start and crash when the schedule says. */
class NaiveCluster {
  readonly tracks = new Map<string, { replicas: number; ready: number }>();
  weights: Weights = {};

  observe(): { readonly tracks: readonly ObservedTrack[]; readonly weights: Weights } {
    const tracks = [...this.tracks].map(([revision, { replicas, ready }]) => observeTrack(revision, replicas, ready));
    return { tracks, weights: this.weights };
  }

  apply({ tracks, keeps, weights }: TrackPlan): void {
    for (const { revision, replicas } of tracks) {
      const known = this.tracks.get(revision);
      this.tracks.set(revision, { replicas, ready: Math.min(known?.ready ?? 0, replicas) });
    }
    for (const revision of this.tracks.keys()) {
      if (!keeps.includes(revision) && !tracks.some((one: Track) => one.revision === revision))
        this.tracks.delete(revision);
    }
    this.weights = weights;
  }

  start(revision: string): void {
    const known = this.tracks.get(revision);
    if (known !== undefined) known.ready = Math.min(known.replicas, known.ready + 1);
  }

  crash(revision: string): void {
    const known = this.tracks.get(revision);
    if (known !== undefined) known.ready = Math.max(0, known.ready - 1);
  }
}

function wantedBy({ stable, next, weight, replicas }: Extract<Step, { do: 'want' }>): readonly WantedTrack[] {
  const [one, other] = [REVISIONS[stable] ?? 'a', REVISIONS[next] ?? 'a'];
  if (weight === 0 || one === other) return [track(one, 100, replicas)];
  return [track(one, 100 - weight, replicas), track(other, weight, replicas, 'up')];
}

test('in any schedule of late looks, lost requests and crashes requests have replicas: C1, C3, and it ends at what is wanted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const cluster = new NaiveCluster();
      let wanted: readonly WantedTrack[] = [track('a', 100)];
      let seen = cluster.observe();
      const act = (isLost: boolean): void => {
        const plan = planTracks(wanted, seen);
        holdsInvariants(plan, seen, wanted);
        if (!isLost) cluster.apply(plan);
      };
      for (const one of steps) {
        if (one.do === 'want') wanted = wantedBy(one);
        else if (one.do === 'observe') seen = cluster.observe();
        else if (one.do === 'act') act(one.isLost);
        else cluster[one.do](REVISIONS[one.revision] ?? 'a');
      }
      // In the end everything starts, and nothing is late or lost.
      for (let round = 0; round < 6; round += 1) {
        seen = cluster.observe();
        act(false);
        for (const revision of REVISIONS) for (let count = 0; count < 5; count += 1) cluster.start(revision);
      }
      const { tracks, weights } = cluster.observe();
      const goal = wanted.filter(({ weight }) => weight > 0).map(({ revision, weight }) => [revision, weight]);
      assert.deepEqual(weights, Object.fromEntries(goal));
      assert.deepEqual(
        Object.fromEntries(tracks.map(({ revision, ready }) => [revision, ready])),
        Object.fromEntries(wanted.map((one) => [one.revision, replicasFor(one, one.weight)])),
      );
    }),
    { numRuns: 10_000 },
  );
});

function holdsInvariants(
  plan: TrackPlan,
  before: { readonly tracks: readonly ObservedTrack[]; readonly weights: Weights },
  wanted: readonly WantedTrack[],
): void {
  const readyOf = (revision: string): number => before.tracks.find((one) => one.revision === revision)?.ready ?? 0;
  const isAnyReady = Object.entries(before.weights).some(([revision, weight]) => weight > 0 && readyOf(revision) > 0);
  for (const [revision, weight] of Object.entries(plan.weights)) {
    const needed = ((wanted.find((one) => one.revision === revision)?.replicas ?? 0) * weight) / 100;
    // C1: where anybody answers, a weight rises only with ready replicas for it.
    if (weight > (before.weights[revision] ?? 0) && isAnyReady) assert.ok(readyOf(revision) >= needed, revision);
    // C3: a revision that gets requests is kept.
    const isKept = plan.keeps.includes(revision) || plan.tracks.some((one) => one.revision === revision);
    assert.ok(isKept || weight === 0, `${revision} gets requests and goes`);
  }
  const sum = Object.values(plan.weights).reduce((total, weight) => total + weight, 0);
  assert.ok(sum === 100 || sum === 0, `weights sum up to ${sum}`);
}

function replicasIn({ tracks }: TrackPlan): Readonly<Record<string, number>> {
  return Object.fromEntries(tracks.map(({ revision, replicas }) => [revision, replicas]));
}
