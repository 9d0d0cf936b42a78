import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGroup } from './group.ts';

const failed = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

test('a request that comes in the moment in which a lane ends is settled, too, in whichever turn that is', async () => {
  for (let turns = 0; turns < 20; turns += 1) {
    const group = openGroup<number>(async (requests) => requests.map((request) => request * 2), failed);
    const first = group.ask(1, Number);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    assert.deepEqual(await Promise.all([first, group.ask(2, Number)]), [2, 4]);
    assert.equal(group.waiting(), 0);
    await group.close();
  }
});

test('few that come while a group is under way wait for it and go together; of many, some go ahead', async () => {
  const sizes: number[] = [];
  const ends: (() => void)[] = [];
  const group = openGroup<number>(async (requests) => {
    sizes.push(requests.length);
    await new Promise<void>((end) => ends.push(end));
    return requests;
  }, failed);
  const asked = [group.ask(1, Number)];
  await Promise.resolve();
  for (let n = 0; n < 10; n += 1) asked.push(group.ask(n, Number));
  await Promise.resolve();
  assert.deepEqual(sizes, [1]);
  for (let n = 0; n < 40; n += 1) asked.push(group.ask(n, Number));
  await Promise.resolve();
  assert.deepEqual(sizes, [1, 50]);
  for (const end of ends) end();
  assert.equal((await Promise.all(asked)).length, 51);
  await group.close();
});
