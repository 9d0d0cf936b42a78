import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startDatabase } from '#tests/support/database.ts';
import type { Doing, SubjectStore } from './contract.ts';
import { subjectStore } from './subjects.ts';

const NOW = Temporal.Instant.from('2026-11-22T12:00:00Z');
const anchor = { wallTime: '2026-11-22T13:00:00', zone: 'Europe/Stockholm' };
const family = (listener: string) => ({ listener, plan: 'family', market: 'se', role: 'manager', anchor });

let keys = 0;
const doing = (more: Partial<Doing> = {}): Doing => ({
  by: 'client:shop',
  key: `key-${(keys += 1)}`,
  now: NOW,
  ...more,
});

async function openStore(t: TestContext): Promise<SubjectStore & { count: (table: string) => Promise<number> }> {
  const { database, [Symbol.asyncDispose]: stop } = await startDatabase();
  t.after(() => stop());
  return {
    ...subjectStore(database),
    count: async (table) => (await database.query(`select 1 from backline.${table}`)).length,
  };
}

test('a subscription is made once for each key, and a listener is on one at most', async (t) => {
  const store = await openStore(t);
  const same = doing();
  const made = await Promise.all(Array.from({ length: 10 }, () => store.subscribe(family('anna'), same)));
  assert.equal(new Set(made.map(({ id }) => id)).size, 1);
  assert.equal(await store.count('subscriptions'), 1);
  await assert.rejects(store.subscribe(family('anna'), doing()), /on subscription ".*" already/);
  const many = await Promise.allSettled(Array.from({ length: 10 }, () => store.subscribe(family('bo'), doing())));
  assert.equal(many.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('seats are never more than the plan has, however many join at once', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe(family('anna'), doing());
  const joins = await Promise.allSettled(
    Array.from({ length: 12 }, (_, number) =>
      store.addMember(id, { listener: `m${number}`, role: 'member' }, 6, doing()),
    ),
  );
  assert.equal(joins.filter(({ status }) => status === 'fulfilled').length, 5);
  const { members } = (await store.read('anna')).subscription ?? { members: [] };
  assert.equal(members.length, 6);
  await assert.rejects(
    store.addMember(id, { listener: 'late', role: 'member' }, 6, doing()),
    /has 6 seats by its plan family/,
  );
});

test('members see the subscription in their role, until they are taken off or it ends', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe(family('anna'), doing());
  await store.addMember(id, { listener: 'bo', role: 'member' }, 6, doing());
  const { subscription } = await store.facts('bo');
  assert.deepEqual(
    [subscription?.plan, subscription?.role, subscription?.manager, subscription?.household, subscription?.anchor],
    ['family', 'member', 'anna', 'anna', anchor],
  );
  await assert.rejects(store.removeMember(id, 'anna', doing()), /pays for subscription/);
  await store.removeMember(id, 'bo', doing());
  assert.equal((await store.facts('bo')).subscription, undefined);
  await store.setStatus(id, 'lapsed', doing());
  assert.equal((await store.facts('anna')).subscription?.status, 'lapsed');
  const resumed = doing();
  await store.setStatus(id, 'active', resumed);
  assert.equal((await store.facts('anna')).subscription?.givesSinceMs, resumed.now.epochMilliseconds);
  await store.setStatus(id, 'ended', doing());
  assert.equal((await store.facts('anna')).subscription, undefined);
  await assert.rejects(store.setStatus(id, 'active', doing()), /has ended/);
  const again = await store.subscribe(family('anna'), doing());
  assert.notEqual(again.id, id);
});

test('every change counts the version of all whom it is about, and says who did it; what changes nothing does not', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe(family('anna'), doing({ by: 'user:eva' }));
  await store.addMember(id, { listener: 'bo', role: 'member' }, 6, doing());
  const before = await store.facts('bo');
  await store.changePlan(id, { plan: 'duo' }, doing({ by: 'user:eva' }));
  assert.equal((await store.facts('bo')).version, before.version + 1);
  await store.changePlan(id, { plan: 'duo' }, doing());
  assert.equal((await store.facts('bo')).version, before.version + 1);
  const { changes } = await store.read('anna');
  assert.deepEqual(
    changes.map(({ by, action }) => [by, action]),
    [
      ['user:eva', 'plan-changed'],
      ['client:shop', 'member-added'],
      ['user:eva', 'subscribed'],
    ],
  );
  assert.deepEqual(changes[0]?.detail, { subscription: id, from: 'family', to: 'duo' });
});

test('grants and overrides are made once for each key', async (t) => {
  const store = await openStore(t);
  const topUp = {
    listener: 'anna',
    addOn: 'audiobooks-10h',
    feature: 'audiobooks',
    amount: 600,
    validFrom: NOW,
    validUntil: NOW.add({ hours: 24 * 365 }),
    anchor: undefined,
  };
  const same = doing();
  const [one, two] = await Promise.all([store.grant(topUp, same), store.grant(topUp, same)]);
  assert.equal(one.id, two.id);
  await store.grant(topUp, doing());
  const until = NOW.add({ hours: 48 });
  await store.override({ listener: 'anna', feature: 'skips', limit: 'unlimited', reason: 'outage', until }, doing());
  const facts = await store.facts('anna');
  assert.equal(facts.grants.length, 2);
  assert.deepEqual(facts.grants[0]?.validUntilMs, topUp.validUntil.epochMilliseconds);
  assert.deepEqual(
    facts.overrides.map(({ feature, limit, reason, untilMs }) => [feature, limit, reason, untilMs]),
    [['skips', 'unlimited', 'outage', until.epochMilliseconds]],
  );
});

test('erasing a listener leaves nothing, and ends what others shared', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe(family('anna'), doing());
  await store.addMember(id, { listener: 'bo', role: 'member' }, 6, doing());
  await store.override(
    { listener: 'anna', feature: 'skips', limit: 9, reason: 'x', until: NOW.add({ hours: 1 }) },
    doing(),
  );
  assert.ok((await store.erase('anna')) >= 5);
  assert.deepEqual(await store.facts('anna'), {
    listener: 'anna',
    version: 0,
    subscription: undefined,
    grants: [],
    overrides: [],
  });
  assert.equal((await store.facts('bo')).subscription, undefined);
  assert.equal(await store.erase('anna'), 0);
});
