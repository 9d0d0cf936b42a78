import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { databaseClock } from './database-clock.ts';
import type { Database } from './database.ts';

const log = pino({ level: 'silent' });

/** Only what is asked for: the time, as a database tells it that may be wrong or away. */
function tellingTime(tell: () => number): Database {
  return { query: async () => [{ ms: tell() }] } as unknown as Database;
}

test('the time is that of the database, whatever ours is, and goes on while it is away', async () => {
  const time = new VirtualTime();
  let isAway = false;
  let offMs = 5_000_000;
  const database = tellingTime(() => {
    if (isAway) throw new Error('away');
    return time.nowMs() + offMs;
  });
  const { clock, stop } = await databaseClock(database, time, log);
  assert.equal(clock().epochMilliseconds, 5_000_000);
  await time.run(3_000);
  assert.equal(clock().epochMilliseconds, 5_003_000);
  isAway = true;
  await time.run(60_000);
  assert.equal(clock().epochMilliseconds, 5_063_000);
  isAway = false;
  offMs += 100_000;
  await time.run(10_000);
  assert.equal(clock().epochMilliseconds, 5_173_000);
  stop();
});

test('it never goes back: a database whose clock was set back is waited for', async () => {
  const time = new VirtualTime();
  let offMs = 1_000_000;
  const { clock, stop } = await databaseClock(
    tellingTime(() => time.nowMs() + offMs),
    time,
    log,
  );
  assert.equal(clock().epochMilliseconds, 1_000_000);
  offMs -= 30_000;
  await time.run(10_000);
  assert.equal(clock().epochMilliseconds, 1_000_000);
  await time.run(25_000);
  assert.equal(clock().epochMilliseconds, 1_005_000);
  stop();
});
