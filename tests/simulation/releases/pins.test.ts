import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Node } from '#kernel/releases/testing/node.ts';
import { drop, put } from './schedule.ts';
import { MINUTE, node, policy, startStory, underWay } from './story.ts';

const HALF = { stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1H' }] };
const GOLD = { policy: 'p', tier: 'gold' };

/** A node that is live at 1, and the rollback of a release that changed its labels only. */
async function labelRolledBack(isWithEverybody: boolean) {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy(HALF)]);
  story.declare([node('x', 1, GOLD)]);
  await story.run(1_000);
  const release = story.releases()[0]?.name ?? '';
  if (isWithEverybody) await story.ask('promote', release, 'bob');
  await story.run(1_000);
  await story.ask('rollback', release, 'bob', { reason: 'No.' });
  await story.run(2_000);
  return { ...story, release };
}

test('a rollback of labels refuses these labels, and not the revision that was always good', async () => {
  for (const isWithEverybody of [false, true]) {
    const story = await labelRolledBack(isWithEverybody);
    assert.equal(story.world.store.memory.get(Node, '', 'x')?.labels['tier'], undefined);
    assert.throws(() => story.declare([node('x', 1, GOLD)]), /pinned by bob after release/);
    story.declare([node('x', 1, { policy: 'p', tier: 'silver' })]);
    await story.run(2_000);
    assert.equal(story.phases().at(-1), 'Progressing', 'other labels go');
    story.declare([node('x', 2)]);
    await story.run(2_000);
    await story.ask('promote', story.releases().at(-1)?.name ?? '', 'bob');
    await story.run(2_000);
    assert.equal(story.liveValue('x'), 2);
    story.declare([node('x', 1)]);
    await story.run(2_000);
    assert.equal(story.phases().at(-1), 'Progressing', 'what was good goes back');
  }
});

test('a change of the spec on top of labels that were rolled back waits for somebody', async () => {
  const story = startStory();
  story.declare([node('x', 1)]);
  await story.run(1_000);
  story.declare([policy({ ...HALF, queue: 'queue' })]);
  story.declare([node('x', 1, GOLD)]);
  await story.run(1_000);
  story.declare([node('x', 2, GOLD)]);
  await story.run(1_000);
  await story.ask('rollback', story.releases()[0]?.name ?? '', 'bob', { reason: 'No.' });
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['RolledBack', 'Paused']);
});

test('I2: a pin of a later rollback refuses what earlier ones refused as well', async () => {
  const story = await underWay(HALF);
  for (const value of [2, 3, 4]) {
    if (value > 2) story.declare([node('x', value)]);
    await story.run(2_000);
    await story.ask('rollback', story.releases().at(-1)?.name ?? '', 'bob');
    await story.run(2_000);
  }
  for (const value of [2, 3, 4]) assert.throws(() => story.declare([node('x', value)]), /pinned by bob/, `${value}`);
});

test('an object pinned by hand keeps its labels, and takes annotations', async () => {
  const story = await underWay();
  await story.run(5 * MINUTE);
  await story.ask('pin', story.release, 'bob', { reason: 'Audit.' });
  assert.throws(() => story.declare([node('x', 2, { policy: 'q' })]), /pinned by bob/);
  const operation = node('x', 2) as ReturnType<typeof node> & { object: { metadata: object } };
  const metadata = { ...operation.object.metadata, annotations: { note: 'seen' } };
  story.declare([{ ...operation, object: { ...operation.object, metadata } } as typeof operation]);
  await story.run(1_000);
  assert.equal(story.liveValue('x'), 2);
});

test('with `reject` an edit of labels is refused as any other', async () => {
  const story = await underWay({ ...HALF, queue: 'reject' });
  for (const change of [node('x', 3), node('x', 2, GOLD), node('x', 2, {}), drop(Node, 'x')]) {
    assert.throws(() => story.declare([change]), /is in progress with Node "x", and policy p rejects other changes/);
  }
  assert.deepEqual(story.phases(), ['Progressing']);
});

test('with `reject` what was written just before the release began takes nothing’s place', async () => {
  const seen = new Set<string>();
  for (let afterMs = 0; afterMs < 100; afterMs += 2) {
    const story = startStory();
    story.declare([node('x', 1)]);
    await story.run(1_000);
    story.declare([policy({ ...HALF, queue: 'reject' })]);
    story.declare([node('x', 2)]);
    await story.run(afterMs);
    try {
      story.declare([node('x', 2, GOLD)]);
    } catch {
      continue;
    }
    await story.run(2_000);
    seen.add(story.phases().join());
  }
  assert.deepEqual([...seen], ['Progressing,Queued']);
});

test('a spec declared again on top of its rollback waits for a person, whatever happens to the pin', async () => {
  const twin = [node('x', 2, GOLD)];
  const again = [node('x', 3), node('x', 2)];
  const grouped = [node('x', 2, { policy: 'p', [GROUP_LABEL]: 'g' })];
  for (const changes of [twin, again, grouped]) {
    for (const end of ['it ends', 'it is let go of', 'the engine was away until it ended']) {
      const story = await underWay({ ...HALF, queue: 'queue', pinFor: 'PT10M' });
      for (const change of changes) {
        story.declare([change], 'bob');
        await story.run(1_000);
      }
      const isAway = end.startsWith('the engine');
      await story.ask('rollback', story.release, 'cyd', { reason: 'Complaints.' });
      await story.run(isAway ? 30 : 1_000);
      if (isAway) story.world.kill();
      if (end === 'it is let go of') await story.ask('unpin', story.release, 'cyd');
      await story.run(30 * MINUTE);
      if (isAway) story.world.start();
      await story.run(MINUTE);
      for (const { name, status } of story.releases()) if (status.phase === 'Collecting') await story.ask('seal', name);
      story.declare([node('unrelated', 1, {})], 'dan');
      await story.run(60 * MINUTE);
      const open = story.releases().filter(({ spec }) => spec.open);
      for (const { status } of open) {
        assert.match(`${status.phase}: ${status.message}`, /^(Paused: .*on top of release|Queued: Waits for)/, end);
      }
      assert.equal(open[0]?.status.phase, 'Paused');
      assert.equal(story.liveValue('x'), 1, end);
    }
  }
});

test('a rolled-back spec may be declared again when its pin is over, and changed further', async () => {
  const story = await underWay({ ...HALF, pinFor: 'PT10M' });
  await story.ask('rollback', story.release, 'cyd');
  await story.run(11 * MINUTE);
  story.declare([node('x', 2)], 'bob');
  await story.run(2_000);
  story.declare([node('x', 2, GOLD)], 'bob');
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['RolledBack', 'Superseded', 'Progressing']);
});

test('a manual pin that expires releases the object that it held, with a policy and without', async () => {
  for (const isSelected of [true, false]) {
    const story = startStory();
    const labels: Record<string, string> = isSelected ? { policy: 'p' } : {};
    story.declare([node('x', 1, labels), policy({ stages: [] })]);
    await story.run(1_000);
    story.world.kill();
    story.declare([node('x', 2, labels)]);
    const until = story.world.clock().add({ minutes: 30 }).toString();
    story.declare([put(Pin, 'hand', { object: { kind: Node.id, name: 'x' }, by: 'bob', reason: 'Audit.', until })]);
    story.world.start();
    await story.run(29 * MINUTE);
    assert.equal(story.liveValue('x'), 1);
    await story.run(2 * MINUTE);
    assert.equal(story.liveValue('x'), 2, `${isSelected}`);
    assert.equal(Pin.spec(story.world.store.memory.get(Pin, '', 'hand')?.object() ?? {}).until, until);
  }
});

test('a pin by hand hides no pin of a rollback, whichever came first, and its end is no end of the other', async () => {
  for (const isHandFirst of [true, false]) {
    const story = await underWay(HALF);
    await story.ask('promote', story.release, 'bob');
    await story.run(2_000);
    story.declare([node('x', 3)]);
    await story.run(2_000);
    const [, second] = story.releases();
    const until = story.world.clock().add({ minutes: 30 }).toString();
    const byHand = () => story.ask('pin', story.release, 'bob', { reason: 'Audit.', until });
    if (isHandFirst) await byHand();
    await story.ask('rollback', second?.name ?? '', 'cyd', { reason: 'Complaints.' });
    await story.run(2_000);
    if (!isHandFirst) await byHand();
    assert.throws(() => story.declare([node('x', 4)]), /pinned by bob until/);
    await story.run(31 * MINUTE);
    assert.throws(() => story.declare([node('x', 3)]), /pinned by cyd after release x-\d+ was rolled back: Complaints/);
    story.declare([node('x', 4)]);
    await story.ask('unpin', second?.name ?? '');
    story.declare([node('x', 3)]);
  }
});

test('each rollback has a pin of its own: none shortens another one, and unpin lets go of one only', async () => {
  const story = await underWay({ ...HALF });
  await story.ask('rollback', story.release, 'bob');
  await story.run(2_000);
  story.declare([policy({ ...HALF, pinFor: 'PT10M' })]);
  story.declare([node('x', 3)]);
  await story.run(2_000);
  await story.ask('rollback', story.releases().at(-1)?.name ?? '', 'bob');
  await story.run(11 * MINUTE);
  assert.throws(() => story.declare([node('x', 2)]), /pinned by bob after release/);
  await story.ask('unpin', story.releases().at(-1)?.name ?? '');
  await assert.rejects(story.ask('unpin', story.releases().at(-1)?.name ?? ''), {
    message: /^Nothing that release .* changed is pinned by it; x-\d+\.nodes/,
    remedy: /kubectl delete pin x-/,
  });
  assert.throws(() => story.declare([node('x', 2)]), /pinned by bob after release/);
});

test('a pin that is over is kept for a week to be seen, and then dropped; one that was renewed stays', async () => {
  const story = await underWay({ ...HALF, pinFor: 'PT10M' });
  const names = () => [...story.world.store.memory.list(Pin)].map(({ name }) => name);
  await story.ask('rollback', story.release, 'bob');
  await story.run(2_000);
  const hand = (minutes: number) =>
    story.ask('pin', story.release, 'bob', { until: story.world.clock().add({ minutes }).toString() });
  await hand(10);
  const day = 24 * 60 * MINUTE;
  await story.run(6 * day);
  assert.equal(names().length, 2);
  await hand(20);
  await story.run(day + 15 * MINUTE);
  assert.deepEqual(names(), ['hand.nodes.test.backline.dev.x']);
  await story.run(7 * day);
  assert.deepEqual(names(), []);
});

test('of an object that is rolled back again and again the latest hundred pins are kept', async () => {
  const story = await underWay(HALF);
  for (let value = 3; value < 104; value += 1) {
    await story.ask('rollback', story.releases().at(-1)?.name ?? '', 'bob');
    await story.run(500);
    story.declare([node('x', value)]);
    await story.run(500);
  }
  await story.ask('rollback', story.releases().at(-1)?.name ?? '', 'bob');
  await story.run(500);
  assert.equal([...story.world.store.memory.list(Pin)].length, 100);
  for (const value of [4, 103]) assert.throws(() => story.declare([node('x', value)]), /pinned by bob/, `${value}`);
});
