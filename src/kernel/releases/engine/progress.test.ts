import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { progressHome, progressTo, type Intent, type TargetObservation, type DesiredIntent } from './progress.ts';

const state = fc.constantFrom('healthy', 'healthy', 'progressing', 'failed', 'unknown') as fc.Arbitrary<
  TargetObservation['places'][number]['state']
>;
const place = fc
  .record({
    name: fc.constantFrom('p', 'q', 'r'),
    wanted: fc.constant('w'),
    observed: fc.constantFrom('w', 'old'),
    state,
  })
  .filter((one) => one.state !== 'healthy' || one.observed === one.wanted);
const intent: fc.Arbitrary<Intent> = fc.oneof(
  fc.constant<Intent>({ at: 'nobody' }),
  fc.constant<Intent>({ at: 'mixed' }),
  fc.constant<Intent>({ at: 'everybody' }),
  fc.integer({ min: 0, max: 2 }).map((stage): Intent => ({ at: 'stage', stage })),
);
const targets = fc
  .array(fc.record({ intent, places: fc.array(place, { maxLength: 3 }) }), { minLength: 1, maxLength: 3 })
  .map((all): TargetObservation[] => all.map((one, index) => ({ ...one, name: `t${index}` })));

/** A stage, in which targets from some one on have nothing. */
const wanted = fc.record({ stage: fc.integer({ min: 0, max: 2 }), begun: fc.integer({ min: 0, max: 3 }) });

const isAt = (seen: Intent, goal: DesiredIntent): boolean => JSON.stringify(seen) === JSON.stringify(goal);
const isBeyond = (seen: Intent, goal: DesiredIntent): boolean =>
  goal.at === 'nobody' ? seen.at !== 'nobody' : goal.at === 'stage' && seen.at === 'stage' && seen.stage > goal.stage;
/** The observed state is the desired one, healthy or failed. */
const isWhole = ({ places }: TargetObservation): boolean =>
  places.every((one) => one.state === 'healthy' || (one.state === 'failed' && one.observed === one.wanted));
const count = (some: readonly TargetObservation[], what: string): number =>
  some.flatMap(({ places }) => places).filter((one) => one.state === what).length;

test('a target starts only when it is its turn, and a stage is reached only when every place has it', () => {
  fc.assert(
    fc.property(targets, wanted, fc.integer({ min: 0, max: 2 }), (seen, { stage, begun }, unknownMax) => {
      const goalOf = (name: string): DesiredIntent =>
        Number(name.slice(1)) < begun ? { at: 'stage', stage } : { at: 'nobody' };
      const progress = progressTo(goalOf, seen, unknownMax);
      const at = seen.findIndex(({ name }) => name === progress.turn);
      const isGoingBack = seen.some((one) => isBeyond(one.intent, goalOf(one.name)));
      if (progress.isBack === true) {
        assert.ok(isGoingBack);
        if (at >= 0) {
          assert.ok(seen.slice(at + 1).every((one) => !isBeyond(one.intent, goalOf(one.name)) && isWhole(one)));
        }
      } else if (at >= 0) {
        const first = seen.slice(0, at);
        assert.ok(!isGoingBack);
        assert.ok(first.every((one) => isAt(one.intent, goalOf(one.name))));
        assert.equal(count(first, 'failed') + count(first, 'progressing'), 0);
        assert.ok(count(first, 'unknown') <= unknownMax);
      }
      const started = seen.slice(0, begun);
      const isAll =
        !isGoingBack &&
        started.every((one) => isAt(one.intent, goalOf(one.name))) &&
        count(started, 'failed') + count(started, 'progressing') === 0 &&
        count(started, 'unknown') <= unknownMax;
      assert.equal(progress.isReached, isAll);
      // An unknown place is no failure, and hides none.
      const shown = started.filter((one) => one.intent.at !== 'nobody');
      assert.equal(progress.failed.length, isGoingBack ? 0 : count(shown, 'failed'));
    }),
    { numRuns: 5_000 },
  );
});

test('a rollback is complete when no target has anything, and every place was seen without it', () => {
  fc.assert(
    fc.property(targets, (seen) => {
      const { isReached, turn } = progressHome(seen);
      assert.equal(
        isReached,
        seen.every((one) => one.intent.at === 'nobody' && isWhole(one)),
      );
      const at = seen.findIndex(({ name }) => name === turn);
      if (at >= 0) assert.ok(seen.slice(at + 1).every((one) => one.intent.at === 'nobody' && isWhole(one)));
    }),
    { numRuns: 3_000 },
  );
});
