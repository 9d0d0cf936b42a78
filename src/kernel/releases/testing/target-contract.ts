import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CarriedRelease, Target } from '../target.ts';

/** A target with something to release on it. */
export interface TargetFixture {
  readonly target: Target;
  /** A release that could be shown, of at least two stages. */
  readonly release: () => CarriedRelease;
  /** Writes the release again, as if somebody had decided otherwise meanwhile. */
  readonly decideOtherwise: () => Promise<void>;
  /** What everybody has, and what the cohort has where there is one, in any form that can be compared. */
  readonly shown: () => { readonly everybody: unknown; readonly cohort: unknown };
  /** A release that cannot be shown, for what is not there. */
  readonly impossible: () => CarriedRelease;
}

/** What every target must do, see `Target`. `make` gives a new world each time. */
export function testTarget(title: string, make: () => Promise<TargetFixture>): void {
  test(`${title}: nobody has what was not shown`, async () => {
    const { target, release } = await make();
    assert.deepEqual(target.observe(release()), { at: 'nobody' });
  });

  test(`${title}: each stage is seen as it is shown, and everybody keeps what they have`, async () => {
    const { target, release, shown } = await make();
    const { everybody } = shown();
    await target.expose(release(), { stage: 0 });
    assert.deepEqual(target.observe(release()), { at: 'stage', stage: 0 });
    await target.expose(release(), { stage: 1 });
    assert.deepEqual(target.observe(release()), { at: 'stage', stage: 1 });
    assert.deepEqual(shown().everybody, everybody);
    assert.notDeepEqual(shown().cohort, everybody);
  });

  test(`${title}: everybody gets what the cohort had`, async () => {
    const { target, release, shown } = await make();
    await target.expose(release(), { stage: 0 });
    const { cohort } = shown();
    await target.expose(release(), 'everybody');
    assert.deepEqual(target.observe(release()), { at: 'everybody' });
    assert.deepEqual(shown(), { everybody: cohort, cohort: undefined });
  });

  test(`${title}: what is taken back leaves everything as it was, also from everybody`, async () => {
    for (const to of [{ stage: 0 }, { stage: 1 }, 'everybody'] as const) {
      const { target, release, shown } = await make();
      const before = shown();
      await target.expose(release(), to);
      await target.retract(release());
      assert.deepEqual(target.observe(release()), { at: 'nobody' });
      assert.deepEqual(shown(), before);
    }
  });

  test(`${title}: asked twice is asked once`, async () => {
    const { target, release, shown } = await make();
    for (const to of [{ stage: 0 }, { stage: 1 }, 'everybody'] as const) {
      await target.expose(release(), to);
      const once = shown();
      await target.expose(release(), to);
      assert.deepEqual(shown(), once);
    }
    await target.retract(release());
    const once = shown();
    await target.retract(release());
    assert.deepEqual(shown(), once);
  });

  test(`${title}: a step that is no longer wanted changes nothing`, async () => {
    const { target, release, decideOtherwise, shown } = await make();
    const outdated = release();
    await decideOtherwise();
    const before = shown();
    for (const step of [
      () => target.expose(outdated, { stage: 0 }),
      () => target.expose(outdated, 'everybody'),
      () => target.retract(outdated),
    ]) {
      await assert.rejects(step());
      assert.deepEqual(shown(), before);
    }
  });

  test(`${title}: what cannot be shown is told before anybody gets it`, async () => {
    const { target, release, impossible } = await make();
    assert.deepEqual(await target.plan(release(), []), []);
    const problems = await target.plan(impossible(), []);
    assert.ok(problems.length > 0 && problems.every((text) => text.length > 10), problems.join());
  });
}
