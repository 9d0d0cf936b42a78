import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { runController, type Requeue } from './controller.ts';
import { VirtualTime } from './testing/virtual-time.ts';

function start(reconcile: (key: string) => Promise<Requeue | void>, workers = 2) {
  const time = new VirtualTime();
  const outcomes: string[] = [];
  let retries = 0;
  const controller = runController({
    name: 'test',
    watches: [],
    reconcile,
    workers,
    time,
    random: () => 1,
    limits: { retryMsFirst: 100, retryMsMax: 400 },
    log: openLog('silent'),
    metrics: {
      depth: () => {},
      observeRun: (seconds, outcome) => outcomes.push(`${outcome} ${seconds}`),
      countRetry: () => (retries += 1),
    },
  });
  return { time, controller, outcomes, retries: () => retries };
}

test('a key that fails is looked at again with a growing back-off, which a success ends', async () => {
  const at: number[] = [];
  const { time, controller, outcomes, retries } = start(async () => {
    at.push(time.nowMs());
    if (at.length < 5) throw new Error('not yet');
  });
  controller.add('a');
  await time.run(10_000);
  assert.deepEqual(at, [0, 100, 300, 700, 1100]);
  assert.deepEqual([outcomes.at(0), outcomes.at(-1), retries()], ['failed 0', 'done 0', 4]);
  await controller.stop();
});

test('a key that asks to be looked at again is, after its time or its back-off', async () => {
  const at: number[] = [];
  const answers: (Requeue | undefined)[] = [{ afterMs: 5_000 }, 'later', 'later', undefined];
  const { time, controller } = start(() => {
    at.push(time.nowMs());
    return Promise.resolve(answers[at.length - 1]);
  });
  controller.add('a');
  await time.run(60_000);
  assert.deepEqual(at, [0, 5_000, 5_100, 5_300]);
  await controller.stop();
});

test('keys are worked on side by side, one key never twice at a time, and stopping waits for what is in hand', async () => {
  const inHand: string[] = [];
  const began: string[] = [];
  const { time, controller } = start(async (key) => {
    assert.equal(inHand.includes(key), false);
    began.push(key);
    inHand.push(key);
    await new Promise<void>((resolve) => time.after(1_000, resolve));
    inHand.splice(inHand.indexOf(key), 1);
  });
  await time.run(1);
  controller.add('a');
  await time.run(1);
  for (const key of ['a', 'b', 'c']) controller.add(key);
  await time.run(500);
  assert.deepEqual(inHand, ['a', 'b']);
  await time.run(800);
  assert.deepEqual(began, ['a', 'b', 'c', 'a']);
  let stopped = false;
  const stopping = controller.stop().then(() => (stopped = true));
  controller.add('d');
  await time.run(100);
  assert.equal(stopped, false);
  await time.run(2_000);
  await stopping;
  assert.deepEqual([inHand, began.includes('d')], [[], false]);
});
