import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STOP_NAME, Stop } from '#kernel/releases/kinds/stop.ts';
import { Node, Workload, type NodeSpec } from '#kernel/releases/testing/node.ts';
import { Head, candidateOf, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Change } from '#kernel/store/contract.ts';
import { drop, put } from './schedule.ts';
import { MINUTE, node, policy, startStory } from './story.ts';

const workload = (name: string, value: number, needs: string[] = []) =>
  put(Workload, name, { needs, value, neighbourMax: 9 }, { policy: 'p' });

/** The clusters one after the other, and then a few listeners. */
const STAGES = [
  { name: 'pilot', clusters: { rings: ['pilot'], percent: 10 }, soak: 'PT1M' },
  { name: 'clusters', clusters: { percent: 100 }, soak: 'PT1M' },
  { name: 'few', listeners: { percent: 1 }, soak: 'PT1M' },
];

/** A workload and a node that are live at 1, and a release under way that brings both to 2. */
async function releaseBoth(more: object = {}, others: readonly Operation[] = []) {
  const story = startStory();
  const { world } = story;
  for (const [name, ring] of [
    ['berlin', 'pilot'],
    ['oslo', 'rest'],
    ['paris', 'rest'],
  ] as const) {
    world.clusters.join(name, ring);
  }
  world.follow();
  story.declare([node('x', 1), workload('w', 1)]);
  await story.run(MINUTE);
  story.declare([policy({ stages: STAGES, ...more })]);
  story.declare([node('x', 2), workload('w', 2), ...others]);
  await story.run(500);
  const last = () => {
    const found = story.releases().at(-1);
    assert.ok(found !== undefined);
    return found;
  };
  const headOf = (kind: typeof Node, name: string) => world.store.memory.get(Head, '', headName(kind, name))?.object();
  const candidateValue = (kind: typeof Node, name: string): number | undefined => {
    const head = headOf(kind, name);
    const candidate = head === undefined ? undefined : candidateOf(head);
    return (candidate?.object?.spec as NodeSpec | undefined)?.value;
  };
  const live = (kind: typeof Node, name: string): number | undefined => {
    const head = headOf(kind, name);
    return (head === undefined ? undefined : (everyoneOf(head)?.object.spec as NodeSpec | undefined))?.value;
  };
  const has = (cluster: string): boolean => world.clusters.hasWanted(cluster, 'w', headOf(Workload, 'w'));
  const text = (cluster: string): string | undefined => world.clusters.clusters.get(cluster)?.had.get('w')?.text;
  const cluster = (name: string) => {
    const found = world.clusters.clusters.get(name);
    assert.ok(found !== undefined);
    return found;
  };
  return { ...story, last, shown: candidateValue, live, has, text, cluster };
}

type MixedStory = Awaited<ReturnType<typeof releaseBoth>>;

/** Runs until something is so; fails when it does not come. */
async function until(story: MixedStory, what: string, isSo: () => boolean, stepMs = 1_000): Promise<void> {
  for (let passed = 0; passed < 30 * MINUTE; passed += stepMs) {
    if (isSo()) return;
    await story.run(stepMs);
  }
  assert.fail(`${what}: ${JSON.stringify(story.last().status)}`);
}

const stageIs = (story: MixedStory, name: string) => () => story.last().status.stage === name;

test('a release goes out target by target, and each stage is reached when its places were seen to have it', async () => {
  const story = await releaseBoth();
  await until(story, 'the pilot', stageIs(story, 'pilot'));
  const before = story.text('oslo');
  await story.run(10_000);
  assert.match(story.text('berlin') ?? '', /^\w{6} 10% of \w{6}$/);
  assert.equal(story.text('oslo'), before);
  const [clusters, listeners] = story.last().status.targets ?? [];
  assert.deepEqual([clusters?.name, clusters?.stage, clusters?.state], ['clusters', 'pilot', 'healthy']);
  assert.deepEqual([listeners?.name, listeners?.stage, listeners?.state], ['listeners', undefined, 'healthy']);
  const berlin = clusters?.places.find(({ name }) => name === 'berlin');
  assert.equal(berlin?.observed, berlin?.wanted);
  assert.ok(berlin?.healthySince !== undefined && berlin.observedAt !== undefined);
  assert.equal(story.shown(Node, 'x'), undefined, 'listeners have not begun');
  await until(story, 'the listeners', stageIs(story, 'few'));
  assert.deepEqual(['berlin', 'oslo', 'paris'].map(story.has), [true, true, true]);
  await story.run(5_000);
  assert.equal(story.shown(Node, 'x'), 2);
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  assert.deepEqual([story.live(Node, 'x'), story.live(Workload, 'w')], [2, 2]);
  assert.equal(story.text('oslo'), story.text('berlin'));
});

test('I17: intent is one atomic write: whatever dies, each target is at one step, and everybody gets all of it at once', async () => {
  let moments = 0;
  for (let dieAt = 1; ; dieAt += 5) {
    const story = await releaseBoth({ stages: STAGES.slice(1) }, [node('y', 3), workload('v', 3)]);
    const seen: string[] = [];
    story.world.store.subscribe((changes: readonly Change[]) => {
      const heads = changes.filter(({ entry }) => entry.kind === Head);
      if (heads.length === 0) return;
      const release = story.last().name;
      for (const [kind, names] of [
        [Node, ['x', 'y']],
        [Workload, ['w', 'v']],
      ] as const) {
        const steps = names.map((name) => {
          const head = story.world.store.memory.get(Head, '', headName(kind, name))?.object();
          const candidate = head === undefined ? undefined : candidateOf(head);
          return candidate?.release === release ? JSON.stringify([candidate.stage, candidate.where]) : 'none';
        });
        if (new Set(steps).size > 1) seen.push(`${kind.kind}: ${steps.join(' and ')}`);
      }
      const everybody = [story.live(Node, 'x'), story.live(Workload, 'w')];
      if (new Set(everybody).size > 1) seen.push(`everybody has ${everybody.join(' and ')}`);
    });
    story.world.dieAt = story.world.awaits + dieAt;
    for (let passed = 0; passed < 15 * MINUTE; passed += 5_000) {
      await story.run(5_000);
      if (!story.world.isRunning) story.world.start();
    }
    assert.deepEqual(seen, [], `died at moment ${dieAt}`);
    assert.equal(story.last().status.phase, 'Promoted');
    if ((story.world.happened.get('crash') ?? 0) === 0) break;
    moments += 1;
  }
  assert.ok(moments > 5, `${moments} moments`);
});

test('I18: a rollback goes in reverse order: the clusters keep the change until no listener has it', async () => {
  const story = await releaseBoth();
  await until(story, 'the listeners', () => story.shown(Node, 'x') === 2);
  const order: string[] = [];
  story.world.store.subscribe((changes: readonly Change[]) => {
    for (const { entry, before } of changes) {
      if (entry.kind !== Head || before === undefined) continue;
      const isGone = candidateOf(before.object()) !== undefined && candidateOf(entry.object()) === undefined;
      if (isGone) order.push(entry.name.split('.')[0] ?? '');
    }
  });
  await story.ask('rollback', story.last().name, 'bob');
  await until(story, 'the end', () => story.last().status.phase === 'RolledBack');
  assert.deepEqual(order, ['nodes', 'workloads']);
  assert.deepEqual(['berlin', 'oslo', 'paris'].map(story.has), [true, true, true]);
  assert.deepEqual([story.live(Node, 'x'), story.live(Workload, 'w')], [1, 1]);

  // A rollback of a promoted release goes in reverse order as well.
  story.declare([node('x', 3), workload('w', 3)]);
  await until(story, 'everybody', () => story.last().status.phase === 'Promoted');
  const came: string[] = [];
  story.world.store.subscribe((changes: readonly Change[]) => {
    for (const { entry } of changes) {
      if (entry.kind === Head && candidateOf(entry.object()) !== undefined) came.push(entry.name.split('.')[0] ?? '');
    }
  });
  await story.ask('rollback', story.last().name, 'bob');
  await until(story, 'the rollback', () => story.live(Node, 'x') === 1 && story.last().status.phase === 'Promoted');
  assert.deepEqual([...new Set(came)], ['nodes', 'workloads']);
  assert.equal(story.live(Workload, 'w'), 1);
});

test('I19: an unknown place is never healthy, and never failed: it holds the stage, unless a budget allows for it', async () => {
  for (const maxUnknown of [0, 1]) {
    const stages = STAGES.map((stage) => ({ ...stage, maxUnknown }));
    const story = await releaseBoth({ stages });
    await until(story, 'the pilot', stageIs(story, 'pilot'));
    story.cluster('paris').isPartitioned = true;
    await story.run(20 * MINUTE);
    const { status } = story.last();
    const paris = status.targets?.[0]?.places.find(({ name }) => name === 'paris');
    assert.equal(paris?.state, 'unknown');
    assert.equal(paris.healthySince, undefined);
    if (maxUnknown === 1) {
      assert.equal(status.phase, 'Promoted', 'one may be unknown');
      continue;
    }
    assert.equal(status.phase, 'Progressing', 'it is no failure');
    assert.match(status.message, /^Waits for clusters: paris is unknown \(it is not heard of any more\)\.$/);
    assert.equal(story.shown(Node, 'x'), undefined);
    story.cluster('paris').isPartitioned = false;
    await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  }
});

test('I20: a joiner gets the change that everybody has: no stage that was reached earlier includes it', async () => {
  const stages = [
    { name: 'half', clusters: { percent: 50 }, soak: 'PT10M' },
    { name: 'pilot', clusters: { rings: ['pilot'], percent: 100 }, soak: 'PT10M' },
    ...STAGES.slice(1),
  ];
  const story = await releaseBoth({ stages });
  await until(story, 'half', () => story.has('oslo') && / 50% of /.test(story.text('oslo') ?? ''));
  story.world.clusters.join('rome', 'rest');
  await story.run(5 * MINUTE);
  assert.equal(story.last().status.stage, 'half');
  assert.doesNotMatch(story.text('rome') ?? '', /%/);
  story.world.kill();
  story.world.start();
  await story.run(2 * MINUTE);
  await until(story, 'the pilot', () => stageIs(story, 'pilot')() && !/%/.test(story.text('berlin') ?? ''));
  await story.run(2 * MINUTE);
  assert.match(story.text('oslo') ?? '', / 50% of /);
  assert.doesNotMatch(story.text('rome') ?? '', /%/, 'the next stage includes others');
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  await story.run(MINUTE);
  assert.equal(story.text('rome'), story.text('oslo'));
});

test('a place that fails leads to what the policy says: all back, the stage back, or a halt', async () => {
  for (const onFailure of ['rollBack', 'rollBackStage', 'halt'] as const) {
    const story = await releaseBoth({ onFailure });
    await until(story, 'all clusters', stageIs(story, 'clusters'));
    await story.run(20_000);
    story.cluster('oslo').isFailing = true;
    await story.run(5 * MINUTE);
    const { phase, stage, message } = story.last().status;
    assert.match(message, /clusters: oslo failed\./, onFailure);
    if (onFailure === 'rollBack') {
      assert.equal(phase, 'RolledBack', 'it fails with what it had before');
      assert.ok(story.has('oslo'));
      continue;
    }
    assert.deepEqual([phase, stage], ['Paused', onFailure === 'halt' ? 'clusters' : 'pilot']);
    assert.equal(/ 10% of /.test(story.text('berlin') ?? ''), onFailure === 'rollBackStage');
    story.cluster('oslo').isFailing = false;
    await story.ask('resume', story.last().name, 'bob');
    await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  }
});

test('a place that fails on keeps nothing from those who go back after it', async () => {
  const stages = [
    { name: 'everyone', listeners: { percent: 100 }, soak: 'PT1M' },
    { name: 'clusters', clusters: { percent: 100 }, soak: 'PT30M' },
  ];
  const story = await releaseBoth({ stages, before: { listeners: ['clusters'] } });
  await until(story, 'all clusters', () => stageIs(story, 'clusters')() && story.has('paris'));
  await story.run(25_000);
  story.cluster('paris').isFailing = true;
  await until(story, 'the end', () => story.last().status.phase === 'RolledBack');
  assert.deepEqual([story.shown(Node, 'x'), story.live(Node, 'x'), story.has('paris')], [undefined, 1, true]);
});

test('a place that fails on keeps nothing from what is taken back from everybody', async () => {
  const stages = [{ name: 'everyone', listeners: { percent: 100 }, soak: 'PT1M' }];
  const story = await releaseBoth({ stages, before: { listeners: ['clusters'] } });
  await until(story, 'everybody', () => story.last().status.phase === 'Promoted');
  story.cluster('paris').isFailing = true;
  await story.run(MINUTE);
  await story.ask('rollback', story.last().name, 'bob');
  await until(story, 'the rollback', () => story.live(Node, 'x') === 1 && story.last().status.phase === 'Promoted');
  assert.equal(story.live(Workload, 'w'), 1);
  assert.equal(story.last().status.targets?.find(({ name }) => name === 'clusters')?.state, 'failed');
});

test('I18: the rollback of a promoted release goes in the reverse order of its policy', async () => {
  const stages = [{ name: 'all', listeners: { percent: 100 }, soak: 'PT1M' }];
  const story = await releaseBoth({ stages, before: { listeners: ['clusters'] } }, [
    node('fresh', 1),
    workload('v', 4, ['fresh']),
  ]);
  await until(story, 'everybody', () => story.last().status.phase === 'Promoted');
  const order: string[] = [];
  story.world.store.subscribe((changes: readonly Change[]) => {
    for (const { entry } of changes) {
      if (entry.kind === Head && candidateOf(entry.object()) !== undefined) order.push(entry.name.split('.')[0] ?? '');
    }
  });
  await story.ask('rollback', story.last().name, 'bob');
  await until(story, 'the rollback', () => story.live(Node, 'x') === 1 && story.last().status.phase === 'Promoted');
  assert.deepEqual([...new Set(order)], ['workloads', 'nodes']);
  assert.deepEqual([story.live(Node, 'fresh'), story.live(Workload, 'v')], [undefined, undefined]);
});

test('stop-all lets a stage be taken back, and holds every step forward', async () => {
  const story = await releaseBoth({ onFailure: 'rollBackStage' });
  await until(story, 'all clusters', () => stageIs(story, 'clusters')() && story.has('oslo'));
  await story.run(25_000);
  story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
  story.cluster('oslo').isFailing = true;
  await story.run(3 * MINUTE);
  assert.equal(story.last().status.stage, 'pilot');
  assert.match(story.text('berlin') ?? '', / 10% of /);
  story.cluster('oslo').isFailing = false;
  await story.ask('resume', story.last().name, 'bob');
  await story.run(20 * MINUTE);
  assert.equal(story.last().status.stage, 'pilot');
  story.declare([drop(Stop, STOP_NAME)]);
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
});

test('an unreachable place keeps the intent of a rollback, which ends when it is back', async () => {
  const story = await releaseBoth();
  await until(story, 'all clusters', () => stageIs(story, 'clusters')() && story.has('oslo'));
  await story.run(5_000);
  story.cluster('oslo').isPartitioned = true;
  await story.ask('abort', story.last().name, 'bob');
  await story.run(30 * MINUTE);
  assert.equal(story.last().status.phase, 'RollingBack');
  assert.match(story.last().status.message, /Waits for clusters: oslo is unknown/);
  assert.equal(story.has('berlin'), true);
  story.cluster('oslo').isPartitioned = false;
  await until(story, 'the end', () => story.last().status.phase === 'Aborted');
  assert.equal(story.has('oslo'), true);
});

test('a follower that dies is followed by another, which goes on from what Heads say', async () => {
  const story = await releaseBoth();
  for (let round = 0; round < 20; round += 1) {
    await story.run(7_000);
    story.world.clusters.stopFollowing();
    await story.run(2_000);
    story.world.follow();
  }
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  assert.equal(story.has('oslo'), true);
});

test('a stage in which somebody would meet one target new and another old is refused at the plan, and a policy may turn the order', async () => {
  const story = await releaseBoth({ stages: [{ name: 'few', listeners: { percent: 1 }, clusters: { percent: 10 } }] });
  await story.run(5_000);
  const { phase, message } = story.last().status;
  assert.equal(phase, 'Blocked');
  assert.match(message, /^policy p, stage few: listeners start before clusters, which go first, are complete: /);
  story.declare([policy({ stages: [{ name: 'few', listeners: { percent: 1 }, clusters: { percent: 100 } }] })]);
  await until(story, 'the stage', stageIs(story, 'few'));
  await story.ask('abort', story.last().name, 'bob');
  await until(story, 'the abort', () => story.last().status.phase === 'Aborted');

  const turned = await releaseBoth({
    stages: [{ name: 'few', listeners: { percent: 1 }, soak: 'PT1M' }],
    before: { listeners: ['clusters'] },
  });
  await until(turned, 'the listeners', () => turned.shown(Node, 'x') === 2);
  assert.equal(turned.shown(Workload, 'w'), undefined);
  await until(turned, 'the end', () => turned.last().status.phase === 'Promoted');
  assert.deepEqual(
    turned.last().status.targets?.map(({ name }) => name),
    ['listeners', 'clusters'],
  );
});

test('a target that would have something that it needs of a later one is refused at the plan', async () => {
  const story = await releaseBoth({ stages: [{ name: 'all', clusters: { percent: 100 } }] });
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  story.declare([node('fresh', 1), workload('w', 4, ['fresh'])]);
  await story.run(5_000);
  assert.equal(story.last().status.phase, 'Blocked');
  assert.match(
    story.last().status.message,
    /^While clusters have it and listeners do not: Workload "w": .*there is no live Node "fresh"\. Set `before` to choose which go first\.$/,
  );
  story.declare([
    policy({ stages: [{ name: 'all', clusters: { percent: 100 } }], before: { listeners: ['clusters'] } }),
  ]);
  await story.run(5_000);
  assert.match(story.last().status.message, /clusters start before listeners/);
  story.declare([
    policy({ stages: [{ name: 'all', listeners: { percent: 100 } }], before: { listeners: ['clusters'] } }),
  ]);
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
  assert.equal(story.live(Workload, 'w'), 4);
});

test('policies whose targets go before themselves, or that name a target nobody has, are refused', () => {
  const story = startStory();
  assert.throws(
    () => story.declare([policy({ before: { listeners: ['clusters'], clusters: ['listeners'] } })]),
    /spec\.before: .*The order of targets has a cycle/,
  );
  assert.throws(() => story.declare([policy({ before: { projects: ['clusters'] } })]), /spec\.before\.projects/);
  assert.throws(
    () => story.declare([policy({ stages: [{ name: 'few', projects: { percent: 1 } }] })]),
    /spec\.stages\[0\]/,
  );
});

test('the plan lists what a rollback keeps, and the release ends with a Remainder where something was kept', async () => {
  const condition = (story: MixedStory, name: string) => {
    const found = story.releases().find((one) => one.name === name);
    return found?.status.conditions.find(({ type }) => type === 'Remainder');
  };
  const story = await releaseBoth({ stages: STAGES }, [workload('fresh', 1)]);
  await until(story, 'the pilot', stageIs(story, 'pilot'));
  const kept = [
    {
      target: 'clusters',
      kind: Workload.id,
      name: 'fresh',
      undo: 'keep',
      says: 'The data of fresh stays in its clusters.',
    },
  ];
  assert.deepEqual(story.last().status.remains, kept);
  const { name } = story.last();
  assert.equal(condition(story, name), undefined);
  await story.run(20_000);
  await story.ask('abort', name, 'bob');
  await until(story, 'the abort', () => story.last().status.phase === 'Aborted');
  assert.deepEqual(
    [condition(story, name)?.status, condition(story, name)?.reason, condition(story, name)?.message],
    ['True', 'Kept', 'The data of fresh stays in its clusters.'],
  );

  story.declare([node('x', 3), workload('w', 3)]);
  await until(story, 'everybody', () => story.last().status.phase === 'Promoted');
  assert.equal(story.last().status.remains, undefined, 'what was there before comes back exactly');
  story.declare([workload('fresh', 2)]);
  await story.run(2_000);
  await until(story, 'everybody', () => story.last().status.phase === 'Promoted');
  const promoted = story.last().name;
  await story.ask('rollback', promoted, 'bob');
  await until(story, 'the rollback', () => condition(story, promoted) !== undefined);
  assert.equal(condition(story, promoted)?.reason, 'Kept');
});

test('a stage that places do not reach by its deadline is undecided, without the time that it was held', async () => {
  const stages = STAGES.map((stage) => ({ ...stage, deadline: 'PT5M' }));
  const story = await releaseBoth({ stages });
  story.cluster('oslo').isPartitioned = true;
  await until(story, 'all clusters', () => story.last().status.message.includes('oslo is unknown'));
  story.declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
  await story.run(20 * MINUTE);
  assert.equal(story.last().status.phase, 'Progressing');
  story.declare([drop(Stop, STOP_NAME)]);
  await story.run(6 * MINUTE);
  assert.equal(story.last().status.phase, 'Paused');
  assert.match(story.last().status.message, /Undecided after PT5M: Waits for clusters: oslo is unknown/);
  story.cluster('oslo').isPartitioned = false;
  await story.ask('resume', story.last().name, 'bob');
  await until(story, 'the end', () => story.last().status.phase === 'Promoted');
});
