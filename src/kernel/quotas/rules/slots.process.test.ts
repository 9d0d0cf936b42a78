import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SlotAnswer } from './contract.ts';
import { bucket } from '../testing/bucket.ts';
import { startQuotasWorld } from '../testing/quotas-world.ts';

const streams = { subject: 'household-1', quota: 'streams', ttlMs: 30_000 };
const slots = (limit: number) => [bucket('plan', limit, { window: { type: 'concurrent' } })];

function holdersOf(answer: SlotAnswer): string {
  return answer.outcome === 'conflict' ? answer.holders.map(({ holder }) => holder).join(', ') : answer.outcome;
}

test('of 60 sessions at once over two processes as many play as there are slots, and the others see the holders', async () => {
  await using world = await startQuotasWorld();
  const processes = [world.quotas, world.another()];
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const quotas = processes[index % 2] ?? world.quotas;
      return quotas.acquire({ ...streams, buckets: slots(6), session: `s${index}`, holder: `device ${index}` });
    }),
  );
  assert.equal(answers.filter(({ outcome }) => outcome === 'granted').length, 6);
  const conflict = answers.find((answer) => answer.outcome === 'conflict');
  assert.ok(conflict !== undefined && conflict.slots === 6 && conflict.holders.length <= 6);
});

test('a session renews its slot, gives it up, and loses it when it falls silent', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const acquire = (session: string) => quotas.acquire({ ...streams, buckets: slots(1), session, holder: session });
  const name = { ...streams, session: 'phone' };
  assert.equal((await acquire('phone')).outcome, 'granted');
  assert.equal((await acquire('phone')).outcome, 'granted');
  world.pass({ seconds: 29 });
  assert.equal((await quotas.heartbeat(name)).outcome, 'granted');
  world.pass({ seconds: 29 });
  assert.equal(holdersOf(await acquire('tablet')), 'phone');
  world.pass({ seconds: 1 });
  assert.deepEqual(await quotas.heartbeat(name), { outcome: 'ended', because: 'expired' });
  assert.equal((await acquire('tablet')).outcome, 'granted');
  assert.deepEqual(await quotas.leave({ ...name, session: 'tablet' }), { outcome: 'ended', because: 'left' });
  assert.deepEqual(await quotas.heartbeat({ ...name, session: 'tablet' }), { outcome: 'ended', because: 'left' });
  assert.deepEqual(await quotas.heartbeat({ ...name, session: 'nobody' }), { outcome: 'ended', because: 'unknown' });
});

test('a conflict counts all of many slots, and names the oldest holders', async () => {
  await using world = await startQuotasWorld();
  const take = (session: string) => world.quotas.acquire({ ...streams, buckets: slots(120), session, holder: session });
  assert.equal((await take('first')).outcome, 'granted');
  world.pass({ seconds: 1 });
  await Promise.all(Array.from({ length: 119 }, (_, index) => take(`s${index}`)));
  const conflict = await take('late');
  assert.ok(conflict.outcome === 'conflict');
  assert.deepEqual([conflict.inUse, conflict.holders.length, conflict.holders[0]?.holder], [120, 100, 'first']);
});

test('expired slots in great number are free once each, however often they are read', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const wave = (name: string) =>
    Promise.all(
      Array.from({ length: 150 }, (_, index) =>
        quotas.acquire({ ...streams, buckets: slots(100), session: `${name}${index}`, holder: name }),
      ),
    );
  for (const name of ['first', 'second', 'third']) {
    assert.equal((await wave(name)).filter(({ outcome }) => outcome === 'granted').length, 100);
    world.pass({ seconds: 31 });
  }
});

test('a takeover ends one session and gives its slot to the caller at once, one time', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const other = world.another();
  const acquire = (from: typeof quotas, session: string, takeover?: string) =>
    from.acquire({
      ...streams,
      buckets: slots(1),
      session,
      holder: session,
      ...(takeover === undefined ? {} : { takeover }),
    });
  await acquire(quotas, 'kitchen');
  const conflict = await acquire(quotas, 'phone');
  assert.ok(conflict.outcome === 'conflict');
  const takeover = conflict.holders[0]?.takeover ?? '';
  const both = await Promise.all([acquire(quotas, 'phone', takeover), acquire(other, 'tablet', takeover)]);
  assert.deepEqual(both.map(({ outcome }) => outcome).sort(), ['conflict', 'granted']);
  const winner = both[0]?.outcome === 'granted' ? 'phone' : 'tablet';
  assert.deepEqual(await quotas.heartbeat({ ...streams, session: 'kitchen' }), {
    outcome: 'ended',
    because: 'taken-over',
    by: winner,
  });
  await assert.rejects(acquire(quotas, 'car', `${takeover}x`), { code: 'quotas/takeover-forged' });
  const elsewhere = { ...streams, subject: 'household-2', buckets: slots(1), session: 'x', holder: 'x', takeover };
  await assert.rejects(quotas.acquire(elsewhere), { code: 'quotas/takeover-forged' });
});

test('fewer slots end no running session and let no new one in; slots of several buckets add up', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const acquire = (session: string, buckets = slots(2)) =>
    quotas.acquire({ ...streams, buckets, session, holder: session });
  await acquire('a');
  await acquire('b');
  assert.equal((await acquire('a', slots(1))).outcome, 'granted');
  assert.equal(holdersOf(await acquire('c', slots(1))), 'a, b');
  const extra = bucket('add-on', 1, { window: { type: 'concurrent' } });
  assert.equal((await acquire('c', [...slots(2), extra])).outcome, 'granted');
});

test('an offline lease reserves its budget, and its use is recorded at the return, also beyond the budget', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 100, { window: { type: 'lifetime' } })];
  const listener = { subject: 'listener-1', quota: 'minutes', buckets };
  const grant = (key: string, amount: number, days = 10) =>
    quotas.grantOffline({ ...listener, key, device: 'phone', owner: 'anna', amount, ttlMs: days * 86_400_000 });
  const readUse = async () => (await quotas.check({ ...listener, amount: 0 })).balances[0]?.used;
  const { lease = '' } = await grant('l1', 60);
  world.pass({ hours: 5 });
  assert.equal((await grant('l1', 60)).lease, lease);
  assert.equal((await grant('l1', 60, 20)).lease, lease, 'the catalogue gives the duration');
  assert.equal((await grant('l2', 60)).lease, undefined);
  assert.equal(await readUse(), 60);
  const give = (key: string, amount: number, token = lease, device = 'phone') =>
    quotas.reconcile({ key, lease: token, device, used: amount, buckets });
  const back = await give('r1', 130);
  assert.deepEqual([back.outcome, back.return, back.overBudget], ['granted', 'in-time', 70]);
  assert.deepEqual([back.balances[0]?.used, back.balances[0]?.overLimit], [130, true]);
  assert.equal((await give('r1', 130)).replayed, true);
  await assert.rejects(give('r2', 130), { code: 'quotas/lease-replayed' });
  await assert.rejects(give('r3', 1, `${lease.slice(0, -2)}AA`), { code: 'quotas/lease-forged' });
  await assert.rejects(give('r4', 1, lease, 'tablet'), { code: 'quotas/lease-forged' });
  await assert.rejects(give('r5', 1, 'rubbish'), { code: 'quotas/lease-forged' });
});

test('an expired offline lease gives its units back, and its use is recorded all the same', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 100, { window: { type: 'lifetime' } })];
  const listener = { subject: 'listener-1', quota: 'minutes', buckets };
  const grant = { key: 'l', device: 'phone', owner: 'anna', amount: 60, ttlMs: 10 * 86_400_000 };
  const { lease = '' } = await quotas.grantOffline({ ...listener, ...grant });
  world.at('2026-04-09T12:00:00Z');
  assert.equal((await quotas.consume({ ...listener, key: 'c', amount: 90 })).outcome, 'granted');
  world.pass({ hours: 24 * 50 });
  await quotas.tidy();
  const back = await quotas.reconcile({ key: 'r1', lease, device: 'phone', used: 40, buckets });
  assert.deepEqual([back.return, back.amount, back.balances[0]?.used], ['expired', 40, 130]);
  await assert.rejects(quotas.reconcile({ key: 'r2', lease, device: 'phone', used: 40, buckets }), {
    code: 'quotas/lease-replayed',
  });
});
