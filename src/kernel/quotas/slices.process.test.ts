import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { until } from '#tests/support/installation.ts';
import type { Budget, Slices, SliceUnits } from './rules/contract.ts';
import { openSlices } from './slices.ts';
import { bucket } from './testing/bucket.ts';
import { startQuotasWorld, type QuotasWorld } from './testing/quotas-world.ts';

const NODE = { usableMs: 60_000, tokenMs: 60_000 };

interface Limits {
  readonly day: number;
  readonly lifetime: number;
  readonly version?: string;
}

function adSet({ day, lifetime, version = '' }: Limits): Budget {
  const items = [
    { quota: 'day', buckets: [bucket('c1-day', day, { window: { type: 'calendar', per: 'P1D', zone: 'UTC' } })] },
    { quota: 'lifetime', buckets: [bucket('c1-lifetime', lifetime, { window: { type: 'lifetime' } })] },
  ];
  return { id: 'adset-1', subject: 'account-1', version, items: () => items };
}

/** Reserves one unit after the other until the budget has none for this node. */
async function reserveAll(node: Slices, budget: Budget): Promise<readonly SliceUnits[]> {
  const all: SliceUnits[] = [];
  for (let denials = 0; denials < 3;) {
    const units = node.reserve(budget, 1) ?? (await node.take(budget, 1));
    if (units === undefined) denials += 1;
    else all.push(units);
  }
  return all;
}

async function readUse(world: QuotasWorld): Promise<readonly number[]> {
  const rows = await world.database.query<{ used: number }>('select used from backline.quota_counters order by bucket');
  return rows.map(({ used }) => used);
}

async function untilUse(world: QuotasWorld, expected: number): Promise<void> {
  await until(
    async () => ((await readUse(world))[0] === expected ? true : undefined),
    () => `a use of ${expected}`,
    10,
  );
}

/** Settles all that has ended: so many units of each slice. */
async function settleEnded(world: QuotasWorld, settledOf: (key: string) => number): Promise<number> {
  const ended = await world.quotas.endedSlices();
  for (const { subject, key } of ended)
    await world.quotas.settleSlice({ subject, slice: key, settled: settledOf(key) });
  return ended.length;
}

test('nodes reserve from memory, to the last unit and not beyond, and evidence says what is charged', async () => {
  await using world = await startQuotasWorld();
  const nodes = [world.quotas, world.another(), world.another()].map((quotas, index) =>
    quotas.slices({ ...NODE, name: `node-${index}` }),
  );
  const budget = adSet({ day: 1_000, lifetime: 5_000 });
  const reserved = (await Promise.all(nodes.map((node) => reserveAll(node, budget)))).flat();
  assert.ok(reserved.length > 800 && reserved.length <= 1_000, `${reserved.length}`);
  for (const node of nodes) await node.close();
  assert.deepEqual(await readUse(world), [reserved.length, reserved.length]);
  assert.deepEqual(await world.quotas.endedSlices(), []);
  world.pass({ minutes: 3 });
  const settled = reserved.filter((_, index) => index % 3 > 0);
  await settleEnded(world, (key) => settled.filter(({ slice }) => slice === key).length);
  assert.deepEqual(await readUse(world), [settled.length, settled.length]);
  assert.deepEqual(await world.quotas.endedSlices(), []);
});

test('units that are given back, and those of a closed slice, are there for others', async () => {
  await using world = await startQuotasWorld();
  const budget = adSet({ day: 1_000, lifetime: 900 });
  const node = world.quotas.slices({ ...NODE, name: 'node' });
  const ten = await node.take(budget, 10);
  const five = node.reserve(budget, 5);
  assert.ok(ten !== undefined && five !== undefined && five.slice === ten.slice);
  node.giveBack(five);
  await node.close();
  assert.deepEqual(await readUse(world), [10, 10]);
  node.giveBack(ten);
  assert.deepEqual(await readUse(world), [10, 10]);
});

test('a slice whose node died stays charged in full, until evidence settles it after its last token', async () => {
  await using world = await startQuotasWorld();
  const budget = adSet({ day: 100, lifetime: 100 });
  const dead = world.another().slices({ ...NODE, name: 'dead' });
  const units = await dead.take(budget, 10);
  assert.ok(units !== undefined);
  // A node that is gone gets no maintenance and closes nothing.
  const [charged = 0] = await readUse(world);
  assert.ok(charged >= 10);
  const early = { subject: 'account-1', slice: units.slice, settled: 7 };
  await assert.rejects(world.quotas.settleSlice(early), { code: 'quotas/slice-outstanding' });
  world.pass({ minutes: 2 });
  assert.deepEqual(await world.quotas.endedSlices(), [], 'the margin for slow commits');
  world.pass({ seconds: 11 });
  assert.ok((await settleEnded(world, (key) => (key === units.slice ? 7 : 0))) > 0);
  assert.deepEqual(await readUse(world), [7, 7]);
  await dead.close();
  assert.deepEqual(await readUse(world), [7, 7], 'a node that wakes up late changes nothing');
});

test('a lowered limit holds with the next reservation: units of the old one go back', async () => {
  await using world = await startQuotasWorld();
  let steadyMs = 0;
  const node = world.quotas.slices({ ...NODE, name: 'node', steadyMs: () => steadyMs });
  const before = adSet({ day: 1_000, lifetime: 1_000, version: 'before' });
  assert.ok((await node.take(before, 10)) !== undefined);
  const after = adSet({ day: 1_000, lifetime: 12, version: 'after' });
  assert.equal(node.reserve(after, 10), undefined);
  await untilUse(world, 10);
  assert.equal(await node.take(after, 3), undefined);
  steadyMs += 1_000;
  assert.ok((await node.take(after, 2)) !== undefined);
  assert.equal(node.reserve(after, 1), undefined);
  await node.close();
});

test('a budget that knows when more units come is not asked before', async () => {
  await using world = await startQuotasWorld();
  let steadyMs = 0;
  const node = world.quotas.slices({ ...NODE, name: 'node', steadyMs: () => steadyMs });
  let limit = 5;
  let asked = 0;
  const budget: Budget = {
    ...adSet({ day: 5, lifetime: 5 }),
    items: () => {
      asked += 1;
      return [{ quota: 'paced', buckets: [bucket('paced', limit)] }];
    },
    retryMs: () => 30_000,
  };
  assert.equal((await reserveAll(node, budget)).length, 5);
  const before = asked;
  limit = 8;
  assert.deepEqual([await node.take(budget, 1), node.mayReserve('adset-1', 1), asked], [undefined, false, before]);
  steadyMs = 30_000;
  assert.equal((await reserveAll(node, budget)).length, 3);
  await node.close();
});

test('a budget is unknown when its slice cannot be fetched, or does not come in time, until one is answered', async () => {
  await using world = await startQuotasWorld();
  let steadyMs = 0;
  const node = world.quotas.slices({ ...NODE, name: 'node', steadyMs: () => steadyMs });
  const whole = adSet({ day: 8, lifetime: 8 });
  let items: Budget['items'] = () => Promise.reject(new Error('away'));
  const budget: Budget = { ...whole, items: () => items() };
  const state = () => [node.mayReserve('adset-1', 1), node.isUnknown('adset-1')];
  assert.deepEqual(state(), [true, false]);
  assert.equal(await node.take(budget, 1), undefined);
  assert.deepEqual(state(), [false, true]);

  const hung = Promise.withResolvers<void>();
  items = () => hung.promise.then(whole.items);
  steadyMs += 1_000;
  assert.equal(await node.take(budget, 1, AbortSignal.abort()), undefined);
  assert.deepEqual(state(), [false, true]);
  hung.resolve();
  await node.waitForFetches();
  assert.deepEqual(state(), [true, false]);
  assert.ok(node.reserve(budget, 1) !== undefined);
  await node.close();
});

test('after a denial the units of the account that another budget holds are recalled', async () => {
  await using world = await startQuotasWorld();
  const account = { quota: 'account', buckets: [bucket('account', 100)] };
  const budget = (id: string): Budget => ({
    id,
    subject: 'account-1',
    version: '',
    items: () => [{ quota: id, buckets: [bucket(id, 1_000)] }, account],
  });
  const one = world.another().slices({ ...NODE, name: 'one' });
  let steadyMs = 0;
  const other = world.quotas.slices({ ...NODE, name: 'other', steadyMs: () => steadyMs });
  const spring = await one.take(budget('spring'), 1);
  assert.ok(spring !== undefined);
  const before = await readUse(world);
  assert.ok((before[0] ?? 0) > 1);
  assert.equal(await other.take(budget('summer'), 99), undefined);
  await untilUse(world, 1);
  steadyMs += 1_000;
  assert.ok((await other.take(budget('summer'), 99)) !== undefined);
  await one.close();
  await other.close();
});

test('near the end of a budget a node calls back its own slices: all that is worth a charge is spent', async () => {
  await using world = await startQuotasWorld();
  let steadyMs = 0;
  const node = world.quotas.slices({ ...NODE, name: 'node', steadyMs: () => steadyMs });
  const account = { quota: 'account', buckets: [bucket('account', 1_000)] };
  const budget = (id: string): Budget => ({
    id,
    subject: 'account-1',
    version: '',
    items: () => [{ quota: id, buckets: [bucket(id, 10_000)] }, account],
  });
  let spent = 0;
  const spend = async (id: string): Promise<void> => {
    spent += (await node.take(budget(id), 7))?.amount ?? 0;
  };
  for (let n = 0; n < 20; n += 1) await spend('spring');
  // Less than the life of a slice.
  for (; steadyMs < 30_000; steadyMs += 100) {
    await spend('summer');
    await node.closeEnded();
  }
  assert.equal(spent, 1_000 - (1_000 % 7));
  await node.close();
});

test('while recalls cannot be read, slices close all the same, and one look follows another', async () => {
  await using world = await startQuotasWorld();
  let steadyMs = 0;
  let reads = 0;
  const operations: string[] = [];
  const slices = openSlices(
    { ...NODE, name: 'node', steadyMs: () => steadyMs },
    {
      storeOf: () => ({
        operate: async (operation) => {
          operations.push(operation.kind);
          const { items = [] } = operation.kind === 'charge' ? operation : {};
          const amount = items.reduce((sum, item) => sum + item.amount, 0);
          return { outcome: 'granted', asked: amount, amount, receipt: [], balances: [], atMs: 0, replayed: false };
        },
        recall: async () => {},
      }),
      readRecalled: async () => {
        reads += 1;
        await world.quotas.check({ subject: 's', quota: 'q', buckets: [bucket('b', 1)], amount: 0 });
        throw new Error('away');
      },
      log: openLog('silent'),
    },
  );
  assert.ok((await slices.take(adSet({ day: 100, lifetime: 100 }), 1)) !== undefined);
  steadyMs = NODE.usableMs;
  await Promise.all(Array.from({ length: 20 }, () => slices.closeEnded()));
  assert.ok(reads <= 3, `${reads} reads for 20 looks at once`);
  assert.ok(operations.includes('trim'), operations.join());
  await slices.close();
});
