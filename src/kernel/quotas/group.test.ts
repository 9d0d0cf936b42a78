import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openGroup } from './group.ts';

const toFailure = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

test('a request that arrives in the turn in which a lane ends is settled, in whichever turn that is', async () => {
  for (let turns = 0; turns < 20; turns += 1) {
    const group = openGroup<number>(async (requests) => requests.map((request) => request * 2), toFailure);
    const first = group.ask(1, Number);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    assert.deepEqual(await Promise.all([first, group.ask(2, Number)]), [2, 4]);
    assert.equal(group.waiting(), 0);
    await group.close();
  }
});

test('few requests that arrive during a running group wait and go together; many start another lane', async () => {
  const sizes: number[] = [];
  const ends: (() => void)[] = [];
  const group = openGroup<number>(async (requests) => {
    sizes.push(requests.length);
    await new Promise<void>((end) => ends.push(end));
    return requests;
  }, toFailure);
  const asked: Promise<number>[] = [];
  const ask = async (many: number): Promise<void> => {
    for (let n = 0; n < many; n += 1) asked.push(group.ask(n, Number));
    await nextTurn();
  };
  const endFirst = async (): Promise<void> => {
    ends.shift()?.();
    await nextTurn();
    await nextTurn();
  };
  await ask(3);
  assert.deepEqual(sizes, [3], 'requests of one turn go together');
  await ask(10);
  assert.deepEqual(sizes, [3]);
  await ask(40);
  assert.deepEqual(sizes, [3, 50]);
  await ask(5);
  await endFirst();
  assert.deepEqual(sizes, [3, 50], 'a lane ends while another one runs and few wait');
  await endFirst();
  assert.deepEqual(sizes, [3, 50, 5], 'the last lane takes all that wait');
  await endFirst();
  assert.equal((await Promise.all(asked)).length, 58);
  await group.close();
});

test('a request whose signal fires leaves the queue, and one in a running group is settled', async () => {
  const settled: number[] = [];
  const { promise: held, resolve: goOn } = Promise.withResolvers<void>();
  const group = openGroup<number>(async (requests) => {
    await held;
    settled.push(...requests);
    return requests;
  }, toFailure);
  const [taken, queued] = [new AbortController(), new AbortController()];
  const first = group.ask(1, Number, taken.signal);
  await nextTurn();
  const second = group.ask(2, Number, queued.signal);
  const third = group.ask(3, Number);
  assert.equal(group.waiting(), 3);
  taken.abort(new Error('the first caller disconnected'));
  queued.abort(new Error('the second caller disconnected'));
  await assert.rejects(second, /the second caller disconnected/);
  assert.equal(group.waiting(), 2);
  goOn();
  assert.deepEqual(await Promise.all([first, third]), [1, 3]);
  assert.deepEqual(settled, [1, 3]);
  await group.close();
  assert.equal(group.waiting(), 0);
});
