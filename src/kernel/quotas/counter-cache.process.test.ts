import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucket } from './testing/bucket.ts';
import { startQuotasWorld } from './testing/quotas-world.ts';

const listener = { subject: 'listener-1', quota: 'minutes' };

test('a cached subject decides nothing once another process has changed it', async () => {
  await using world = await startQuotasWorld();
  const [here, there] = [world.quotas, world.another()];
  const buckets = [bucket('plan', 10)];
  const ask = (quotas: typeof here, key: string, amount: number) =>
    quotas.consume({ ...listener, key, buckets, amount });
  for (const key of ['a', 'b', 'c']) assert.equal((await ask(here, key, 1)).outcome, 'granted');
  assert.equal((await ask(there, 'd', 7)).outcome, 'granted');
  assert.equal((await ask(here, 'e', 1)).outcome, 'denied');
  const repeated = await ask(there, 'c', 1);
  assert.deepEqual([repeated.outcome, repeated.replayed, repeated.balances[0]?.used], ['granted', true, 3]);
});

test('a key that another process has used is answered as there, also by a process with the subject in its cache', async () => {
  await using world = await startQuotasWorld();
  const [here, there] = [world.quotas, world.another()];
  const buckets = [bucket('plan', 1)];
  const other = { subject: 'listener-1', quota: 'skips', buckets: [bucket('skips', 9)], amount: 1 };
  await here.consume({ ...other, key: 'a' });
  // A denial changes no counter: only the key shows it.
  const denied = await there.consume({ ...listener, key: 'b', buckets, amount: 2 });
  await here.consume({ ...listener, key: 'c', buckets, amount: 2 });
  assert.deepEqual(await here.consume({ ...listener, key: 'b', buckets, amount: 2 }), { ...denied, replayed: true });
  await assert.rejects(here.consume({ ...other, key: 'b' }), { code: 'http/key-reused' });
});

test('a process with a cached subject notices ended reservations and erased subjects', async () => {
  await using world = await startQuotasWorld();
  const [here, there] = [world.quotas, world.another()];
  const buckets = [bucket('plan', 10, { window: { type: 'lifetime' } })];
  await here.consume({ ...listener, key: 'a', buckets, amount: 1 });
  await there.reserve({ ...listener, key: 'r', buckets, amount: 9, ttlMs: 60_000 });
  assert.equal((await here.consume({ ...listener, key: 'b', buckets, amount: 1 })).outcome, 'denied');
  assert.equal((await here.consume({ ...listener, key: 'c', buckets, amount: 1 })).outcome, 'denied');
  world.pass({ minutes: 1 });
  assert.equal((await here.consume({ ...listener, key: 'd', buckets, amount: 9 })).outcome, 'granted');
  await there.erase('listener-1');
  const anew = await here.consume({ ...listener, key: 'e', buckets, amount: 2 });
  assert.equal(anew.balances[0]?.used, 2);
});

test('units left in a window wait for the next use, however late, are passed on once, and the row is then removed', async () => {
  await using world = await startQuotasWorld();
  const [here, there] = [world.quotas, world.another()];
  const buckets = [bucket('plan', 10, { rollover: { max: 5 } })];
  let keys = 0;
  const ask = (quotas: typeof here, amount: number) =>
    quotas.consume({ ...listener, key: `k${(keys += 1)}`, buckets, amount });
  const readWindows = async () => {
    await here.tidy();
    const rows = await world.database.query<{ window_key: string; entries: string }>(
      'select window_key, entries from backline.quota_counters order by window_key',
    );
    return rows.map(({ window_key, entries }) => `${window_key} ${entries}`);
  };
  for (const quotas of [here, here, there, there]) assert.equal((await ask(quotas, 2)).outcome, 'granted');
  world.at('2026-08-10T12:00:00Z');
  assert.deepEqual(await readWindows(), ['P1M:2026-03 ["waits",0,10,10]']);
  assert.deepEqual(
    (await here.check({ ...listener, buckets, amount: 12 })).balances.map(({ limit, remaining }) => [limit, remaining]),
    [[12, 12]],
  );
  // Both have March in their cache, and only one of them has August.
  assert.equal((await ask(here, 11)).outcome, 'granted');
  assert.equal((await ask(there, 2)).outcome, 'denied');
  assert.equal((await ask(there, 1)).outcome, 'granted');
  assert.deepEqual(await readWindows(), ['P1M:2026-08 ["waits",2,10,10]']);
  world.at('2026-09-01T12:00:00Z');
  assert.equal((await ask(there, 11)).outcome, 'denied');
  assert.equal((await ask(there, 10)).outcome, 'granted');
  assert.equal((await ask(here, 1)).outcome, 'denied');
});

test('consecutive requests of a burst, over windows that end, count as if each was alone', async () => {
  await using world = await startQuotasWorld();
  const buckets = [bucket('plan', 40, { window: { type: 'calendar', per: 'PT1H', zone: 'UTC' } })];
  for (let hour = 0; hour < 60; hour += 1) {
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        world.quotas.consume({
          subject: `listener-${index % 3}`,
          quota: 'minutes',
          key: `${hour}-${index}`,
          buckets,
          amount: 1,
        }),
      ),
    );
    assert.equal(answers.filter(({ outcome }) => outcome === 'granted').length, 3 * 40);
    world.pass({ hours: 1 });
  }
  const wrong = await world.database.query(`
    select bucket, window_key from backline.quota_counters c
    where used <> (
      select count(*) from backline.quota_operations o
      where o.subject = c.subject and not denied and o.answer::jsonb -> 3 -> 0 ->> 3 = c.window_key)`);
  assert.deepEqual(wrong, []);
});

test('balances include units that another process took from an unused bucket, also where the cache has it unused', async () => {
  await using world = await startQuotasWorld();
  const [here, there] = [world.quotas, world.another()];
  const topUp = bucket('top-up', 10, { priority: 1, window: { type: 'lifetime' } });
  const buckets = [bucket('plan', 10), topUp];
  for (const key of ['a', 'b']) await here.consume({ ...listener, key, buckets, amount: 1 });
  await there.consume({ ...listener, key: 'c', buckets: [topUp], amount: 3 });
  const { balances } = await here.consume({ ...listener, key: 'd', buckets, amount: 1 });
  assert.deepEqual(
    balances.map(({ used }) => used),
    [3, 3],
  );
});

test('three processes that charge, reserve and give back from the same buckets in any order count every unit once', async () => {
  await using world = await startQuotasWorld();
  const processes = [world.quotas, world.another(), world.another()];
  const plan = bucket('plan', 30);
  const topUp = bucket('top-up', 40, { priority: 1, window: { type: 'lifetime' } });
  const ask = async (index: number): Promise<void> => {
    const quotas = processes[index % 3] ?? world.quotas;
    const subject = `listener-${(index * 7) % 5}`;
    const sources = [[plan], [topUp], [plan, topUp], [topUp, plan]][index % 4] ?? [];
    const named = { subject, quota: 'minutes', buckets: sources, key: `k${index}` };
    if (index % 5 > 0) return void (await quotas.consume({ ...named, amount: 1 + (index % 2) }));
    const { outcome } = await quotas.reserve({ ...named, amount: 2, ttlMs: 60_000 });
    if (outcome === 'granted') await quotas.release({ subject, key: `back ${index}`, of: named.key, buckets: sources });
  };
  await Promise.all(Array.from({ length: 900 }, (_, index) => ask(index)));
  const counters = await world.database.query<{ bucket: string; used: number; ledger: number }>(`
    select bucket, used, (
      select coalesce(sum((line ->> 4)::int), 0) from backline.quota_operations o, jsonb_array_elements(o.answer::jsonb -> 3) line
      where o.subject = c.subject and o.answer::jsonb ->> 7 = 'charge' and line ->> 2 = c.bucket
    ) as ledger
    from backline.quota_counters c`);
  assert.equal(counters.length, 10);
  for (const { bucket: id, used, ledger } of counters) {
    assert.equal(used, ledger);
    assert.ok(used <= (id === 'plan' ? 30 : 40));
  }
});
