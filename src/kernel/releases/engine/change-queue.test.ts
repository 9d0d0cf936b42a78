import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChangeQueue, ORIGINS_MAX } from './change-queue.ts';
import type { Origin } from './form.ts';

const origin = (version: number): Origin => ({ write: version, version, user: 'ann' });
const queuedObject = (versions: readonly number[], name = 'a') => ({
  kind: 'Node',
  name,
  origins: versions.map(origin),
});
const versionsIn = (queue: ChangeQueue) =>
  queue.takeAll().map(({ name, origins }) => [name, origins.map(({ version }) => version)]);

test('an object is queued once, with all writes that queued it', () => {
  const queue = new ChangeQueue();
  queue.add(queuedObject([3]));
  queue.add(queuedObject([4], 'b'));
  queue.add(queuedObject([]));
  queue.add(queuedObject([5]));
  assert.equal(queue.size, 2);
  assert.deepEqual(versionsIn(queue), [
    ['a', [3, 5]],
    ['b', [4]],
  ]);
  assert.equal(queue.size, 0);
});

test('whatever the order in which it is queued again, the latest write is last', () => {
  const sorted = fc.uniqueArray(fc.nat(20), { maxLength: 6 }).map((some) => some.toSorted((a, b) => a - b));
  fc.assert(
    fc.property(fc.array(sorted, { minLength: 1, maxLength: 5 }), (batches) => {
      const queue = new ChangeQueue();
      for (const batch of batches) queue.add(queuedObject(batch));
      const all = [...new Set(batches.flat())].sort((a, b) => a - b);
      assert.deepEqual(versionsIn(queue), [['a', all]]);
    }),
  );
});

test('an object that is written faster than the engine looks keeps its latest writes', () => {
  const queue = new ChangeQueue();
  for (let version = 1; version <= ORIGINS_MAX + 2; version += 1) queue.add(queuedObject([version]));
  const [[, versions] = []] = versionsIn(queue);
  assert.equal(versions?.length, ORIGINS_MAX);
  assert.equal((versions as number[]).at(-1), ORIGINS_MAX + 2);
});
