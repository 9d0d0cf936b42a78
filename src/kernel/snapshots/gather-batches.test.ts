import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { gatherBatches } from './gather-batches.ts';

test('a slow reader gets all batches that came meanwhile as one group, in order', async () => {
  async function* source(): AsyncIterable<number> {
    yield 0;
    await turn();
    await turn();
    for (let batch = 1; batch < 100; batch += 1) yield batch;
  }
  const groups: (readonly number[])[] = [];
  for await (const group of gatherBatches(source())) {
    groups.push(group);
    for (let turns = 0; turns < 10; turns += 1) await turn();
  }
  assert.deepEqual(
    groups.flat(),
    Array.from({ length: 100 }, (_, batch) => batch),
  );
  assert.ok(groups.length <= 3, `${groups.length} groups`);
  assert.deepEqual(groups[0], [0], 'the first waits for no other');
});

test('a source that never waits is taken in groups that end', async () => {
  let last = 0;
  async function* source(): AsyncIterable<number> {
    for (;;) yield (last += 1);
  }
  for await (const group of gatherBatches(source())) {
    assert.ok(group.length > 0);
    if (last > 3_000) break;
  }
});

test('batches from before a failure are given before the failure', async () => {
  async function* source(): AsyncIterable<number> {
    yield 1;
    yield 2;
    throw new Error('the watch ended');
  }
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const group of gatherBatches(source())) seen.push(...group);
  }, /the watch ended/);
  assert.deepEqual(seen, [1, 2]);
});

test('a source that has given a batch ahead ends when its reader fails', async () => {
  let isEnded = false;
  async function* source(): AsyncIterable<number> {
    try {
      yield 1;
      await turn();
      await turn();
      yield 2;
      yield 3;
    } finally {
      isEnded = true;
    }
  }
  await assert.rejects(async () => {
    for await (const group of gatherBatches(source())) {
      assert.deepEqual(group, [1]);
      for (let turns = 0; turns < 10; turns += 1) await turn();
      throw new Error('it does not compile');
    }
  }, /does not compile/);
  await turn();
  assert.ok(isEnded);
});
