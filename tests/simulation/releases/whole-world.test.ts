import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headName } from '#kernel/kinds/builtin/head.ts';
import { liveCondition } from '#kernel/kinds/released-status.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Node } from '#kernel/releases/testing/node.ts';
import { Seat } from '#kernel/releases/testing/seat.ts';
import { drop, put } from './schedule.ts';
import { MINUTE, node, policy, startStory } from './story.ts';

type Story = ReturnType<typeof startStory>;

const seat = (name: string, number: number, labels: Record<string, string> = {}) =>
  put(Seat, name, { room: 'room', number }, labels);
const staged = { policy: 'p' };

/** The message of the live condition of a seat. */
function messageOf(story: Story, name: string): string {
  const object = story.world.store.memory.get(Seat, '', name)?.object();
  return (object === undefined ? undefined : liveCondition(object)?.message) ?? '';
}

/** A room, and a release under way with seat 1 in it. */
async function seatUnderWay(): Promise<Story> {
  const story = startStory();
  story.declare([node('room', 1, {}), policy()]);
  story.declare([seat('first', 1, staged)]);
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Progressing']);
  return story;
}

test('I1: changes without a policy go live as far as the world stays whole, and the rest when it is', async () => {
  const story = startStory();
  story.declare([node('a', 1, {}, ['b']), node('c', 1, {})]);
  await story.run(1_000);
  assert.deepEqual(['a', 'c'].map(story.liveValue), [undefined, 1]);
  story.declare([node('b', 1, {})]);
  await story.run(1_000);
  assert.deepEqual(['a', 'b'].map(story.liveValue), [1, 1]);
});

test('I1: a change without a policy goes live beside objects of cohorts, or waits until they are gone', async () => {
  const story = await seatUnderWay();
  story.declare([seat('second', 2), seat('rival', 1)]);
  await story.run(1_000);
  assert.equal(messageOf(story, 'second'), 'The declared spec is live.');
  assert.match(messageOf(story, 'rival'), /number 1 is taken by first/);
  await story.ask('abort', story.releases()[0]?.name ?? '');
  await story.run(MINUTE);
  assert.equal(messageOf(story, 'rival'), 'The declared spec is live.');
});

test('I1: releases that rely on the same go beside each other where the world takes both, else one after the other', async () => {
  const story = await seatUnderWay();
  const [first] = story.releases();
  story.declare([seat('second', 2, staged)]);
  story.declare([seat('rival', 1, staged)]);
  await story.run(2_000);
  const [, second, rival] = story.releases();
  assert.deepEqual([second?.status.phase, rival?.status.phase], ['Progressing', 'Queued']);
  assert.match(rival?.status.message ?? '', new RegExp(`Waits for .*${first?.name}`));
  await story.ask('abort', first?.name ?? '');
  await story.run(MINUTE);
  assert.equal(story.releases()[2]?.status.phase, 'Progressing');
});

test('I2: a pin that comes while a release is promoting keeps its revision from everybody', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy({ stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }] })]);
  story.declare([node('x', 2)]);
  await story.run(2_000);
  story.world.refusedHeads.add(headName(Node, 'x'));
  await story.run(2 * MINUTE);
  assert.deepEqual(story.phases(), ['Promoting']);
  const refused = contentHash({ needs: [], value: 2, neighbourMax: 9 });
  story.declare([
    put(Pin, 'hand', { object: { kind: Node.id, name: 'x' }, refuses: [refused], by: 'bob', reason: 'Audit.' }),
  ]);
  story.world.refusedHeads.clear();
  await story.run(5 * MINUTE);
  assert.equal(story.liveValue('x'), 1);
  assert.match(story.releases()[0]?.status.message ?? '', /pinned by bob.*Audit/);
  story.declare([drop(Pin, 'hand')]);
  await story.run(MINUTE);
  assert.equal(story.liveValue('x'), 2);
});
