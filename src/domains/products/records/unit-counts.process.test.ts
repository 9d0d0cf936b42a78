import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { startDatabase, type TestDatabase } from '#tests/support/database.ts';
import { followUnitCounts } from './unit-counts.ts';

/** Subscriptions of households with so many members each. */
async function subscribe(db: TestDatabase, market: string, status: string, households: number, members: number) {
  const name = `${market}-${status}`;
  await db.database.query({
    text: `
      insert into backline.subscriptions
        (id, manager, household, plan, market, status, anchor_wall, anchor_zone, plan_since, gives_since, started_at, key)
      select $1 || i, $1 || i, $1 || i, 'p', $2, $3, '', 'UTC', now(), now(), now(), $1 || i
      from generate_series(1, $4::integer) as i`,
    values: [name, market, status, households],
  });
  await db.database.query({
    text: `
      insert into backline.subscription_members (listener, subscription, role, since)
      select $1 || i || '-' || m, $1 || i, 'r', now()
      from generate_series(1, $2::integer) as i, generate_series(1, $3::integer) as m`,
    values: [name, households, members],
  });
}

test('households and listeners with a subscription are counted by market, again and again, up to a number', async () => {
  await using db = await startDatabase();
  const time = new VirtualTime();
  const waitForCount = () => new Promise<void>((resolve) => (done = resolve));
  let done = () => {};
  const database = {
    query: async (...asked: Parameters<typeof db.database.query>) => {
      const rows = await db.database.query(...asked);
      setImmediate(() => done());
      return rows as never;
    },
  };
  const next = async (): Promise<void> => {
    const again = waitForCount();
    time.advance(300_000);
    await again;
  };
  const first = waitForCount();
  const counts = followUnitCounts({ database, time, log: openLog('silent') });
  assert.equal(counts.of('household'), undefined, 'not known yet');
  await first;
  assert.equal(counts.of('household'), undefined, 'nobody is on record');
  await subscribe(db, 'de', 'active', 3, 2);
  await subscribe(db, 'se', 'lapsed', 2, 1);
  await subscribe(db, 'se', 'ended', 9, 1);
  await next();
  assert.deepEqual(
    counts.of('household'),
    new Map([
      ['de', 3],
      ['se', 2],
    ]),
  );
  assert.deepEqual(
    counts.of('listener'),
    new Map([
      ['de', 6],
      ['se', 2],
    ]),
  );
  await subscribe(db, 'us', 'active', 50_000, 2);
  await next();
  assert.equal(counts.of('household'), undefined, 'above the limit the count is undefined');
  await counts.stop();
});
