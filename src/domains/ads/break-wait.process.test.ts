import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { until } from '#tests/support/installation.ts';
import { NO_HISTORIES, type Histories } from './history/histories.ts';
import { cappedTable, serve, startCapsNodes, type CappedAdSet, type CapsByName } from './testing/caps-world.ts';
import { adSetsOf, startMoneyWorld } from './testing/money-world.ts';
import { allAdSets } from './testing/world.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 12);
const WAIT_MS = 300;
const SHOES = { account: 'acme', campaign: 'acme.c', name: 'acme.shoes', bid: '9.00' };
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };
const CAPS: CapsByName = { 'acme.shoes': [{ count: 1, per: 'P1D', scope: 'listener' }] };
const LOAD = { consent: [{ framework: 'none' }], load: { breaksPerHour: 9 } };
const ask = (decision: string) => ({ decision, subject: { listener: 'ann' }, nowMs: NOW_MS });

/** Locks tables as a hung database would, until the returned function is called. */
async function lock(database: Database, tables: string, mode: string): Promise<() => Promise<void>> {
  const [isLocked, isOver] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const locking = database.transaction(async ({ query }) => {
    await query({ text: `lock table ${tables} in ${mode} mode` });
    isLocked.resolve();
    await isOver.promise;
  });
  await isLocked.promise;
  return () => {
    isOver.resolve();
    return locking;
  };
}

/** The answer of a break that waits for its whole time; fails where the break waits for longer. */
async function answerInTime(answer: Promise<readonly string[]>, time: VirtualTime): Promise<readonly string[]> {
  let served: readonly string[] | undefined;
  void answer.then((ads) => (served = ads));
  for (let turn = 0; turn < 50; turn += 1) await time.run(0);
  assert.equal(served, undefined, 'it waits');
  await time.run(WAIT_MS);
  for (let turn = 0; turn < 50 && served === undefined; turn += 1) await time.run(0);
  assert.ok(served !== undefined, 'it waits for too long');
  return served;
}

for (const { what, mode } of [
  { what: 'read', mode: 'access exclusive' },
  { what: 'written', mode: 'exclusive' },
]) {
  test(`where histories cannot be ${what}, a break waits so long, and goes on without capped ad sets; with a load there is none`, async () => {
    await using world = await startCapsNodes();
    const [node] = world.nodes;
    const unlock = await lock(world.database, 'backline.ad_histories', mode);
    for (const { policy, expected } of [
      { policy: undefined, expected: ['bolt.tea'] },
      { policy: LOAD, expected: [] },
    ]) {
      const time = new VirtualTime();
      const table = cappedTable([SHOES, TEA], CAPS, policy);
      const answer = serve(table, node, ask(`${what} ${expected.length}`), { time });
      // A lock that permits reads is met by the write.
      await until(
        async () => {
          const waiting = await world.database.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'");
          return waiting.length > 0 ? true : undefined;
        },
        () => 'a statement to wait for the lock',
        10,
      );
      assert.deepEqual(await answerInTime(answer, time), expected);
    }
    await unlock();
  });
}

test('a break that nothing is counted for reads no history', async () => {
  await using world = await startCapsNodes();
  const [node] = world.nodes;
  let reads = 0;
  const histories: Histories = {
    ...node,
    read: (...asked) => {
      reads += 1;
      return node.read(...asked);
    },
  };
  const count = async (caps: CapsByName, policy?: object) => {
    reads = 0;
    await serve(cappedTable([SHOES, TEA], caps, policy), histories, ask('one'));
    return reads;
  };
  assert.deepEqual([await count({}), await count(CAPS), await count({}, LOAD)], [0, 1, 1]);
});

test('a break waits for budgets once, however many of them cannot be fetched, and they are unknown from then on', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const node = world.open();
  const adSets: readonly CappedAdSet[] = ['a', 'b', 'c'].map((account, index) => ({
    account,
    campaign: `${account}.c`,
    name: `${account}.s`,
    bid: `${9 - index}.00`,
  }));
  const table = cappedTable(adSets, {});
  const unlock = await lock(world.database, 'backline.quota_holds, backline.quota_counters', 'access exclusive');
  const time = new VirtualTime();
  const options = { time, money: node };
  const answer = serve(table, NO_HISTORIES, { ...ask('one'), slots: 1 }, options);
  assert.deepEqual(await answerInTime(answer, time), []);
  const reasons = () => allAdSets(table).map((adSet) => node.heldBack(adSet));
  assert.deepEqual(reasons(), ['budget unknown', 'budget unknown', 'budget unknown']);
  // Nobody waits for what is known to be unknown.
  assert.deepEqual(await serve(table, NO_HISTORIES, { ...ask('two'), slots: 1 }, options), []);
  await unlock();
  await until(
    async () => (reasons().every((reason) => reason === undefined) ? true : undefined),
    () => 'the budgets to be known again',
    10,
  );
  assert.deepEqual(await serve(table, NO_HISTORIES, { ...ask('three'), slots: 1 }, options), ['a.s']);
});

test('a budget whose slice cannot be fetched is unknown at once', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const adSet = adSetsOf({ adSets: { s: { pacing: 'even', budget: { daily: '8.00' } } } })('s');
  const node = world.open();
  assert.equal(node.heldBack(adSet), undefined);
  await node.kill();
  assert.equal(await node.reserve(adSet, 1_000_000), undefined);
  assert.equal(node.heldBack(adSet), 'budget unknown');
});
