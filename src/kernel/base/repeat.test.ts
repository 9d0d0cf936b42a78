import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { repeat } from './repeat.ts';

test('a job runs one at a time, again after a failure, and its end is waited for', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const failures: unknown[] = [];
    let [running, runs] = [0, 0];
    let end = Promise.withResolvers<void>();
    const stop = repeat(
      1_000,
      async () => {
        running += 1;
        runs += 1;
        assert.equal(running, 1);
        await end.promise.finally(() => (running -= 1));
      },
      (error) => failures.push(error),
    );
    mock.timers.tick(5_000);
    assert.equal(runs, 1, 'slow: the others are left out');
    end.reject(new Error('broken'));
    await new Promise(setImmediate);
    assert.deepEqual(failures, [new Error('broken')]);
    end = Promise.withResolvers();
    mock.timers.tick(1_000);
    assert.equal(runs, 2);
    let hasStopped = false;
    const stopping = stop().then(() => (hasStopped = true));
    mock.timers.tick(5_000);
    await new Promise(setImmediate);
    assert.deepEqual([runs, hasStopped], [2, false]);
    end.resolve();
    await stopping;
  } finally {
    mock.timers.reset();
  }
});
