import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Intents } from '../engine/intent.ts';
import type { StoredRelease, PlaceObservation } from '../kinds/target.ts';

/** A target with a release and no other influence. */
export interface TargetFixture {
  readonly intents: Intents;
  /** A release with at least two stages, with a part of the target in each. */
  readonly release: () => StoredRelease;
  /** Writes the release again, like a concurrent decision. */
  readonly decideOtherwise: () => Promise<void>;
  /** The state of everyone and the candidates, in any comparable form. */
  readonly readShown: () => { readonly everybody: unknown; readonly candidate: unknown };
  /** A release that cannot be exposed, because a reference is missing. */
  readonly impossible: () => StoredRelease;
}

/**
 * The contract of targets that answer from Heads themselves: writes are live at once and atomically. `make` gives a new fixture
 * each time.
 */
export function testTransactionalTarget(title: string, target: string, make: () => Promise<TargetFixture>): void {
  const intentOf = ({ intents, release }: TargetFixture) => {
    const { name, spec } = release();
    const part = intents.parts(spec).find((one) => one.target.name === target);
    assert.ok(part !== undefined);
    return intents.of(name, part);
  };
  const places = ({ intents, release }: TargetFixture): readonly PlaceObservation[] => {
    const { name, spec } = release();
    return intents.targetOf(target).observe({ name, objects: spec.objects });
  };

  test(`${title}: nobody has what was not shown`, async () => {
    const fixture = await make();
    assert.deepEqual(intentOf(fixture), { at: 'nobody' });
  });

  test(`${title}: each stage is seen at once as it is shown, and everybody keeps what they have`, async () => {
    const fixture = await make();
    const { intents, release, readShown } = fixture;
    const { everybody } = readShown();
    for (const stage of [0, 1]) {
      await intents.expose(release(), target, stage);
      assert.deepEqual(intentOf(fixture), { at: 'stage', stage });
      const seen = places(fixture);
      assert.ok(seen.length > 0);
      for (const { state, wanted, observed } of seen) assert.deepEqual([state, observed], ['healthy', wanted]);
    }
    assert.deepEqual(readShown().everybody, everybody);
    assert.notDeepEqual(readShown().candidate, everybody);
  });

  test(`${title}: everybody gets what was shown`, async () => {
    const fixture = await make();
    const { intents, release, readShown } = fixture;
    await intents.expose(release(), target, 0);
    const { candidate } = readShown();
    await intents.promote(release());
    assert.deepEqual(intentOf(fixture), { at: 'everybody' });
    assert.deepEqual(readShown(), { everybody: candidate, candidate: undefined });
  });

  test(`${title}: what is taken back leaves everything as it was, also from everybody`, async () => {
    for (const to of [0, 1, 'everybody'] as const) {
      const fixture = await make();
      const { intents, release, readShown } = fixture;
      const before = readShown();
      await (to === 'everybody' ? intents.promote(release()) : intents.expose(release(), target, to));
      await intents.retract(release(), target);
      assert.deepEqual(intentOf(fixture), { at: 'nobody' });
      assert.deepEqual(readShown(), before);
    }
  });

  test(`${title}: a stage may be taken back alone`, async () => {
    const fixture = await make();
    const { intents, release, readShown } = fixture;
    await intents.expose(release(), target, 0);
    const first = readShown();
    await intents.expose(release(), target, 1);
    await intents.expose(release(), target, 0);
    assert.deepEqual(intentOf(fixture), { at: 'stage', stage: 0 });
    assert.deepEqual(readShown(), first);
  });

  test(`${title}: asked twice is asked once`, async () => {
    const { intents, release, readShown } = await make();
    for (const step of [
      () => intents.expose(release(), target, 0),
      () => intents.expose(release(), target, 1),
      () => intents.promote(release()),
      () => intents.retract(release(), target),
    ]) {
      await step();
      const once = readShown();
      await step();
      assert.deepEqual(readShown(), once);
    }
  });

  test(`${title}: a step that is no longer wanted changes nothing`, async () => {
    const { intents, release, decideOtherwise, readShown } = await make();
    const outdated = release();
    await decideOtherwise();
    const before = readShown();
    for (const step of [
      () => intents.expose(outdated, target, 0),
      () => intents.promote(outdated),
      () => intents.retract(outdated, target),
    ]) {
      await assert.rejects(step());
      assert.deepEqual(readShown(), before);
    }
  });

  test(`${title}: a problem is reported before the first exposure`, async () => {
    const { intents, release, impossible } = await make();
    assert.deepEqual(await intents.problems(release(), []), []);
    const problems = await intents.problems(impossible(), []);
    assert.ok(problems.length > 0 && problems.every((text) => text.length > 10), problems.join());
  });

  test(`${title}: each object has a planned action, that says how it is undone`, async () => {
    const { intents, release } = await make();
    const { name, spec } = release();
    const { actions } = await intents.targetOf(target).plan({ name, objects: spec.objects });
    assert.deepEqual(
      actions.map((one) => one.name),
      spec.objects.map((one) => one.name),
    );
    for (const { undo, remains } of actions) assert.equal(remains === undefined, undo === 'exact');
  });
}

/** A target whose places follow Heads asynchronously. */
export interface EventualFixture extends TargetFixture {
  /** Lets time pass until all work is done. */
  readonly settle: () => Promise<void>;
  /** Lets time pass until a silent place is unknown. */
  readonly wait: () => Promise<void>;
  /** Restarts the follower. */
  readonly stopFollowing: () => void;
  readonly follow: () => void;
  /** Whether places report. */
  readonly part: (isParted: boolean) => void;
  /** Sends all messages to places once more, the newest first. */
  readonly repeatAll: () => void;
  /** The state of places, in any comparable form, and the number of changes they made. */
  readonly had: () => unknown;
  readonly effects: () => number;
}

/**
 * The contract of targets whose places follow Heads: they converge, repeated requests act once, and older intents are refused.
 * `make` gives a new fixture each time.
 */
export function testEventualTarget(title: string, target: string, make: () => Promise<EventualFixture>): void {
  const places = ({ intents, release }: EventualFixture): readonly PlaceObservation[] => {
    const { name, spec } = release();
    const part = intents.parts(spec).find((one) => one.target.name === target);
    return intents.targetOf(target).observe({ name, objects: part?.objects ?? [] });
  };
  const states = (fixture: EventualFixture): readonly string[] => [
    ...new Set(places(fixture).map(({ state }) => state)),
  ];
  const steps = ({ intents, release }: EventualFixture): (() => Promise<void>)[] => [
    () => intents.expose(release(), target, 0),
    () => intents.expose(release(), target, 1),
    () => intents.promote(release()),
    () => intents.retract(release(), target),
  ];

  test(`${title}: each step is seen in every place, and is not healthy before`, async () => {
    const fixture = await make();
    for (const step of steps(fixture)) {
      const before = places(fixture).map(({ wanted }) => wanted);
      await step();
      const now = places(fixture);
      for (const [index, { state, wanted }] of now.entries()) {
        if (wanted !== before[index]) assert.notEqual(state, 'healthy', wanted);
      }
      await fixture.settle();
      for (const { state, wanted, observed, observedAtMs } of places(fixture)) {
        assert.deepEqual([state, observed], ['healthy', wanted]);
        assert.ok(observedAtMs !== undefined);
      }
    }
  });

  test(`${title}: what is taken back leaves places as they were`, async () => {
    for (const last of [0, 1, 2]) {
      const fixture = await make();
      await fixture.settle();
      const before = fixture.had();
      for (const step of steps(fixture).slice(0, last + 1)) await step();
      await fixture.settle();
      assert.notDeepEqual(fixture.had(), before);
      await fixture.intents.retract(fixture.release(), target);
      await fixture.settle();
      assert.deepEqual(fixture.had(), before);
    }
  });

  test(`${title}: a stage may be taken back alone`, async () => {
    const fixture = await make();
    const { intents, release, settle, had } = fixture;
    await intents.expose(release(), target, 0);
    await settle();
    const first = had();
    await intents.expose(release(), target, 1);
    await settle();
    assert.notDeepEqual(had(), first);
    await intents.expose(release(), target, 0);
    await settle();
    assert.deepEqual(had(), first);
  });

  test(`${title}: asked twice is done once`, async () => {
    const fixture = await make();
    for (const step of steps(fixture)) {
      await step();
      await fixture.settle();
      const [had, effects] = [fixture.had(), fixture.effects()];
      await step();
      fixture.stopFollowing();
      fixture.follow();
      await fixture.settle();
      assert.deepEqual([fixture.had(), fixture.effects()], [had, effects]);
    }
  });

  test(`${title}: what comes late and is older than what a place has changes nothing`, async () => {
    const fixture = await make();
    for (const step of steps(fixture)) {
      await step();
      await fixture.settle();
      const had = fixture.had();
      fixture.repeatAll();
      assert.deepEqual(fixture.had(), had);
    }
  });

  test(`${title}: a step that nobody follows is not made, and is made when somebody does`, async () => {
    const fixture = await make();
    await fixture.settle();
    fixture.stopFollowing();
    const had = fixture.had();
    await fixture.intents.expose(fixture.release(), target, 0);
    await fixture.settle();
    assert.deepEqual(fixture.had(), had);
    assert.ok(!states(fixture).includes('failed'));
    assert.notDeepEqual(states(fixture), ['healthy']);
    fixture.follow();
    await fixture.settle();
    assert.deepEqual(states(fixture), ['healthy']);
  });

  test(`${title}: a silent place is unknown, and keeps its last observed state`, async () => {
    const fixture = await make();
    await fixture.settle();
    fixture.part(true);
    await fixture.wait();
    assert.deepEqual(states(fixture), ['unknown']);
    assert.ok(places(fixture).every(({ observed, message }) => observed !== undefined && message !== undefined));
    fixture.part(false);
    await fixture.settle();
    assert.deepEqual(states(fixture), ['healthy']);
  });

  test(`${title}: each object has a planned action, that says how it is undone`, async () => {
    const { intents, release } = await make();
    const { name, spec } = release();
    const { actions } = await intents.targetOf(target).plan({ name, objects: spec.objects });
    assert.deepEqual(
      actions.map((one) => one.name),
      spec.objects.map((one) => one.name),
    );
    for (const { undo, remains } of actions) assert.equal(remains === undefined, undo === 'exact');
  });
}
