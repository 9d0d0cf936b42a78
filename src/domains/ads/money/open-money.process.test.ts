import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adSetsOf, reserveAll, startMoneyWorld, type MoneyNode, type MoneyWorld } from '../testing/money-world.ts';

/** One impression at a CPM of 1,000.00 costs 1.00. */
const ONE = 1_000_000;
/** After so long every reservation has ended, and its slice can be settled. */
const ENDED = { minutes: 17 };

test('the limits of ad set, campaign and account hold together, on two nodes, to the micro-unit', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const find = adSetsOf({
    account: { budget: { daily: '40.00' } },
    campaign: { budget: { lifetime: '30.00' } },
    adSets: { s: { budget: { daily: '20.00' } }, t: {} },
  });
  const nodes = [world.open(), world.open()];
  const reserveOnBoth = async (name: string): Promise<number> => {
    let count = 0;
    // A node that is denied asks again after a second, and others then return units.
    for (let second = 0; second < 4; second += 1) {
      count += (await Promise.all(nodes.map((node) => reserveAll(node, find(name), ONE)))).flat().length;
      world.pass({ seconds: 1 });
    }
    return count;
  };
  assert.equal(await reserveOnBoth('s'), 20);
  assert.equal(nodes[0]?.heldBack(find('s')), 'budget spent');
  assert.equal(await reserveOnBoth('t'), 10);
});

test('what was reserved and never played is there again; what was played stays charged', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const find = adSetsOf({ adSets: { s: { budget: { lifetime: '8.00' } } } });
  const node = world.open();
  const reserved = await reserveAll(node, find('s'), ONE);
  assert.equal(reserved.length, 8);
  world.pass({ minutes: 14 });
  for (const reservation of reserved.slice(0, 3)) assert.equal(world.charge(reservation), true);
  assert.equal(await node.settle(), 0);
  world.pass({ minutes: 3 });
  assert.ok(reserved.every((reservation) => !world.charge(reservation)));
  assert.ok((await node.settle()) > 0);
  const use = await world.readUse();
  for (const owner of ['adset a.s', 'campaign a.c', 'account a'])
    for (const window of ['lifetime', 'day P1D:2026-11-30']) assert.equal(use[`${owner} ${window}`], 3 * ONE);
  assert.equal((await reserveAll(node, find('s'), ONE)).length, 5);
});

test('a reservation of a decision that was not answered goes back at once', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const find = adSetsOf({ adSets: { s: { budget: { lifetime: '1.00' } } } });
  const node = world.open();
  const reservation = await node.reserve(find('s'), ONE);
  assert.ok(reservation !== undefined);
  node.giveBack(reservation);
  assert.ok((await node.reserve(find('s'), ONE)) !== undefined);
});

test('a late event is charged if there is room, once, and else it is free', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const find = adSetsOf({ adSets: { s: { budget: { lifetime: '2.00' } } } });
  const node = world.open();
  assert.equal((await reserveAll(node, find('s'), ONE)).length, 2);
  assert.equal(await node.chargeLate(find('s'), ONE, 'd.0.impression'), false, 'all of it is reserved');
  world.pass(ENDED);
  await node.settle();
  assert.equal(await node.chargeLate(find('s'), ONE, 'd.1.impression'), true);
  assert.equal(await node.chargeLate(find('s'), ONE, 'd.1.impression'), true, 'the same event again');
  assert.equal(await node.chargeLate(find('s'), ONE, 'd.2.impression'), true);
  assert.equal(await node.chargeLate(find('s'), ONE, 'd.3.impression'), false);
  assert.equal((await world.readUse())['adset a.s lifetime'], 2 * ONE);
});

for (const { zone, hours, noon } of [
  { zone: 'Europe/Berlin', hours: 25, noon: '2026-10-25T12:00:00+01:00' },
  { zone: 'Europe/Berlin', hours: 23, noon: '2026-03-29T12:00:00+02:00' },
  { zone: 'Asia/Kolkata', hours: 24, noon: '2026-11-30T12:00:00+05:30' },
]) {
  test(`the budget of a day is that of the account's zone: ${hours} hours in ${zone}`, async () => {
    const midnight = Temporal.Instant.from(noon).toZonedDateTimeISO(zone).startOfDay();
    const end = midnight.add({ days: 1 });
    assert.equal(midnight.until(end, { largestUnit: 'hours' }).hours, hours);
    await using world = await startMoneyWorld(midnight.toInstant().toString());
    const find = adSetsOf({ account: { zone }, adSets: { s: { budget: { daily: '3.00' } } } });
    const node = world.open();
    assert.equal((await reserveAll(node, find('s'), ONE)).length, 3);
    world.pass({ seconds: hours * 3_600 - 1 });
    assert.equal((await reserveAll(node, find('s'), ONE)).length, 0);
    world.pass({ seconds: 2 });
    assert.equal((await reserveAll(node, find('s'), ONE)).length, 3);
  });
}

test('a slice of one day is not reserved from on the next', async () => {
  await using world = await startMoneyWorld('2026-11-30T23:59:50Z');
  const find = adSetsOf({ adSets: { s: { budget: { daily: '40.00' } } } });
  const node = world.open();
  assert.ok((await node.reserve(find('s'), ONE)) !== undefined);
  world.pass({ seconds: 11 });
  await node.settle();
  assert.ok((await node.reserve(find('s'), ONE)) !== undefined);
  await node.close();
  const { 'adset a.s day P1D:2026-11-30': before, 'adset a.s day P1D:2026-12-01': after } = await world.readUse();
  assert.deepEqual([before, after], [ONE, ONE]);
});

test('a budget that is lowered below its use stops at once, and what was reserved drains', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const node = world.open();
  const before = adSetsOf({ adSets: { s: { budget: { lifetime: '100.00' } } } });
  const reserved: unknown[] = [];
  for (let n = 0; n < 10; n += 1) reserved.push(await node.reserve(before('s'), ONE));
  const after = adSetsOf({ adSets: { s: { budget: { lifetime: '5.00' } } } });
  assert.equal((await reserveAll(node, after('s'), ONE)).length, 0);
  world.pass(ENDED);
  await node.settle();
  assert.equal((await reserveAll(node, after('s'), ONE)).length, 5);
});

test('a node that is killed owes its slices until evidence comes, and nothing is spent twice', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const find = adSetsOf({ adSets: { s: { budget: { lifetime: '16.00' } } } });
  const dead = world.open();
  const played = await dead.reserve(find('s'), ONE);
  assert.ok(played !== undefined && world.charge(played));
  const alive = world.open();
  const reserved = await reserveAll(alive, find('s'), ONE);
  assert.ok(reserved.length > 10 && reserved.length <= 15, `${reserved.length}`);
  for (const reservation of reserved) world.charge(reservation);
  world.pass(ENDED);
  await alive.settle();
  assert.equal((await world.readUse())['adset a.s lifetime'], (reserved.length + 1) * ONE);
  assert.equal((await reserveAll(alive, find('s'), ONE)).length, 15 - reserved.length);
});

test('an even budget is spent along the day, and a flight that is made longer gives no burst', async () => {
  await using world = await startMoneyWorld('2026-11-30T00:00:00Z');
  const node = world.open();
  let find = adSetsOf({ adSets: { s: { pacing: 'even', budget: { daily: '96.00' } } } });
  let spent = 0;
  const hourly: number[] = [];
  for (let minute = 0; minute < 12 * 60; minute += 5) {
    const reserved = await reserveAll(node, find('s'), ONE);
    for (const reservation of reserved) world.charge(reservation);
    spent += reserved.length;
    if (minute % 180 === 175) hourly.push(spent);
    assert.equal(node.heldBack(find('s')), 'ahead of its pace');
    world.pass({ minutes: 5 });
    await node.settle();
  }
  for (const [index, value] of hourly.entries())
    assert.ok(Math.abs(value - 12 * (index + 1)) <= 2, `${value} after ${(index + 1) * 3} hours`);
  // Nobody listens for three hours; then the rest is spread over what is left of the day.
  world.pass({ hours: 3 });
  const after = (await reserveAll(node, find('s'), ONE)).length;
  assert.ok(after <= 3, `${after} at once after a pause`);
  find = adSetsOf({
    adSets: {
      s: {
        pacing: 'even',
        budget: { lifetime: '480.00' },
        from: '2026-11-29T00:00:00Z',
        until: '2026-12-04T00:00:00Z',
      },
    },
  });
  assert.ok((await reserveAll(node, find('s'), ONE)).length <= 4);
  find = adSetsOf({
    adSets: {
      s: {
        pacing: 'even',
        budget: { lifetime: '480.00' },
        from: '2026-11-29T00:00:00Z',
        until: '2026-12-24T00:00:00Z',
      },
    },
  });
  assert.ok((await reserveAll(node, find('s'), ONE)).length <= 2, 'a later end');
});

/** Serves and plays what is released, every five minutes. */
async function spendFor(world: MoneyWorld, node: MoneyNode, parts: { readonly hours: number; readonly find: FindAt }) {
  const steps = parts.hours * 12;
  let spent = 0;
  for (let step = 0; step < steps; step += 1) {
    const adSet = parts.find(step)('s');
    while (node.prepare(adSet) === undefined) {
      const reservation = await node.reserve(adSet, ONE);
      if (reservation === undefined) break;
      world.charge(reservation);
      spent += 1;
    }
    world.pass({ minutes: 5 });
    await node.settle();
  }
  return spent;
}
type FindAt = (step: number) => ReturnType<typeof adSetsOf>;

test('an even budget is spent on while it, or the budget of its account, is changed every few minutes', async () => {
  await using world = await startMoneyWorld('2026-11-30T00:00:00Z');
  const specs = (account: number, daily: string) =>
    adSetsOf({
      account: { budget: { lifetime: `${account}.00` } },
      adSets: { s: { pacing: 'even', budget: { daily } } },
    });
  const topUp = await spendFor(world, world.open(), { hours: 12, find: (step) => specs(1_000 + step, '48.00') });
  assert.ok(Math.abs(topUp - 24) <= 1, `${topUp} of 24 while the account is topped up`);
  world.pass({ hours: 12 });
  const own = await spendFor(world, world.open(), {
    hours: 12,
    find: (step) => specs(1_000, `48.${String(step % 100).padStart(2, '0')}`),
  });
  assert.ok(Math.abs(own - 24) <= 1, `${own} of 24 while the budget itself is raised`);
});

test('an even budget is spent within the day parts, and by listeners with other clocks at other times too', async () => {
  await using world = await startMoneyWorld('2026-11-30T00:00:00Z');
  const node = world.open();
  const dayParts = [{ from: '07:00', until: '10:00' }];
  const find = adSetsOf({
    account: { zone: 'Asia/Tokyo' },
    adSets: {
      s: { pacing: 'even', dayParts, budget: { daily: '48.00' } },
      flight: {
        pacing: 'even',
        dayParts,
        budget: { lifetime: '96.00' },
        from: '2026-11-29T15:00:00Z',
        until: '2026-12-01T15:00:00Z',
      },
    },
  });
  const spend = (name: string, hours: number) => spendFor(world, node, { hours, find: () => () => find(name) });
  const expectedOf = async (name: string) => Number((await node.readUse(find(name)))[0]?.pace?.expected ?? 0) / ONE;
  // Midnight in UTC is nine in Tokyo: two of the six hours of the flight have passed.
  assert.equal((await node.readUse(find('flight')))[1]?.pace?.expected, 32 * ONE);
  world.pass({ hours: 22 });
  const half = await spend('s', 1.5);
  assert.ok(Math.abs(half - 24) <= 3, `${half} of 24 in half of the morning`);
  assert.ok(Math.abs((await expectedOf('s')) - 24) <= 1);
  const morning = half + (await spend('s', 1.5));
  assert.ok(morning >= 45 && morning <= 48, `${morning} of 48 in the morning`);
  // Seven in London is 16:00 in Tokyo: it is spread over the rest of the day there, as its listeners are not known.
  world.pass({ hours: 30 });
  const abroad = await spend('s', 3);
  assert.ok(abroad >= 14 && abroad <= 24, `${abroad} for listeners elsewhere`);
});

test('a clock that was hours ahead for a moment leaves the plan of a budget as it was', async () => {
  await using world = await startMoneyWorld('2026-11-30T00:00:00Z');
  const find = adSetsOf({ adSets: { s: { pacing: 'even', budget: { daily: '96.00' } } } });
  let spent = await spendFor(world, world.open(), { hours: 6, find: () => find });
  world.pass({ hours: 5 });
  spent += await spendFor(world, world.open(), { hours: 1 / 12, find: () => find });
  world.pass({ hours: -5 });
  spent += await spendFor(world, world.open(), { hours: 6, find: () => find });
  assert.ok(Math.abs(spent - 48) <= 3, `${spent} of 48`);
});

test('the use of a budget stands beside what its plan expects by now', async () => {
  await using world = await startMoneyWorld('2026-11-30T00:00:00Z');
  const node = world.open();
  const find = adSetsOf({
    account: { budget: { lifetime: '500.00' } },
    adSets: {
      day: { pacing: 'even', budget: { daily: '96.00' } },
      flight: {
        pacing: 'even',
        budget: { lifetime: '100.00' },
        from: '2026-11-29T12:00:00Z',
        until: '2026-12-01T12:00:00Z',
      },
      asap: { budget: { daily: '5.00' } },
    },
  });
  const limitsOf = async (name: string) =>
    (await node.readUse(find(name)))
      .filter(({ limit }) => limit !== 'unlimited')
      .map(({ owner, per, limit, used, pace }) => [
        `${owner.replace('default/', '')} ${per}`,
        Number(limit) / ONE,
        used / ONE,
        pace && Math.round(pace.expected / ONE),
      ]);
  assert.deepEqual(await limitsOf('day'), [
    ['adset a.day day', 96, 0, undefined],
    ['account a lifetime', 500, 0, undefined],
  ]);
  // The plan begins with the first request.
  assert.equal((await reserveAll(node, find('day'), ONE)).length, 0);
  world.pass({ minutes: 30 });
  const [reservation] = await reserveAll(node, find('day'), ONE);
  assert.ok(reservation !== undefined && world.charge(reservation));
  world.pass({ hours: 11, minutes: 30 });
  await node.settle();
  assert.deepEqual(await limitsOf('day'), [
    ['adset a.day day', 96, 1, 48],
    ['account a lifetime', 500, 1, undefined],
  ]);
  assert.deepEqual(await limitsOf('flight'), [
    ['adset a.flight lifetime', 100, 0, 50],
    ['account a lifetime', 500, 1, undefined],
  ]);
  assert.deepEqual((await limitsOf('asap'))[0], ['adset a.asap day', 5, 0, undefined]);
  const [use] = await node.readUse(find('day'));
  assert.ok(use?.pace !== undefined && use.pace.released >= use.used && use.pace.released < use.pace.expected);
});

test('a slice that comes after a decision has given up is whole for the next one', async () => {
  await using world = await startMoneyWorld('2026-11-30T12:00:00Z');
  const find = adSetsOf({ adSets: { s: { budget: { lifetime: '8.00' } } } });
  const node = world.open();
  let unlock = (): void => {};
  const isLocked = Promise.withResolvers<void>();
  const lock = world.database.transaction(async ({ query }) => {
    await query({ text: 'lock table backline.quota_holds, backline.quota_counters in access exclusive mode' });
    isLocked.resolve();
    await new Promise<void>((resolve) => {
      unlock = resolve;
    });
  });
  await isLocked.promise;
  assert.deepEqual(await Promise.all([node.reserve(find('s'), ONE), node.reserve(find('s'), ONE)]), [
    undefined,
    undefined,
  ]);
  unlock();
  await lock;
  let count = 0;
  for (let second = 0; second < 4; second += 1) {
    count += (await reserveAll(node, find('s'), ONE)).length;
    world.pass({ seconds: 1 });
  }
  assert.equal(count, 8);
});
