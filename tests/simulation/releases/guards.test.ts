import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROLLBACK_USER } from '#kernel/releases/engine/guard.ts';
import { ENGINE } from '#kernel/releases/engine/advance.ts';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { STOP_NAME, Stop } from '#kernel/releases/kinds/stop.ts';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import { liveCondition } from '#kernel/kinds/released-status.ts';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Node } from '#kernel/releases/testing/node.ts';
import { drop, put } from './schedule.ts';
import { MINUTE, node, policy, startStory, underWay } from './story.ts';

const HALF = { stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }] };
const AGREED = { approvals: { required: 1 }, stages: [] };

test('a person who is called like a part of the program is a person', async () => {
  for (const user of [ENGINE, ROLLBACK_USER]) {
    const story = await underWay(AGREED);
    story.declare([node('x', 3)], user);
    await story.run(1_000);
    const { name, spec } = story.releases().at(-1) ?? assert.fail();
    assert.deepEqual(spec.authors, ['ann', user].sort(), 'the change is followed, and has its author');
    await assert.rejects(story.ask('approve', name, user), /made the change/);

    const guarded = await underWay({ ...HALF, queue: 'reject' });
    for (const change of [node('x', 3), drop(Node, 'x')]) {
      assert.throws(() => guarded.declare([change], user), /is in progress with Node "x"/);
    }
    await guarded.ask('rollback', guarded.release, 'bob');
    await guarded.run(2_000);
    assert.throws(() => guarded.declare([node('x', 2)], user), /pinned by bob/);
  }
});

test('a promoted change is not rolled back when the object has changed since', async () => {
  const story = await underWay(HALF);
  await story.ask('promote', story.release, 'bob');
  await story.run(2_000);
  story.declare([drop(Node, 'x')]);
  await story.run(2_000);
  await story.ask('promote', story.releases().at(-1)?.name ?? '', 'bob');
  await story.run(2_000);
  assert.equal(story.liveValue('x'), undefined);
  await assert.rejects(story.ask('rollback', story.release, 'bob'), /Node "x" has changed since/);
  await story.ask('rollback', story.releases().at(-1)?.name ?? '', 'bob');
  await story.run(2_000);
  assert.equal(story.liveValue('x'), 2);
});

test('a release that is being rolled back takes no command that would continue it', async () => {
  const story = await underWay(HALF);
  await story.ask('rollback', story.release, 'bob', { reason: 'No.' });
  for (const verb of ['approve', 'pause', 'resume', 'promote', 'seal'] as const) {
    await assert.rejects(story.ask(verb, story.release, 'bob'), /it is being rolled back/, verb);
  }
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['RolledBack']);
  for (const verb of ['approve', 'pause', 'resume', 'promote', 'seal', 'abort', 'rollback'] as const) {
    await assert.rejects(story.ask(verb, story.release, 'bob'), /it is already finished/, verb);
  }
});

test('nothing takes the place of what is promoting: it waits', async () => {
  const story = await underWay({ stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1M' }] });
  story.world.refusedHeads.add(headName(Node, 'x'));
  await story.run(5 * MINUTE);
  assert.equal(story.releases()[0]?.status.standing.state.at, 'promoting');
  story.declare([node('x', 3)], 'bob');
  await story.run(5_000);
  assert.equal(story.releases()[0]?.status.standing.state.at, 'promoting');
  assert.equal(story.phases()[1], 'Queued');
  story.world.refusedHeads.clear();
  await story.run(MINUTE);
  assert.equal(story.phases()[0], 'Promoted');
  assert.notEqual(story.world.store.memory.get(Head, '', headName(Node, 'x')), undefined);
});

test('nobody approves what still collects, nor what somebody has already', async () => {
  const story = startStory();
  story.declare([policy({ approvals: { required: 1 }, ...HALF })]);
  story.declare([node('x', 1, { policy: 'p', [GROUP_LABEL]: 'g' })]);
  await story.run(1_000);
  const name = story.releases()[0]?.name ?? '';
  await assert.rejects(story.ask('approve', name, 'bob'), /it is still collecting/);
  await story.ask('seal', name);
  await story.run(1_000);
  await story.ask('approve', name, 'bob');
  await story.run(1_000);
  assert.deepEqual(story.phases(), ['Progressing']);
  await assert.rejects(story.ask('approve', name, 'cyd'), /it has started already/);
});

test('a held object that a policy selects meanwhile goes live by a release, and not at once when the hold ends', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
  story.declare([node('x', 2)]);
  await story.run(1_000);
  assert.deepEqual(story.phases(), []);
  story.declare([policy(AGREED), drop(Stop, STOP_NAME)]);
  await story.run(MINUTE);
  assert.deepEqual(story.phases(), ['AwaitingApproval']);
  assert.equal(story.liveValue('x'), 1);
});

test('no release is empty: an object that is live already needs no approval, and is released when it is a change', async () => {
  for (const end of ['promote', 'abort'] as const) {
    const story = await underWay({ ...HALF, queue: 'queue' });
    story.declare([node('x', 1)], 'bob');
    await story.run(1_000);
    assert.deepEqual(story.phases(), ['Progressing']);
    const { status } = story.world.store.memory.get(Node, '', 'x')?.object() ?? assert.fail();
    assert.match(
      JSON.stringify(status),
      new RegExp(`the declared state is live, but ${story.release} changes it first`),
    );
    await story.ask(end, story.release, 'cyd');
    await story.run(2_000);
    const isChange = end === 'promote';
    assert.deepEqual(story.phases(), isChange ? ['Promoted', 'Progressing'] : ['Aborted']);
    assert.deepEqual(story.releases()[1]?.spec.authors, isChange ? ['bob'] : undefined);
    assert.equal(story.liveValue('x'), isChange ? 2 : 1);
  }
});

test('a waiting release that no longer changes anything ends, whatever is ahead of it', async () => {
  const story = await underWay({ stages: [], approvals: { required: 1 }, queue: 'queue' });
  for (const value of [3, 2]) {
    story.declare([node('x', value)], 'ann');
    await story.run(1_000);
  }
  assert.deepEqual(story.phases(), ['AwaitingApproval', 'AwaitingApproval', 'AwaitingApproval']);
  await story.ask('approve', story.release, 'bob');
  await story.run(2_000);
  assert.deepEqual(
    story.phases(),
    ['Promoted', 'AwaitingApproval', 'Superseded'],
    'the last one would bring what is live',
  );
  await story.ask('approve', story.releases()[1]?.name ?? '', 'bob');
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Promoted', 'Promoted', 'Superseded', 'AwaitingApproval']);
  assert.equal(story.liveValue('x'), 3);
});

test('I7: a declaration during a rollback is never overwritten', async () => {
  const outcomes = new Set<string>();
  for (const isNew of [false, true]) {
    for (let afterMs = 0; afterMs < 120; afterMs += 2) {
      const story = await underWay(HALF);
      if (isNew) {
        story.declare([node('y', 2)]);
        await story.run(2_000);
      }
      const name = isNew ? 'y' : 'x';
      await story.ask('rollback', story.releases().at(-1)?.name ?? '', 'bob');
      await story.run(afterMs);
      const isBack = story.declaredValue(name) !== 2;
      story.declare([node(name, 4)], 'cyd');
      await story.run(2_000);
      assert.equal(story.declaredValue(name), 4, `${name} after ${afterMs} ms`);
      outcomes.add(`${name} ${isBack ? 'was back' : 'was not back yet'}`);
    }
  }
  assert.equal(outcomes.size, 4, [...outcomes].join());
});

test('the condition Live of a held object has a reason for each cause', async () => {
  const story = await underWay(HALF);
  const reasonOf = (name: string): string | undefined => {
    const object = story.world.store.memory.get(Node, '', name)?.object();
    return object === undefined ? undefined : liveCondition(object)?.reason;
  };
  story.declare([node('pinned', 1, {}), node('large', 5, {}), node('stopped', 1, {})]);
  await story.run(1_000);
  for (const name of ['refused', 'pinned']) story.world.refusedHeads.add(headName(Node, name));
  const below = put(Node, 'below', { needs: ['large'], value: 1, neighbourMax: 4 });
  const changes = [node('refused', 1, {}), node('beside', 1, {}, ['x']), node('lonely', 1, {}, ['nowhere']), below];
  for (const change of [...changes, node('pinned', 2, {})]) story.declare([change]);
  await story.run(1_000);
  assert.equal(reasonOf('pinned'), 'BackOff');
  // The pin comes after the write, which it would refuse.
  story.declare([put(Pin, 'hand', { object: { kind: Node.id, name: 'pinned' }, by: 'bob', reason: 'Audit.' })]);
  story.world.refusedHeads.delete(headName(Node, 'pinned'));
  await story.run(20_000);
  assert.deepEqual(['refused', 'beside', 'lonely', 'below', 'pinned', 'stopped'].map(reasonOf), [
    'BackOff',
    'WaitsForRelease',
    'ReferenceNotFound',
    'CheckFailed',
    'Pinned',
    'Released',
  ]);
  story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
  story.declare([node('stopped', 2, {})]);
  await story.run(2_000);
  assert.equal(reasonOf('stopped'), 'Stopped');
});
