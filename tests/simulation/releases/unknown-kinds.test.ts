import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { Fragile } from '#kernel/releases/testing/fragile.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import { liveCondition } from '#kernel/kinds/released-status.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { put } from './schedule.ts';
import { MINUTE, node, policy, startStory } from './story.ts';

const gadget = (labels: Record<string, string>): Operation => put(Fragile, 'gadget', { isBroken: false }, labels);
const needy = (name: string, value: number, labels?: Record<string, string>) => node(name, value, labels, ['base']);

type Story = ReturnType<typeof startStory>;

/** Another version of the program: without the kind Fragile, or with it. */
async function restart({ world, run }: Story, version: 'older' | 'newer'): Promise<void> {
  world.kill();
  if (version === 'older') world.kinds.remove(Fragile);
  else world.kinds.add(Fragile);
  world.start();
  await run(1_000);
}

/** A release in its first stage brings x from 1 to 2, and a gadget. */
async function underWayWithGadget(): Promise<Story & { readonly release: string }> {
  const story = startStory();
  story.declare([node('base', 1, {}), needy('x', 1)]);
  await story.run(1_000);
  story.declare([policy()]);
  story.declare([needy('x', 2), gadget({ policy: 'p' })]);
  await story.run(2_000);
  const [release] = story.releases();
  assert.equal(release?.status.stage, 'few');
  return { ...story, release: release.name };
}

const conditionsOf = ({ all }: Story, release: string) =>
  all().find(({ name }) => name === release)?.status.conditions ?? [];

test('a release of a kind that an older program does not know waits and says so, and others go on', async () => {
  const story = await underWayWithGadget();
  await restart(story, 'older');
  const [blocked] = story.releases();
  assert.deepEqual([blocked?.status.phase, blocked?.status.stage], ['Blocked', 'few']);
  assert.match(
    blocked?.status.message ?? '',
    /does not know the kind test\.backline\.dev\/Fragile of "gadget"\. Start a version that has the kind/,
  );
  assert.equal(conditionsOf(story, story.release).find(({ type }) => type === 'KindUnknown')?.status, 'True');
  // They depend on what it depends on.
  story.declare([needy('by-policy', 1)]);
  story.declare([needy('at-once', 1, {})]);
  story.declare([needy('x', 3)]);
  await story.run(3 * MINUTE);
  assert.deepEqual(['by-policy', 'at-once', 'x'].map(story.liveValue), [1, 1, 1]);
  assert.deepEqual(story.phases(), ['Blocked', 'Promoted', 'Queued']);
  assert.deepEqual(story.world.logged, []);
  await restart(story, 'newer');
  assert.deepEqual(
    conditionsOf(story, story.release).map(({ type }) => type),
    ['Promoted', 'Finished'],
  );
  await story.run(6 * MINUTE);
  assert.deepEqual(story.phases(), ['Promoted', 'Promoted', 'Promoted']);
  assert.equal(story.liveValue('x'), 3);
});

test('time without the kind is no soak, and a kind that comes while the program runs ends the wait', async () => {
  const story = await underWayWithGadget();
  await story.run(30_000);
  story.world.kill();
  story.world.kinds.remove(Fragile);
  await story.run(5 * MINUTE);
  story.world.start();
  await story.run(5 * MINUTE);
  story.world.kinds.add(Fragile);
  await story.run(20_000);
  assert.deepEqual([story.phases(), story.releases()[0]?.status.stage], [['Progressing'], 'few']);
  await story.run(20_000);
  assert.equal(story.releases()[0]?.status.stage, 'half');
});

test('commands about the objects of such a release are refused; a rollback is taken, and completes with the kind', async () => {
  const story = await underWayWithGadget();
  await restart(story, 'older');
  for (const verb of ['promote', 'unpin'] as const) {
    await assert.rejects(story.ask(verb, story.release), (error) => {
      return error instanceof Refusal && error.code === 'releases/not-now' && /unknown kinds/.test(error.message);
    });
  }
  await story.ask('rollback', story.release);
  await story.run(MINUTE);
  const [release] = story.releases();
  assert.equal(release?.status.phase, 'RollingBack');
  assert.match(release.status.message, /The rollback cannot complete yet: .*Fragile/);
  assert.equal(story.declaredValue('x'), 2);
  await restart(story, 'newer');
  assert.deepEqual([story.phases(), story.declaredValue('x')], [['RolledBack'], 1]);
});

test('a group with such an object collects nothing more until the kind is back', async () => {
  const story = startStory();
  const group = { [GROUP_LABEL]: 'launch' };
  story.declare([node('x', 1, group), gadget(group)]);
  await story.run(1_000);
  await restart(story, 'older');
  story.declare([node('y', 1, group)]);
  story.declare([node('z', 1, {})]);
  await story.run(1_000);
  const y = story.world.store.memory.get(story.world.kinds.byId('test.backline.dev/Node'), '', 'y');
  assert.match(liveCondition(y?.object() ?? assert.fail())?.message ?? '', /cannot collect it: .*Fragile/);
  assert.deepEqual(['y', 'z'].map(story.liveValue), [undefined, 1]);
  await restart(story, 'newer');
  await story.run(20_000);
  assert.deepEqual(
    story.all().map(({ status, objects }) => [status.phase, objects.toSorted()]),
    [
      ['Collecting', ['gadget', 'x', 'y']],
      ['Promoted', ['z']],
    ],
  );
});

test('a release of objects that are no longer released ends, and its other objects come again', async () => {
  const story = await underWayWithGadget();
  const { world, release } = story;
  world.kinds.replace({ ...Fragile, released: false });
  await story.run(20_000);
  const ended = story.all().find(({ name }) => name === release);
  assert.equal(ended?.status.phase, 'Superseded');
  assert.match(ended.status.message, /Objects of the kind test\.backline\.dev\/Fragile are no longer released/);
  const next = story.releases().find(({ name }) => name !== release);
  assert.deepEqual([next?.objects, next?.status.phase], [['x'], 'Progressing']);
  // Nothing of them goes live any more.
  story.declare([put(Fragile, 'other', { isBroken: false }, {})]);
  await story.run(3 * MINUTE);
  const heads = [...world.store.memory.list(Head)].map(({ name }) => name);
  assert.deepEqual(
    heads.filter((name) => name.startsWith('fragiles.')),
    [],
  );
  assert.equal(story.liveValue('x'), 2);
  assert.deepEqual(world.logged, []);
});
