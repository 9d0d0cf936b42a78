import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { Freeze } from '#kernel/releases/kinds/freeze.ts';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { Notification } from '#kernel/releases/kinds/notification.ts';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import type { StageInterval } from '#kernel/releases/kinds/release-status.ts';
import { STOP_NAME, Stop } from '#kernel/releases/kinds/stop.ts';
import { Head, candidateOf, headName } from '#kernel/kinds/builtin/head.ts';
import { parseCohort } from '#kernel/snapshots/cohort.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import { StoredEntry } from '#kernel/store/entry.ts';
import { drop, put } from './schedule.ts';
import { Fragile } from '#kernel/releases/testing/fragile.ts';
import { Node } from '#kernel/releases/testing/node.ts';
import { NO_FAULTS } from './world.ts';
import { GUARDED, MINUTE, node, policy, startStory, underWay } from './story.ts';

type Story = ReturnType<typeof startStory>;

test('a change goes stage by stage, soaks in each, and then to everybody', async () => {
  const story = await underWay();
  assert.deepEqual(
    story.releases().map(({ status: { phase, stage, share } }) => [phase, stage, share]),
    [['Progressing', 'few', 1]],
  );
  assert.equal(story.liveValue('x'), 1);
  await story.run(MINUTE + 1_000);
  assert.equal(story.releases()[0]?.status.stage, 'half');
  await story.run(MINUTE + 2_000);
  assert.deepEqual(story.phases(), ['Promoted']);
  assert.equal(story.liveValue('x'), 2);
});

const liveReason = (story: ReturnType<typeof startStory>, kind: Kind, name: string): string | undefined =>
  (story.world.store.memory.get(kind, '', name)?.object().status as { conditions?: { message: string }[] } | undefined)
    ?.conditions?.[0]?.message;

test('an object whose Head is refused holds no other, says why, and goes when it is taken', async () => {
  const story = startStory();
  story.world.refusedHeads.add(headName(Node, 'bad'));
  story.declare([node('bad', 1), node('with-it', 1)]);
  story.declare([node('other', 1)]);
  await story.run(1_000);
  story.declare([node('other', 2)]);
  await story.run(1_000);
  assert.deepEqual(['bad', 'with-it', 'other'].map(story.liveValue), [undefined, 1, 2]);
  assert.match(liveReason(story, Node, 'bad') ?? '', /is not to be/);
  assert.equal(liveReason(story, Node, 'other'), 'The declared spec is live.');
  await story.world.caughtUp();
  await story.run(20_000);
  assert.deepEqual(
    story.world.logged.map(({ msg, name }) => [msg, name]),
    [['releases: cannot release an object; retrying with back-off', 'bad']],
  );
  story.world.refusedHeads.clear();
  await story.run(20_000);
  assert.equal(story.liveValue('bad'), 1);
});

test('an object that a bug throws at holds no other, under a policy or not', async () => {
  const story = startStory();
  story.declare([put(Fragile, 'f', { isBroken: true })]);
  story.declare([node('x', 1)]);
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 1);
  assert.match(liveReason(story, Fragile, 'f') ?? '', /it fell apart/);
  await story.world.caughtUp();
  story.declare([put(Fragile, 'f', { isBroken: false })]);
  await story.run(1_000);
  assert.equal(liveReason(story, Fragile, 'f'), 'The declared spec is live.');
});

test('an object whose history cannot be read holds no other, and never goes past a policy', async () => {
  const story = startStory();
  story.declare([node('x', 1), node('y', 1)]);
  await story.run(1_000);
  story.declare([policy()]);
  await story.run(1_000);
  story.world.unreadable.add('x');
  story.world.kill();
  // The label that the policy selects is taken off on the way: only the history shows it.
  story.declare([node('x', 1, {})]);
  story.declare([node('x', 2)]);
  story.declare([node('x', 3, {})]);
  story.world.start();
  story.declare([node('y', 2)]);
  for (let second = 0; second < 30; second += 1) {
    await story.run(1_000);
    assert.equal(story.liveValue('x'), 1);
  }
  assert.match(liveReason(story, Node, 'x') ?? '', /cannot be read/);
  const releasedNames = () => story.releases().map(({ objects }) => objects.join());
  assert.deepEqual(releasedNames(), ['y']);
  story.world.unreadable.clear();
  await story.run(20_000);
  assert.deepEqual(releasedNames().toSorted(), ['x', 'y']);
});

test('a name that what is live could not be kept under is refused at the write, with the longest that can be', () => {
  const story = startStory();
  const charsMax = 253 - headName(Node, '').length;
  assert.throws(() => story.declare([node('a'.repeat(charsMax + 1), 1)]), new RegExp(`use at most ${charsMax}`));
  story.declare([node('a'.repeat(charsMax), 1)]);
});

test('the engine may die at any moment of a release, and nothing comes out differently', async () => {
  const outcome = async (dieAt: number) => {
    const story = startStory((activeMs) => (activeMs < 30_000 ? 'undecided' : 'pass'));
    story.declare([node('x', 1)]);
    await story.run(1_000);
    story.world.dieAt = story.world.awaits + dieAt;
    story.declare([policy(GUARDED)]);
    story.declare([node('x', 2), node('y', 5)]);
    for (let passed = 0; passed < 10 * MINUTE; passed += 5_000) {
      await story.run(5_000);
      if (!story.world.isRunning) story.world.start();
    }
    const releases = story
      .releases()
      .map(({ status, objects }) => [status.phase, objects, status.history.map(({ phase }) => phase)]);
    return { died: story.world.happened.get('crash') ?? 0, releases, x: story.liveValue('x'), y: story.liveValue('y') };
  };
  const { died: _never, ...undisturbed } = await outcome(Infinity);
  assert.deepEqual(
    undisturbed.releases.map(([phase]) => phase),
    ['Promoted'],
  );
  let moments = 0;
  for (let dieAt = 1; ; dieAt += 1) {
    const { died, ...rest } = await outcome(dieAt);
    if (died === 0) break;
    moments += 1;
    assert.deepEqual(rest, undisturbed, `died at moment ${dieAt}`);
  }
  assert.ok(moments > 20, `${moments} moments`);
});

test('harm takes the change back by itself, declares what is live, and pins it: the same is refused, another goes on', async () => {
  const story = await underWay(GUARDED, (activeMs) => (activeMs > 20_000 ? 'fail' : 'undecided'));
  await story.run(2 * MINUTE);
  assert.deepEqual(story.phases(), ['RolledBack']);
  assert.equal(story.declaredValue('x'), 1);
  assert.throws(() => story.declare([node('x', 2)]), { code: 'releases/pinned', status: 409 });
  story.declare([node('x', 3)]);
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['RolledBack', 'Progressing']);
  await story.ask('abort', story.releases()[1]?.name ?? '');
  await story.run(1_000);
  await story.ask('unpin', story.release);
  story.declare([node('x', 2)]);
});

const HARM = {
  of: 'threshold',
  value: 0.9,
  units: 300,
  windows: 3,
  beyond: { value: 50, needed: 20 },
  within: { value: 0, needed: 20 },
  dispersion: 1,
  leftOut: 0,
} as const;

test('a failure keeps its figures, whatever source dies and whatever restarts: only force goes on', async () => {
  const more = { ...GUARDED, onFailure: 'halt', stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }] };
  const outcomes = ['providerDown', 'notANumber', undefined, 'pass'] as const;
  let since = -1;
  const story = await underWay(more, (activeMs) => {
    if (since >= 0) return outcomes[since];
    return activeMs > 20_000 ? { outcome: 'fail', figures: HARM } : 'undecided';
  });
  await story.run(MINUTE);
  const failed = story.releases()[0]?.status.guardrails;
  assert.deepEqual(failed, [{ name: 'harm', outcome: 'fail', because: 'It is fail.', figures: HARM }]);
  for (const [index] of outcomes.entries()) {
    since = index;
    await story.ask('resume', story.release, 'bob');
    story.world.kill();
    story.world.start();
    await story.run(5 * MINUTE);
    assert.deepEqual(story.releases()[0]?.status.guardrails, failed, String(outcomes[index]));
    await story.ask('promote', story.release, 'bob');
    await story.run(MINUTE);
    assert.equal(story.liveValue('x'), 1, String(outcomes[index]));
    await story.ask('pause', story.release, 'bob');
  }
  await story.ask('resume', story.release, 'bob');
  await story.run(1_000);
  await story.ask('promote', story.release, 'bob', { force: true, reason: 'It is another thing.' });
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['Promoted']);
});

test('harm may take back its stage alone: who had it before has it still, and somebody decides', async () => {
  let isHarm = false;
  const story = await underWay({ ...GUARDED, onFailure: 'rollBackStage' }, () => (isHarm ? 'fail' : 'pass'));
  const cohort = (): unknown[] => {
    const head = story.world.store.memory.get(Head, '', headName(Node, 'x'))?.object();
    return parseCohort(head === undefined ? undefined : candidateOf(head)?.where)?.slices ?? [];
  };
  await story.run(MINUTE + 5_000);
  assert.deepEqual([story.releases()[0]?.status.stage, cohort().length], ['half', 2]);
  isHarm = true;
  await story.run(MINUTE);
  const { phase, stage } = story.releases()[0]?.status ?? {};
  assert.deepEqual([phase, stage, cohort().length], ['Paused', 'few', 1]);
  await story.run(60 * MINUTE);
  assert.equal(cohort().length, 1);
  await story.ask('resume', story.release, 'bob');
  await story.run(5 * MINUTE);
  assert.equal(story.releases()[0]?.status.stage, 'few', 'what failed goes on by force alone');
  await story.ask('rollback', story.release, 'bob');
  await story.run(MINUTE);
  assert.deepEqual([story.phases(), cohort()], [['RolledBack'], []]);
});

test('that nothing measured the candidate holds until something does', async () => {
  const more = { ...GUARDED, onFailure: 'halt', stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }] };
  let isMended = false;
  const story = await underWay(more, () => (isMended ? { outcome: 'pass', figures: HARM } : 'fail'));
  await story.run(MINUTE);
  assert.equal(story.phases()[0], 'Paused');
  isMended = true;
  await story.ask('resume', story.release, 'bob');
  await story.run(2 * MINUTE);
  assert.deepEqual(story.phases(), ['Promoted']);
});

test('I10: no stage is passed by the evidence of those before: it waits for a whole window of its own', async () => {
  const stages = [{ name: 'few', listeners: { percent: 1 }, soak: 'PT0S' }];
  let isMeasured = false;
  const story = await underWay({ ...GUARDED, stages }, () => ({ outcome: 'pass', isOfStage: isMeasured }));
  await story.run(MINUTE);
  const [release] = story.releases();
  assert.equal(release?.status.stage, 'few');
  assert.equal(release?.status.message, 'harm: passes so far; waits for a whole window of this stage.');
  isMeasured = true;
  await story.run(MINUTE);
  assert.deepEqual(story.phases(), ['Promoted']);
});

test('a shadow is judged and shown, and neither takes back nor holds anything', async () => {
  const [harm] = GUARDED.guardrails;
  const guardrails = [harm, { ...harm, name: 'trial', shadow: true }];
  for (const outcome of ['fail', 'undecided', 'providerDown', undefined] as const) {
    const story = await underWay({ guardrails }, (_activeMs, guardrail) => (guardrail === 'trial' ? outcome : 'pass'));
    await story.run(5 * MINUTE);
    assert.deepEqual(story.phases(), ['Promoted'], String(outcome));
    const shown = story
      .releases()[0]
      ?.status.guardrails?.map(({ name, shadow, outcome: verdict }) => [name, shadow, verdict]);
    const trial = outcome === undefined ? [] : [['trial', true, outcome]];
    assert.deepEqual(shown, [['harm', undefined, 'pass'], ...trial]);
  }
  const alone = await underWay({ guardrails: guardrails.slice(1) }, () => 'fail');
  await alone.run(5 * MINUTE);
  assert.deepEqual(alone.phases(), ['Promoted']);
});

const BAKED = { ...GUARDED, stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }], bake: 'PT10M' };

test('during the bake everybody has the change, and "promoted" is sent when the bake has gone well', async () => {
  const notify = [{ type: 'webhook', url: 'https://hooks.example', on: ['started', 'stage', 'promoted'] }];
  const story = await underWay({ ...BAKED, notify });
  const sentEvents = () =>
    [...story.world.store.memory.list(Notification)].map((entry) => (entry.object().spec as { event: string }).event);
  await story.run(MINUTE + 2_000);
  const [release] = story.releases();
  const { phase, stage, share, message } = release?.status ?? {};
  assert.deepEqual([phase, stage, share], ['Progressing', 'bake', 100]);
  assert.match(message ?? '', /^Bakes until 2026-\d\d-\d\dT[\d:]+Z\.$/);
  await story.run(9 * MINUTE);
  assert.deepEqual([story.phases()[0], sentEvents().toSorted()], ['Progressing', ['stage', 'started']]);
  await story.run(MINUTE + 2_000);
  assert.deepEqual([story.phases()[0], sentEvents().toSorted()], ['Promoted', ['promoted', 'stage', 'started']]);
  assert.equal(story.liveValue('x'), 2);
});

test('I14: while it bakes nothing has to pass, and what fails takes it back from everybody', async () => {
  let outcome: 'pass' | 'stale' | 'fail' = 'pass';
  const story = await underWay(BAKED, () => ({ outcome, isOfStage: true }));
  await story.run(MINUTE + 2_000);
  outcome = 'stale';
  await story.run(5 * MINUTE);
  assert.equal(story.releases()[0]?.status.stage, 'bake');
  outcome = 'fail';
  await story.run(MINUTE);
  assert.deepEqual(story.phases(), ['RolledBack']);
  assert.deepEqual([story.liveValue('x'), story.declaredValue('x')], [1, 1]);
  assert.throws(() => story.declare([node('x', 2)]), { code: 'releases/pinned' });

  outcome = 'pass';
  const silent = await underWay(BAKED, () => ({ outcome }));
  await silent.run(MINUTE + 2_000);
  outcome = 'stale';
  await silent.run(11 * MINUTE);
  assert.deepEqual(silent.phases(), ['Promoted']);
});

test('a bake is held, paused, ended early and forced as any stage', async () => {
  const story = await underWay({ ...BAKED, onFailure: 'halt' }, (activeMs) =>
    activeMs > 5 * MINUTE ? 'fail' : 'pass',
  );
  await story.run(MINUTE + 2_000);
  story.declare([put(Stop, STOP_NAME, { reason: 'Incident.' })]);
  await story.run(20 * MINUTE);
  assert.equal(story.phases()[0], 'Paused', 'what fails pauses it also while everything is stopped');
  story.declare([drop(Stop, STOP_NAME)]);
  await story.ask('resume', story.release, 'bob');
  await story.run(30 * MINUTE);
  assert.equal(story.releases()[0]?.status.stage, 'bake', 'what has failed is not promoted because time has passed');
  await story.ask('promote', story.release, 'bob', { force: true, reason: 'It is another thing.' });
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['Promoted']);

  const early = await underWay({ ...BAKED, stages: [{ name: 'few', listeners: { percent: 1 }, promote: 'manual' }] });
  await early.ask('promote', early.release);
  await early.run(1_000);
  assert.equal(early.releases()[0]?.status.stage, 'bake');
  await early.ask('promote', early.release);
  await early.run(1_000);
  assert.deepEqual(early.phases(), ['Promoted']);

  const whole = await underWay({ stages: [{ name: 'all', listeners: { percent: 100 }, soak: 'PT1M' }], bake: 'PT1M' });
  await whole.run(MINUTE + 2_000);
  assert.equal(whole.releases()[0]?.status.stage, 'bake');
  await whole.run(MINUTE + 2_000);
  assert.deepEqual(whole.phases(), ['Promoted']);
});

test('the times of stages that are over are kept, so that their last moments are measured', async () => {
  const asked: (readonly StageInterval[])[] = [];
  const story = await underWay({
    ...BAKED,
    stages: [...BAKED.stages, { name: 'half', listeners: { percent: 50 }, soak: 'PT1M' }],
  });
  const earlierNow = () => {
    const state = story.releases()[0]?.status.standing.state;
    return state?.at === 'exposing' ? (state.earlier ?? []) : [];
  };
  await story.run(30_000);
  await story.ask('pause', story.release, 'bob');
  await story.ask('resume', story.release, 'bob');
  await story.run(1_000);
  asked.push(earlierNow());
  await story.run(MINUTE + 2_000);
  asked.push(earlierNow());
  await story.run(MINUTE + 2_000);
  asked.push(earlierNow());
  assert.deepEqual(
    asked.map((stretches) => stretches.map(({ stage }) => stage)),
    [[0], [0, 0], [0, 0, 1]],
  );
  for (const { seenMs, untilMs = 0 } of asked.flat()) assert.ok(seenMs < untilMs);
  assert.deepEqual(story.world.judged?.earlier, asked.at(-1));
});

test('a clock that leaps ahead and back makes no soak, and holds nothing up', async () => {
  for (const guarded of [GUARDED, {}]) {
    const story = await underWay({ ...guarded, stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT10M' }] });
    await story.run(MINUTE);
    story.world.jumpMs = 60 * MINUTE;
    story.declare([node('other', 1, {})]);
    await story.run(MINUTE);
    assert.equal(story.liveValue('x'), 1, 'the leap is no soak');
    story.world.jumpMs = 0;
    await story.run(30 * MINUTE);
    assert.deepEqual(story.phases(), ['Promoted'], 'nobody waits for the hour to come again');
  }
  const seenAhead = await underWay({
    stages: [
      { name: 'few', listeners: { percent: 1 }, soak: 'PT1M' },
      { name: 'half', listeners: { percent: 50 }, soak: 'PT10M' },
    ],
  });
  await seenAhead.run(30_000);
  seenAhead.world.jumpMs = 60 * MINUTE;
  await seenAhead.run(2 * MINUTE);
  assert.equal(seenAhead.releases()[0]?.status.stage, 'half');
  seenAhead.world.jumpMs = 0;
  await seenAhead.run(20 * MINUTE);
  assert.deepEqual(seenAhead.phases(), ['Promoted']);
});

test('a rollback that somebody asked for is undone by nobody: not by what is applied again and again', async () => {
  const story = await underWay();
  await story.run(5 * MINUTE);
  await story.ask('rollback', story.release, 'bob', { reason: 'Complaints.' });
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 1);
  assert.deepEqual(story.phases(), ['Promoted', 'Promoted']);
  for (let round = 0; round < 5; round += 1) {
    assert.throws(() => story.declare([node('x', 2)]), /pinned by bob after release .* was rolled back: Complaints\./);
    await story.run(MINUTE);
  }
  assert.equal(story.liveValue('x'), 1);
  await assert.rejects(story.ask('rollback', story.releases()[1]?.name ?? ''), { code: 'releases/no-rollback' });
});

test('I4: without evidence nothing is promoted: the deadline of the stage ends in a pause that says what is missing', async () => {
  for (const outcome of [
    'undecided',
    'providerDown',
    'noData',
    'zeroTraffic',
    'notANumber',
    'stale',
    'invalid',
    undefined,
  ] as const) {
    const stages = [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M', deadline: 'PT3M' }];
    const story = await underWay({ ...GUARDED, stages }, () => outcome);
    await story.run(2 * MINUTE);
    assert.equal(story.phases()[0], 'Progressing');
    await story.run(2 * MINUTE);
    const [release] = story.releases();
    assert.equal(release?.status.phase, 'Paused', String(outcome));
    assert.match(release?.status.message ?? '', /Undecided after PT3M: harm: /);
    await story.run(60 * MINUTE);
    assert.equal(story.liveValue('x'), 1);
  }
});

test('a stage is done only when its cohort is seen to have it: what cannot be seen soaks not', async () => {
  const story = await underWay();
  story.world.faults = { ...NO_FAULTS, unseen: 1 };
  await story.run(30 * MINUTE);
  const [release] = story.releases();
  assert.equal(release?.status.stage, 'few');
  assert.match(release?.status.message ?? '', /^Waits for listeners: decision plane is unknown \(nobody answers\)\.$/);
  story.world.faults = NO_FAULTS;
  await story.run(30_000);
  assert.equal(story.releases()[0]?.status.stage, 'few', 'the soak begins anew');
  await story.run(MINUTE);
  assert.equal(story.releases()[0]?.status.stage, 'half');
});

test('the time without an engine is no soak', async () => {
  const story = await underWay();
  await story.run(30_000);
  story.world.kill();
  await story.run(60 * MINUTE);
  story.world.start();
  await story.run(5_000);
  assert.equal(story.releases()[0]?.status.stage, 'few');
  await story.run(45_000);
  assert.equal(story.releases()[0]?.status.stage, 'half');
});

test('a command given while no engine ran is carried out by the next', async () => {
  const story = await underWay({ stages: [{ name: 'few', listeners: { percent: 1 }, promote: 'manual' }] });
  await story.run(5 * MINUTE);
  assert.equal(story.phases()[0], 'Progressing');
  story.world.kill();
  await story.ask('promote', story.release);
  story.world.start();
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Promoted']);
});

test('I3: a later change takes the place of the earlier one, from the first stage, and what was superseded never goes on', async () => {
  const story = await underWay();
  await story.run(MINUTE + 5_000);
  assert.equal(story.releases()[0]?.status.stage, 'half');
  story.declare([node('x', 3)]);
  await story.run(2_000);
  assert.deepEqual(
    story.releases().map(({ status: { phase, stage } }) => [phase, stage]),
    [
      ['Superseded', undefined],
      ['Progressing', 'few'],
    ],
  );
  await assert.rejects(story.ask('promote', story.release), { code: 'releases/not-now' });
  await story.run(5 * MINUTE);
  assert.equal(story.liveValue('x'), 3);
  assert.deepEqual(story.phases(), ['Superseded', 'Promoted']);
});

test('a superseding release includes the objects of the earlier one: nothing is lost', async () => {
  const story = startStory();
  story.declare([policy()]);
  story.declare([node('x', 1), node('y', 1)]);
  await story.run(2_000);
  story.declare([node('x', 2)]);
  await story.run(5 * MINUTE);
  assert.deepEqual([story.liveValue('x'), story.liveValue('y')], [2, 1]);
});

test('declared again as it is live, a change leaves its release at once', async () => {
  const story = await underWay();
  story.declare([node('x', 1)]);
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Superseded']);
  assert.equal(story.liveValue('x'), 1);
});

test('with queue, changes go one after the other, and one that is aborted holds up nobody', async () => {
  const story = await underWay({ queue: 'queue' });
  story.declare([node('x', 3)]);
  await story.run(1_000);
  story.declare([node('x', 4)]);
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['Progressing', 'Queued', 'Queued']);
  await story.ask('abort', story.releases()[1]?.name ?? '');
  await story.run(10 * MINUTE);
  assert.deepEqual(story.phases(), ['Promoted', 'Aborted', 'Promoted']);
  assert.equal(story.liveValue('x'), 4);
});

test('with reject, what a release is under way with is not changed, and the refusal names it', async () => {
  const story = await underWay({ queue: 'reject' });
  assert.throws(() => story.declare([node('x', 3)]), {
    code: 'releases/under-way',
    status: 409,
    message: new RegExp(story.release),
  });
  assert.throws(() => story.declare([drop(Node, 'x')]), { code: 'releases/under-way' });
});

test('an object that depends on an open release waits for it; one with the same dependency goes beside it', async () => {
  const story = await underWay();
  story.declare([node('y', 1, { policy: 'p' }, ['x'])]);
  story.declare([node('z', 1)]);
  await story.run(2_000);
  const [, relying, free] = story.releases();
  assert.deepEqual([relying?.status.phase, free?.status.phase], ['Queued', 'Progressing']);
  assert.match(relying?.status.message ?? '', new RegExp(`Waits for ${story.release}`));
  story.declare([node('a', 1, {})]);
  await story.run(1_000);
  story.declare([node('b', 1, { policy: 'p' }, ['a'])]);
  story.declare([node('c', 1, { policy: 'p' }, ['a'])]);
  await story.run(2_000);
  assert.deepEqual(story.phases().slice(-2), ['Progressing', 'Progressing']);
});

test('a change without a policy waits while a release is under way with what it relies on', async () => {
  const story = await underWay();
  story.declare([node('y', 1, {}, ['x'])]);
  await story.run(1_000);
  assert.equal(story.liveValue('y'), undefined);
  const y = story.world.store.memory.get(Node, '', 'y')?.object().status as
    | { conditions: { message: string }[] }
    | undefined;
  assert.match(y?.conditions[0]?.message ?? '', /is in progress with it/);
  await story.run(5 * MINUTE);
  assert.equal(story.liveValue('y'), 1);
});

const audience = (name: string, value: string, of: string[] = []): Operation => ({
  ...put(Audience, name, {
    anyOf: [
      { allOf: [{ attribute: 'targetingKey', startsWith: [value] }] },
      ...of.map((other) => ({ allOf: [{ audience: other }] })),
    ],
  }),
  namespace: SYSTEM_NAMESPACE,
});

test('I6: members of a cohort stay in it: changes of an audience of a stage, and of its definition, wait for the release', async () => {
  const story = startStory();
  const live = (name: string) =>
    JSON.stringify(story.world.store.memory.get(Head, '', headName(Audience, name))?.object());
  story.declare([audience('inner', 'a'), audience('outer', 'b', ['inner']), audience('other', 'c'), node('x', 1)]);
  await story.run(1_000);
  story.declare([policy({ stages: [{ name: 'few', listeners: { audience: 'outer', percent: 100 }, soak: 'PT1M' }] })]);
  story.declare([node('x', 2)]);
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Progressing']);
  story.declare([audience('inner', 'z'), audience('other', 'z')]);
  story.declare([{ ...drop(Audience, 'outer'), namespace: SYSTEM_NAMESPACE }]);
  await story.run(10_000);
  assert.match(live('inner'), /"a"/);
  assert.match(live('outer'), /"b"/);
  assert.match(live('other'), /"z"/);
  const entry = story.world.store.memory.get(Audience, SYSTEM_NAMESPACE, 'inner');
  assert.match(
    JSON.stringify(entry?.object().status),
    new RegExp(`release ${story.releases()[0]?.name} is in progress`),
  );
  await story.run(2 * MINUTE);
  assert.deepEqual(story.phases(), ['Promoted']);
  assert.match(live('inner'), /"z"/);
  assert.equal(live('outer'), undefined);
});

test('a stage of an audience that is not there reaches nobody: the release is blocked, and goes on when it is', async () => {
  const story = await underWay({
    stages: [{ name: 'few', listeners: { audience: 'staff', percent: 100 }, soak: 'PT1M' }],
  });
  assert.deepEqual(story.phases(), ['Blocked']);
  assert.match(
    story.releases()[0]?.status.message ?? '',
    /policy p, spec\.stages\[0\]\.listeners\.audience: there is no live Audience "staff"/,
  );
  story.declare([audience('staff', 's')]);
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Progressing']);
});

test('a release says what it means, as it is when it begins to wait and when what is live has changed', async () => {
  const story = startStory();
  const sentences = (at: number) =>
    Release.spec(story.world.store.memory.get(Release, '', story.releases()[at]?.name ?? '')?.object() ?? {}).sentences;
  story.declare([policy({ queue: 'queue', approvals: { required: 1 } })]);
  const some = (value: string): Operation => {
    const operation = audience('some', value);
    const { object } = operation as { object: ResourceObject };
    const metadata = { ...object.metadata, labels: { policy: 'p' } };
    return { ...operation, object: { ...object, metadata } } as Operation;
  };
  story.declare([some('a')]);
  await story.run(1_000);
  assert.deepEqual(sentences(0), ['Audience backline-system/some: New audience some: targetingKey starts with a.']);
  story.declare([some('b')]);
  await story.run(1_000);
  await story.ask('approve', story.releases()[0]?.name ?? '', 'bob');
  await story.run(5 * MINUTE);
  assert.deepEqual(story.phases(), ['Promoted', 'AwaitingApproval']);
  assert.match(sentences(1)?.join() ?? '', /was: .*starts with a.*becomes: .*starts with b/);
});

test('a large release says of how many objects it says nothing, and leaves none of those that it names out', async () => {
  for (const count of [49, 50, 120]) {
    const story = startStory();
    story.declare([policy({ approvals: { required: 1 } })]);
    const names = Array.from({ length: count }, (_, index) => `n-${String(index).padStart(3, '0')}`);
    story.declare(names.map((name) => node(name, 1)));
    await story.run(1_000);
    const [release] = story.releases();
    const { sentences = [] } = release?.spec ?? {};
    const named = names.slice(0, 49).map((name) => `Node ${name}: It is new.`);
    const more = count - 49;
    const last = `And ${more} more ${more === 1 ? 'object' : 'objects'}: backline release show ${release?.name} --all`;
    assert.deepEqual(sentences, more === 0 ? named : [...named, last]);
  }
});

test('nothing that is asked before or in a pause, or while all is stopped, acts when somebody else lets it go on', async () => {
  const stages = [
    { name: 'few', listeners: { percent: 1 }, soak: 'PT1H', promote: 'manual' },
    { name: 'half', listeners: { percent: 50 }, soak: 'PT1H', promote: 'manual' },
  ];
  const story = await underWay({ stages });
  await story.ask('promote', story.release);
  await story.ask('pause', story.release, 'bob', { reason: 'Odd numbers.' });
  await assert.rejects(story.ask('promote', story.release, 'cyd'), {
    reason: 'Conflict',
    message: /bob has paused it/,
    remedy: /^Resume it first: backline release resume x-/,
  });
  await story.ask('resume', story.release, 'bob');
  story.declare([put(Stop, STOP_NAME, { reason: 'Incident.' })]);
  await story.run(1_000);
  await assert.rejects(story.ask('promote', story.release, 'cyd'), /every release is stopped: Incident/);
  story.declare([drop(Stop, STOP_NAME)]);
  await story.run(30 * MINUTE);
  assert.equal(story.releases()[0]?.status.stage, 'few');
  await story.ask('promote', story.release, 'cyd');
  await story.run(1_000);
  assert.equal(story.releases()[0]?.status.stage, 'half');
});

test('the status reports a change of labels alone, with the name of the object', async () => {
  const story = startStory();
  story.declare([node('x', 1, {})]);
  await story.run(1_000);
  story.declare([policy({ approvals: { required: 1 } })]);
  story.declare([node('x', 1)]);
  await story.run(1_000);
  assert.deepEqual(story.releases()[0]?.spec.sentences, ['Node x: Its labels change.']);
  story.declare([drop(Node, 'x')]);
  await story.run(1_000);
  assert.deepEqual(story.releases()[1]?.spec.sentences, ['Node x: It is deleted.']);
});

test('a freeze and the switch hold what would reach somebody new, and never what is taken back', async () => {
  const freeze = put(Freeze, 'night', {
    timeZone: 'UTC',
    start: '2026-03-28T00:00',
    end: '2026-04-28T00:00',
    reason: 'Quiet.',
    owner: 'ops',
  });
  for (const hold of [freeze, put(Stop, STOP_NAME, { reason: 'An incident.' })]) {
    const story = await underWay();
    story.declare([hold]);
    await story.run(30 * MINUTE);
    const [release] = story.releases();
    assert.equal(release?.status.stage, 'few');
    assert.match(release?.status.held ?? '', /Quiet|An incident/);
    await story.ask('abort', story.release);
    await story.run(1_000);
    assert.deepEqual(story.phases(), ['Aborted']);
    assert.equal(story.declaredValue('x'), 1);
  }
});

const inUtc = (ms: number): string => Temporal.Instant.fromEpochMilliseconds(ms).toString().slice(0, 19);

/** A freeze of everything, from and until so many milliseconds from now. */
function freezeIn(story: ReturnType<typeof startStory>, fromMs: number, untilMs: number): Operation {
  const nowMs = story.world.clock().epochMilliseconds;
  const [start, end] = [inUtc(nowMs + fromMs), inUtc(nowMs + untilMs)];
  return put(Freeze, 'later', { timeZone: 'UTC', start, end, reason: 'Sleep.', owner: 'ops' });
}

test('I15: nothing is promoted while held: not from the last stage, nor what was promoting when the hold began', async () => {
  const stages = [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }];
  const holds = {
    stopped: {
      begin: (story: Story) => story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]),
      end: (story: Story) => story.declare([drop(Stop, STOP_NAME)]),
    },
    frozen: {
      begin: (story: Story) => story.declare([freezeIn(story, 0, 600 * MINUTE)]),
      end: (story: Story) => story.declare([drop(Freeze, 'later')]),
    },
    paused: {
      begin: (story: Story) => story.ask('pause', story.releases()[0]?.name ?? '', 'bob'),
      end: (story: Story) => story.ask('resume', story.releases()[0]?.name ?? '', 'bob'),
    },
  };
  for (const [what, { begin, end }] of Object.entries(holds)) {
    for (const isPromoting of [false, true]) {
      const story = await underWay({ stages });
      if (isPromoting) {
        story.world.refusedHeads.add(headName(Node, 'x'));
        await story.run(2 * MINUTE);
        assert.deepEqual(story.phases(), ['Promoting']);
      }
      await begin(story);
      story.world.refusedHeads.clear();
      await story.run(60 * MINUTE);
      assert.equal(story.liveValue('x'), 1, `${what}, promoting: ${isPromoting}`);
      await end(story);
      await story.run(3 * MINUTE);
      assert.equal(story.liveValue('x'), 2, `${what} has ended, promoting: ${isPromoting}`);
    }
  }
});

test('I16: the engine obeys a person who resumes after a failure: it pauses that stage no more, and takes nothing back', async () => {
  const stages = [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }];
  const story = await underWay({ ...GUARDED, stages, onFailure: 'halt' }, () => 'fail');
  await story.run(MINUTE);
  assert.deepEqual(story.phases(), ['Paused']);
  await story.ask('resume', story.release, 'bob');
  for (let passed = 0; passed < 30; passed += 1) {
    await story.run(MINUTE);
    assert.deepEqual(story.phases(), ['Progressing']);
  }
  assert.equal(story.liveValue('x'), 1, 'nobody forced it');
  await story.ask('promote', story.release, 'bob', { force: true, reason: 'It is another thing.' });
  await story.run(MINUTE);
  assert.deepEqual(story.phases(), ['Promoted']);
});

test('promotion is refused in a freeze, and one that was asked for before lapses: nothing goes on hours later', async () => {
  const stages = [
    { name: 'few', listeners: { percent: 1 }, soak: 'PT1H', promote: 'manual' },
    { name: 'half', listeners: { percent: 50 }, soak: 'PT1H', promote: 'manual' },
  ];
  let outcome: Verdict['outcome'] = 'undecided';
  for (const force of [false, true]) {
    outcome = 'undecided';
    const story = await underWay({ stages, ...GUARDED }, () => outcome);
    const [, held] = [await story.ask('promote', story.release), freezeIn(story, MINUTE, 61 * MINUTE)];
    story.declare([held]);
    await story.run(2 * MINUTE);
    const given = force ? { force, reason: 'It is needed.' } : {};
    await assert.rejects(story.ask('promote', story.release, 'bob', given), {
      reason: 'Conflict',
      message: /freeze later holds it until 2026-03-28T23:01:03Z: Sleep\. \(ops\)/,
      remedy: /^Promote it then\..*kubectl delete freeze later\.$/,
    });
    assert.match(
      story.releases()[0]?.status.message ?? '',
      /^Freeze later holds .* ann requested its promotion before/,
    );
    outcome = 'pass';
    await story.run(120 * MINUTE);
    assert.equal(story.releases()[0]?.status.stage, 'few');
    await story.ask('promote', story.release, 'bob', given);
    await story.run(1_000);
    assert.equal(story.releases()[0]?.status.stage, 'half');
  }
});

test('a freeze that begins and ends in a soak is no soak, though nothing else changes', async () => {
  for (const [fromS, untilS, promotedS] of [
    [8, 28, 60],
    [10, 70, 100],
    [39, 60, 61],
    [50, 90, 40],
  ] as const) {
    const story = startStory();
    story.declare([node('x', 1)]);
    await story.run(1_000);
    story.declare([policy({ stages: [{ name: 'few', listeners: { percent: 10 }, soak: 'PT40S' }] })]);
    story.declare([freezeIn(story, fromS * 1_000, untilS * 1_000)]);
    story.declare([node('x', 2)]);
    await story.run((promotedS - 2) * 1_000);
    assert.deepEqual(story.phases(), ['Progressing'], `${fromS}–${untilS}`);
    await story.run(4_000);
    assert.deepEqual(story.phases(), ['Promoted'], `${fromS}–${untilS}`);
  }
});

test('time that is held and has no engine is counted once, also when the engine dies before its first beat', async () => {
  // Minutes: held by the switch or a freeze, and without an engine; then when ten minutes of soak are over.
  for (const [hold, [from, until], [died, back], promoted] of [
    ['stop', [2, 34], [3, 33], 42],
    ['stop', [2, 20], [3, 33], 41],
    ['freeze', [5, 40], [3, 33], 47],
    ['freeze', [20, 40], [3, 33], 47],
    ['freeze', [3, 10], [5, 20], 27],
    ['none', [0, 0], [0.1, 20], 29.9],
    ['none', [0, 0], [4, 20], 26],
  ] as const) {
    const story = startStory();
    story.declare([node('x', 1)]);
    await story.run(1_000);
    story.declare([policy({ stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT10M' }] })]);
    if (hold === 'freeze') story.declare([freezeIn(story, from * MINUTE, until * MINUTE)]);
    story.declare([node('x', 2)]);
    const events: [number, () => void][] = [
      [died, () => story.world.kill()],
      [back, () => story.world.start()],
    ];
    if (hold === 'stop') {
      events.push([from, () => story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })])]);
      events.push([until, () => story.declare([drop(Stop, STOP_NAME)])]);
    }
    events.sort(([a], [b]) => a - b);
    let at = 0;
    for (const [minute, happens] of events) {
      await story.run((minute - at) * MINUTE);
      at = minute;
      happens();
    }
    const what = `${hold} ${from}–${until}, no engine ${died}–${back}`;
    await story.run((promoted - at) * MINUTE - 5_000);
    assert.equal(story.liveValue('x'), 1, what);
    // A beat tells when the engine was last there to a quarter of a minute.
    await story.run(25_000);
    assert.equal(story.liveValue('x'), 2, what);
  }
});

test('a freeze says whether it is open, at each of its edges', async () => {
  const story = startStory();
  const state = () => {
    const status = story.world.store.memory.get(Freeze, '', 'later')?.object().status as { state?: string } | undefined;
    return status?.state;
  };
  story.declare([freezeIn(story, 10_000, 20_000)]);
  await story.run(5_000);
  assert.equal(state(), 'Closed');
  await story.run(10_000);
  assert.equal(state(), 'Open');
  await story.run(10_000);
  assert.equal(state(), 'Over');
});

test('a freeze that cannot be evaluated holds releases, reports why, and holds no rollback', async () => {
  const story = await underWay();
  const { memory } = story.world.store;
  // It was accepted by an earlier version: the write of today refuses it.
  story.declare([freezeIn(story, 0, 1_000)]);
  const entry = memory.get(Freeze, '', 'later');
  assert.ok(entry !== undefined);
  const object = entry.object();
  const spec = {
    ...(object.spec as object),
    end: undefined,
    rrule: 'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29',
    duration: 'PT1H',
  };
  assert.throws(() => story.declare([put(Freeze, 'later', spec)]), /takes too long/);
  const version = memory.version + 1;
  const metadata = { ...object.metadata, generation: 9, resourceVersion: String(version) };
  const text = JSON.stringify({ ...object, metadata, spec });
  const stored = new StoredEntry({ kind: Freeze, namespace: '', name: 'later', version }, text);
  story.world.store.publish([{ version, type: 'MODIFIED', entry: stored, before: entry }]);
  await story.run(10 * MINUTE);
  assert.deepEqual(story.phases(), ['Progressing']);
  assert.match(story.releases()[0]?.status.held ?? '', /cannot be evaluated/);
  assert.match(JSON.stringify(memory.get(Freeze, '', 'later')?.object().status), /"Unknown".*exceeded/);
  await story.ask('rollback', story.release);
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['RolledBack']);
});

test('a freeze holds no rollback of what everybody has', async () => {
  const story = await underWay();
  await story.run(5 * MINUTE);
  story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
  await story.ask('rollback', story.release);
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 1);
});

test('approvals are of others, for this plan, and expire', async () => {
  const story = await underWay({ approvals: { required: 2, expireAfter: 'PT1H' } });
  const [release] = story.releases();
  assert.equal(release?.status.phase, 'AwaitingApproval');
  await assert.rejects(story.ask('approve', story.release, 'ann'), /ann made the change/);
  await story.ask('approve', story.release, 'bob');
  await assert.rejects(story.ask('approve', story.release, 'bob'), /has approved it already/);
  await story.run(2 * 60 * MINUTE);
  await story.ask('approve', story.release, 'cyd');
  await story.run(1_000);
  assert.match(story.releases()[0]?.status.message ?? '', /Waits for 1 approval/, 'that of bob is too old');
  await story.ask('approve', story.release, 'bob');
  await story.run(1_000);
  assert.equal(story.phases()[0], 'Progressing');
});

test('an edited policy is for what has not begun: approvals of another plan no longer count', async () => {
  const approvals = { required: 1, expireAfter: 'P7D' };
  const story = await underWay({ approvals, stages: [{ name: 'few', listeners: { percent: 1 } }] });
  story.declare([policy({ approvals, stages: [{ name: 'few', listeners: { percent: 2 }, soak: 'PT1M' }] })]);
  await story.run(1_000);
  await assert.rejects(story.ask('approve', story.release, 'bob', { planHash: 'abcdef12'.repeat(4) }), /its plan is/);
  await story.ask('approve', story.release, 'bob');
  await story.run(1_000);
  assert.equal(story.releases()[0]?.status.share, 2);
  story.declare([policy({ approvals, stages: [] })]);
  await story.run(30_000);
  assert.equal(story.releases()[0]?.status.share, 2, 'what has begun goes on as it began');
});

test('a group is collected until it is sealed, and goes as one', async () => {
  const story = startStory();
  story.declare([policy({ stages: [] })]);
  const labels = { policy: 'p', [GROUP_LABEL]: 'tier' };
  story.declare([node('x', 1, labels)]);
  await story.run(1_000);
  story.declare([node('y', 1, labels, ['x'])]);
  await story.run(10 * MINUTE);
  const [release] = story.releases();
  assert.deepEqual([release?.status.phase, release?.objects], ['Collecting', ['x', 'y']]);
  await story.ask('seal', release?.name ?? '');
  await story.run(1_000);
  assert.deepEqual([story.liveValue('x'), story.liveValue('y')], [1, 1]);
});

test('I7: creations and deletions come back as well: what was deleted is declared again', async () => {
  const story = startStory();
  story.declare([node('x', 1), node('y', 1)]);
  await story.run(1_000);
  story.declare([policy()]);
  story.declare([drop(Node, 'x'), node('z', 1), node('y', 2)]);
  await story.run(10 * MINUTE);
  assert.deepEqual([story.liveValue('x'), story.liveValue('y'), story.liveValue('z')], [undefined, 2, 1]);
  const [release] = story.releases();
  await story.ask('rollback', release?.name ?? '');
  await story.run(1_000);
  assert.deepEqual([story.liveValue('x'), story.liveValue('y'), story.liveValue('z')], [1, 1, undefined]);
  assert.deepEqual([story.declaredValue('x'), story.declaredValue('y'), story.declaredValue('z')], [1, 1, undefined]);
});

test('I1: a rollback that would break the world keeps its intent, says why, and goes on when it can', async () => {
  const story = startStory();
  story.declare([policy({ stages: [] })]);
  story.declare([node('x', 1)]);
  await story.run(1_000);
  const [creation] = story.releases();
  story.declare([node('y', 1, {}, ['x'])]);
  await story.run(1_000);
  await story.ask('rollback', creation?.name ?? '');
  await story.run(MINUTE);
  const back = story.releases()[1];
  assert.equal(back?.status.phase, 'Blocked');
  assert.match(back?.status.message ?? '', /still needed by Node "y"/);
  assert.ok(back?.status.standing.failing !== undefined);
  story.declare([drop(Node, 'y')]);
  await story.run(MINUTE);
  assert.equal(story.liveValue('x'), undefined);
});

test('a namespace that was deleted in the middle is declared again by a rollback, under way or with everybody', async () => {
  for (const isWithEverybody of [false, true]) {
    const story = startStory();
    const { memory } = story.world.store;
    const inTeam = (operation: Operation): Operation => ({ ...operation, namespace: 'team' });
    const team = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } };
    const target = { kind: Namespace.id, namespace: '', name: 'team' };
    const spec = { anyOf: [{ allOf: [{ attribute: 'targetingKey', startsWith: ['a'] }] }] };
    story.declare([{ ...target, verb: 'apply', object: team, uid: 'team' }]);
    story.declare([inTeam(put(Audience, 'some', spec, { policy: 'p' }))]);
    await story.run(1_000);
    story.declare([policy()]);
    story.declare([inTeam(drop(Audience, 'some'))]);
    story.declare([{ ...target, verb: 'delete' }]);
    const object = { ...memory.get(Namespace, '', 'team')?.object(), spec: { finalizers: [] } } as ResourceObject;
    story.declare([{ ...target, verb: 'update', part: 'finalize', object, fieldValidation: 'Ignore' }]);
    assert.equal(memory.get(Namespace, '', 'team'), undefined);
    await story.run(isWithEverybody ? 5 * MINUTE : 2_000);
    const [release] = story.releases();
    assert.equal(release?.status.phase, isWithEverybody ? 'Promoted' : 'Progressing');
    await story.ask('rollback', release.name);
    await story.run(10_000);
    assert.deepEqual(story.phases(), isWithEverybody ? ['Promoted', 'Promoted'] : ['RolledBack']);
    assert.deepEqual(memory.get(Audience, 'team', 'some')?.object().spec, spec);
    assert.notEqual(memory.get(Namespace, '', 'team'), undefined);
  }
});

test('abort, supersede and the pause of a person send notifications, and PagerDuty gets the end of its incident', async () => {
  const all = [
    'started',
    'approvalNeeded',
    'stage',
    'paused',
    'resumed',
    'promoted',
    'rolledBack',
    'aborted',
    'superseded',
    'failed',
  ];
  const notify = [
    { type: 'webhook', url: 'https://a', on: all },
    { type: 'pagerduty', secret: { namespace: 'ops', name: 's', key: 'key' }, on: ['paused'] },
  ];
  const story = await underWay({ notify });
  const sentBy = (type: string) =>
    [...story.world.store.memory.list(Notification)]
      .map((entry) => entry.object().spec as { event: string; message: string; at: string; channel: { type: string } })
      .filter(({ channel }) => channel.type === type)
      .sort((a, b) => (a.at < b.at ? -1 : 1));
  await story.ask('pause', story.release, 'bob', { reason: 'Lunch.' });
  await story.run(2_000);
  assert.deepEqual(
    sentBy('webhook')
      .map(({ event, message }) => [event, message])
      .at(-1),
    ['paused', 'Paused by bob: Lunch.'],
  );
  // A second incident needs the first one to be over.
  await story.ask('resume', story.release, 'bob');
  await story.run(2_000);
  await story.ask('pause', story.release, 'bob');
  await story.run(2_000);
  await story.ask('abort', story.release, 'bob', { reason: 'No.' });
  await story.run(2_000);
  assert.deepEqual(
    sentBy('webhook').map(({ event }) => event),
    ['started', 'paused', 'resumed', 'paused', 'aborted'],
  );
  assert.deepEqual(
    sentBy('pagerduty').map(({ event }) => event),
    ['paused', 'resumed', 'paused', 'aborted'],
  );
  story.declare([node('x', 4)]);
  await story.run(2_000);
  story.declare([node('x', 5)]);
  await story.run(2_000);
  assert.ok(sentBy('webhook').some(({ event, message }) => event === 'superseded' && /supersedes it/.test(message)));
});

test('each notification is sent once, whatever dies meanwhile', async () => {
  for (let dieAt = 1; dieAt < 40; dieAt += 3) {
    const story = startStory();
    story.declare([
      policy({ notify: [{ type: 'webhook', url: 'http://127.0.0.1/', on: ['started', 'stage', 'promoted'] }] }),
    ]);
    story.world.dieAt = story.world.awaits + dieAt;
    story.declare([node('x', 1)]);
    for (let passed = 0; passed < 5 * MINUTE; passed += 5_000) {
      await story.run(5_000);
      if (!story.world.isRunning) story.world.start();
    }
    const sent = [...story.world.store.memory.list(Notification)].map(
      (entry) => (entry.object().spec as { event: string }).event,
    );
    assert.deepEqual(sent.sort(), ['promoted', 'stage', 'started'], `died at moment ${dieAt}`);
  }
});

test('a pin that is made by hand keeps what is live, until it ends', async () => {
  const story = await underWay();
  await story.run(5 * MINUTE);
  const until = story.world.clock().add({ minutes: 30 }).toString();
  await story.ask('pin', story.release, 'bob', { reason: 'Audit.', until });
  assert.equal([...story.world.store.memory.list(Pin)].length, 1);
  assert.throws(() => story.declare([node('x', 7)]), /pinned by bob/);
  assert.throws(() => story.declare([drop(Node, 'x')]), /pinned by bob/);
  await story.run(31 * MINUTE);
  story.declare([node('x', 7)]);
});
