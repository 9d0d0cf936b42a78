import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { Database } from '#kernel/postgres/database.ts';
import { startDatabase } from '#tests/support/database.ts';
import type { SubjectStore, TermsWrite } from './contract.ts';
import { factsOf } from './read-subjects.ts';
import { subjectStore } from './subjects.ts';

const NOW = Temporal.Instant.from('2026-11-22T12:00:00Z');
const anchor = { wallTime: '2026-11-22T13:00:00', zone: 'Europe/Stockholm' };
const family = () => ({ plan: 'family', market: 'se', role: 'manager', anchor });
const FREE_SEATS = 6;

let keys = 0;
const write = (more: Partial<TermsWrite> = {}): TermsWrite => ({
  by: 'client:shop',
  path: '/v1/test',
  key: `key-${(keys += 1)}`,
  request: {},
  movesOf: () => [],
  ...more,
});
const as =
  (role: string, seats = FREE_SEATS) =>
  () => ({ role, seats });

interface OpenStore extends SubjectStore {
  readonly database: Database;
  readonly count: (table: string) => Promise<number>;
}

async function openStore(t: TestContext): Promise<OpenStore> {
  const { database, [Symbol.asyncDispose]: stop } = await startDatabase();
  t.after(() => stop());
  return {
    ...subjectStore(database, () => NOW),
    database,
    count: async (table) => (await database.query(`select 1 from backline.${table}`)).length,
  };
}

test('a subscription is made once for each key, and a listener is on one at most', async (t) => {
  const store = await openStore(t);
  const same = write();
  const made = await Promise.all(Array.from({ length: 10 }, () => store.subscribe('anna', same, family)));
  assert.equal(new Set(made.map(({ id }) => id)).size, 1);
  assert.equal(await store.count('subscriptions'), 1);
  await assert.rejects(store.subscribe('anna', write(), family), /on subscription ".*" already/);
  const many = await Promise.allSettled(Array.from({ length: 10 }, () => store.subscribe('bo', write(), family)));
  assert.equal(many.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('facts that are asked for together are those of each alone; an id that the database refuses fails alone', async (t) => {
  const store = await openStore(t);
  const terms = { title: 'Ten', priority: 300, whileLapsed: 'suspended' } as const;
  const topUp = { addOn: 'ten', feature: 'books', amount: 600, validUntilMs: undefined, anchor: undefined, terms };
  const { id } = await store.subscribe('l0', write(), family);
  await store.addMember(id, 'l1', write(), as('member'));
  await store.grant('l1', write(), () => topUp);
  await store.grant('l2', write(), () => topUp);
  await store.subscribe('l3', write(), family);
  const managers = new Map([
    ['l0', 'l0'],
    ['l1', 'l0'],
    ['l3', 'l3'],
  ]);
  const unknown = 'l\0';
  const anyAsked = fc.array(fc.constantFrom('l0', 'l1', 'l2', 'l3', 'l4', 'l5', unknown), {
    minLength: 1,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(anyAsked, async (asked) => {
      const together = await Promise.allSettled(asked.map((listener) => store.facts(listener)));
      for (const [index, listener] of asked.entries()) {
        const found = together[index];
        if (listener === unknown) assert.equal(found?.status, 'rejected');
        else {
          const [alone] = await factsOf(store.database, [listener]);
          assert.deepEqual(found, { status: 'fulfilled', value: alone });
          assert.equal(alone?.listener, listener);
          assert.equal(alone.version > 0, listener <= 'l3');
          assert.equal(alone.subscription?.manager, managers.get(listener));
          assert.equal(alone.grants.length, listener === 'l1' || listener === 'l2' ? 1 : 0);
        }
      }
    }),
    { numRuns: 20 },
  );
});

test('seats are never more than the plan has, however many join at once', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe('anna', write(), family);
  const joins = await Promise.allSettled(
    Array.from({ length: 12 }, (_, number) => store.addMember(id, `m${number}`, write(), as('member'))),
  );
  assert.equal(joins.filter(({ status }) => status === 'fulfilled').length, 5);
  const { members } = (await store.read('anna')).subscription ?? { members: [] };
  assert.equal(members.length, 6);
  await assert.rejects(store.addMember(id, 'late', write(), as('member')), /has 6 seats on plan family/);
});

test('members see the subscription in their role, until they are taken off or it ends', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe('anna', write(), family);
  await store.addMember(id, 'bo', write(), as('member'));
  const { subscription } = await store.facts('bo');
  assert.deepEqual(
    [subscription?.plan, subscription?.role, subscription?.manager, subscription?.household, subscription?.anchor],
    ['family', 'member', 'anna', 'anna', anchor],
  );
  await assert.rejects(store.removeMember(id, 'anna', write()), /pays for subscription/);
  await store.removeMember(id, 'bo', write());
  assert.equal((await store.facts('bo')).subscription, undefined);
  await store.setStatus(id, 'lapsed', write());
  assert.equal((await store.facts('anna')).subscription?.status, 'lapsed');
  await store.setStatus(id, 'active', write());
  assert.equal((await store.facts('anna')).subscription?.givesSinceMs, NOW.epochMilliseconds);
  await store.setStatus(id, 'ended', write());
  assert.equal((await store.facts('anna')).subscription, undefined);
  await assert.rejects(store.setStatus(id, 'active', write()), /has ended/);
  const again = await store.subscribe('anna', write(), family);
  assert.notEqual(again.id, id);
});

test('every change increments the versions of affected listeners and records its actor; what changes nothing does not', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe('anna', write({ by: 'user:eva' }), family);
  await store.addMember(id, 'bo', write(), as('member'));
  const before = await store.facts('bo');
  await store.changePlan(id, write({ by: 'user:eva' }), () => ({ plan: 'duo', role: 'manager' }));
  assert.equal((await store.facts('bo')).version, before.version + 1);
  await store.changePlan(id, write(), () => ({ plan: 'duo', role: 'manager' }));
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
  const validUntilMs = NOW.add({ hours: 24 * 365 }).epochMilliseconds;
  const terms = { title: 'Ten hours', priority: 300, whileLapsed: 'suspended' } as const;
  const bought = {
    addOn: 'audiobooks-10h',
    feature: 'audiobooks',
    amount: 600,
    validUntilMs,
    anchor: undefined,
    terms,
  };
  const topUp = () => bought;
  const same = write();
  const [one, two] = await Promise.all([store.grant('anna', same, topUp), store.grant('anna', same, topUp)]);
  assert.equal(one.id, two.id);
  await store.grant('anna', write(), topUp);
  const until = NOW.add({ hours: 48 });
  await store.override('anna', write(), () => ({ feature: 'skips', limit: 'unlimited', reason: 'outage', until }));
  const facts = await store.facts('anna');
  assert.equal(facts.grants.length, 2);
  assert.deepEqual([facts.grants[0]?.validUntilMs, facts.grants[0]?.terms], [validUntilMs, terms]);
  assert.deepEqual(
    facts.overrides.map(({ feature, limit, reason, untilMs }) => [feature, limit, reason, untilMs]),
    [['skips', 'unlimited', 'outage', until.epochMilliseconds]],
  );
});

test('erasing a listener leaves nothing, and ends what others shared', async (t) => {
  const store = await openStore(t);
  const { id } = await store.subscribe('anna', write(), family);
  await store.addMember(id, 'bo', write(), as('member'));
  const until = NOW.add({ hours: 1 });
  await store.override('anna', write(), () => ({ feature: 'skips', limit: 9, reason: 'x', until }));
  assert.ok((await store.erase('anna')) >= 5);
  assert.deepEqual(await store.facts('anna'), {
    listener: 'anna',
    version: 0,
    subscription: undefined,
    formers: [],
    grants: [],
    overrides: [],
    moves: [],
  });
  assert.equal((await store.facts('bo')).subscription, undefined);
  assert.equal(await store.erase('anna'), 0);
});

test('the time of what is on record is that of the database', async (t) => {
  const { database, [Symbol.asyncDispose]: stop } = await startDatabase();
  t.after(() => stop());
  const read = async () => {
    const [row] = await database.query<{ at: Temporal.Instant }>('select clock_timestamp() as at');
    return row?.at.epochMilliseconds ?? 0;
  };
  const [before, { startedAt, anchor: kept }] = [
    await read(),
    await subjectStore(database).subscribe('anna', write(), (now) => ({
      ...family(),
      anchor: { wallTime: now.toZonedDateTimeISO('UTC').toPlainDateTime().toString(), zone: 'UTC' },
    })),
  ];
  const began = Temporal.Instant.from(startedAt).epochMilliseconds;
  assert.ok(before <= began && began <= (await read()));
  assert.equal(`${kept.wallTime}Z`, startedAt, 'what is asked for within it gets the same time');
});
