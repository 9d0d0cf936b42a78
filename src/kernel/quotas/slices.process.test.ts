import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Budget } from './rules/contract.ts';
import { bucket } from './testing/bucket.ts';
import { startQuotasWorld } from './testing/quotas-world.ts';

const NODE = { unitsMax: 500, usableMs: 60_000, tokenMs: 60_000 };

function campaign(day: number, lifetime: number): Budget {
  return {
    id: 'campaign-1',
    subject: 'account-1',
    items: [
      { quota: 'day', buckets: [bucket('c1-day', day, { window: { type: 'calendar', per: 'P1D', zone: 'UTC' } })] },
      { quota: 'lifetime', buckets: [bucket('c1-lifetime', lifetime, { window: { type: 'lifetime' } })] },
    ],
  };
}

test('nodes spend a budget from memory, to its last unit and not beyond, and the rest goes back at the end', async () => {
  await using world = await startQuotasWorld();
  const nodes = [world.quotas, world.another(), world.another()].map((quotas, index) =>
    quotas.slices({ ...NODE, name: `node-${index}` }),
  );
  const budget = campaign(1_000, 5_000);
  const spent = await Promise.all(
    nodes.map(async (node) => {
      let own = 0;
      while (node.spend(budget, 1) || (await node.take(budget, 1))) own += 1;
      return own;
    }),
  );
  assert.equal(
    spent.reduce((sum, units) => sum + units, 0),
    1_000,
  );
  assert.ok(spent.every((units) => units > 0));
  for (const node of nodes) await node.close();
  const [day, lifetime] = budget.items;
  assert.ok(day !== undefined && lifetime !== undefined);
  const readUse = async (source: typeof day) =>
    (await world.quotas.check({ ...source, subject: 'account-1', amount: 0 })).balances[0]?.used;
  assert.deepEqual([await readUse(day), await readUse(lifetime)], [1_000, 1_000]);
});

test('the rest of a slice goes back when its node ends cleanly', async () => {
  await using world = await startQuotasWorld();
  const budget = campaign(1_000, 900);
  const node = world.quotas.slices({ ...NODE, name: 'node' });
  assert.equal(await node.take(budget, 10), true);
  assert.equal(node.spend(budget, 5), (await Promise.resolve(true)) && true);
  await node.close();
  const rows = await world.database.query<{ bucket: string; used: number }>(
    'select bucket, used from backline.quota_counters order by bucket',
  );
  assert.deepEqual(rows, [
    { bucket: 'c1-day', used: 15 },
    { bucket: 'c1-lifetime', used: 15 },
  ]);
});

test('a slice whose node died stays charged in full, until evidence settles it after its last token', async () => {
  await using world = await startQuotasWorld();
  const budget = campaign(100, 100);
  const dead = world.another().slices({ ...NODE, name: 'dead' });
  assert.equal(await dead.take(budget, 60), true);
  const alive = world.quotas.slices({ ...NODE, name: 'alive' });
  // The dead node returns nothing: its slices get no maintenance any more.
  await dead.close();
  const second = world.another().slices({ ...NODE, name: 'second' });
  assert.equal(await second.take(budget, 10), true);
  await world.database.query(
    "update backline.quota_holds set recalled_at = null, owner = 'gone' where owner = 'second'",
  );
  assert.equal(await alive.take(budget, 30), false);
  assert.deepEqual(await world.quotas.lostSlices(), []);
  const [slice] = await world.database.query<{ key: string }>(
    "select key from backline.quota_holds where owner = 'gone'",
  );
  assert.ok(slice !== undefined);
  const settle = { subject: 'account-1', slice: slice.key, settled: 11 };
  await assert.rejects(world.quotas.settleSlice(settle), { code: 'quotas/slice-outstanding' });
  world.pass({ minutes: 5 });
  assert.deepEqual(
    (await world.quotas.lostSlices())
      .filter(({ node }) => node === 'gone')
      .map(({ node, amount }) => ({ node, amount })),
    [{ node: 'gone', amount: 12 }],
  );
  await world.quotas.settleSlice(settle);
  await alive.close();
  const { balances } = await world.quotas.check({
    subject: 'account-1',
    quota: 'lifetime',
    buckets: budget.items[1]?.buckets ?? [],
    amount: 0,
  });
  assert.equal(balances[0]?.used, 71);
  await second.close();
});

test('a node recalls units that another node holds, and gets them before any caller is denied', async () => {
  await using world = await startQuotasWorld();
  const budget = campaign(100, 100);
  const rich = world.another().slices({ ...NODE, name: 'rich' });
  const poor = world.quotas.slices({ ...NODE, name: 'poor' });
  assert.equal(await rich.take({ ...budget, id: 'as-a-whole' }, 80), true);
  // Nine of the twenty that are left, of which it spends one.
  assert.equal(await rich.take(budget, 9), true);
  assert.equal(await rich.take(budget, 1), true);
  assert.equal(await poor.take(budget, 10), true);
  assert.equal(await poor.take(budget, 1), false);
  await rich.close();
  await poor.close();
  const rows = await world.database.query("select used from backline.quota_counters where bucket = 'c1-lifetime'");
  assert.deepEqual(rows, [{ used: 100 }]);
});

test('the rest of the account is recalled from the other campaigns that hold it', async () => {
  await using world = await startQuotasWorld();
  const account = { quota: 'account', buckets: [bucket('account', 100, { window: { type: 'lifetime' } })] };
  const budget = (id: string): Budget => ({
    id,
    subject: 'account-1',
    items: [{ quota: id, buckets: [bucket(id, 1_000, { window: { type: 'lifetime' } })] }, account],
  });
  const one = world.another().slices({ ...NODE, name: 'one' });
  const other = world.quotas.slices({ ...NODE, name: 'other' });
  assert.equal(await one.take(budget('spring'), 1), true);
  assert.equal(await other.take(budget('summer'), 99), true);
  assert.equal(await other.take(budget('summer'), 1), false);
  await one.close();
  await other.close();
});
