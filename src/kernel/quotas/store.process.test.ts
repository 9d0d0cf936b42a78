import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from './rules/contract.ts';
import { bucket } from './testing/bucket.ts';
import { startQuotasWorld } from './testing/quotas-world.ts';

const LIFETIME = { window: { type: 'lifetime' } } as const;
const listener = { subject: 'listener-1', quota: 'minutes' };

/** `plan:3 top-up:1` */
const receiptOf = ({ receipt }: Answer): string => receipt.map((line) => `${line.bucket}:${line.amount}`).join(' ');
const usedOf = ({ balances }: Pick<Answer, 'balances'>): string =>
  balances.map(({ bucket, used }) => `${bucket}:${used}`).join(' ');

test('units are taken in order, and a denial charges nothing', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('top-up', 10, { priority: 1, ...LIFETIME }), bucket('plan', 5)];
  const first = await quotas.consume({ ...listener, key: 'a', buckets, amount: 7 });
  assert.deepEqual([first.outcome, receiptOf(first), usedOf(first)], ['granted', 'plan:5 top-up:2', 'top-up:2 plan:5']);
  const second = await quotas.consume({ ...listener, key: 'b', buckets, amount: 9 });
  assert.deepEqual([second.outcome, second.amount, usedOf(second)], ['denied', 0, 'top-up:2 plan:5']);
  assert.equal(second.retryAtMs, Temporal.Instant.from('2026-03-31T22:00:00Z').epochMilliseconds);
  const third = await quotas.consume({ ...listener, key: 'c', buckets, amount: 9, partial: true });
  assert.deepEqual([third.outcome, third.amount, receiptOf(third)], ['granted', 8, 'top-up:8']);
  const check = await quotas.check({ ...listener, buckets, amount: 0 });
  assert.deepEqual([check.outcome, usedOf(check)], ['granted', 'top-up:10 plan:5']);
});

test('a repetition under its key gets the first answer, also a denial, whatever has changed since', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const ask = (key: string, limit: number, amount = 6) =>
    quotas.consume({ ...listener, key, buckets: [bucket('plan', limit)], amount });
  const denied = await ask('a', 5);
  const again = await ask('a', 100);
  assert.deepEqual(again, { ...denied, replayed: true });
  const granted = await ask('b', 6);
  world.pass({ hours: 24 * 31 });
  assert.deepEqual(await ask('b', 1), { ...granted, replayed: true });
  await assert.rejects(ask('b', 100, 7), { code: 'http/key-reused', message: /"b" already named another request/ });
  const sameTurn = await Promise.all([1, 2, 3].map(() => ask('c', 100)));
  assert.deepEqual(
    sameTurn.map(({ replayed }) => replayed),
    [false, true, true],
  );
});

test('of 300 requests at once on a limit of 100, over two processes, exactly 100 get their unit', async () => {
  await using world = await startQuotasWorld();
  const processes = [world.quotas, world.another()];
  const answers = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const quotas = processes[index % 2] ?? world.quotas;
      return quotas.consume({ ...listener, key: `k${index}`, buckets: [bucket('plan', 100)], amount: 1 });
    }),
  );
  assert.equal(answers.filter(({ outcome }) => outcome === 'granted').length, 100);
  const { balances } = await world.quotas.check({ ...listener, buckets: [bucket('plan', 100)], amount: 0 });
  assert.equal(balances[0]?.used, 100);
});

test('many subjects at once, each with its own limit, over two processes', async () => {
  await using world = await startQuotasWorld();
  const processes = [world.quotas, world.another()];
  const answers = await Promise.all(
    Array.from({ length: 600 }, async (_, index) => {
      const quotas = processes[index % 2] ?? world.quotas;
      const subject = `listener-${index % 40}`;
      return quotas.consume({ subject, quota: 'skips', key: `k${index}`, buckets: [bucket('plan', 6)], amount: 1 });
    }),
  );
  assert.equal(answers.filter(({ outcome }) => outcome === 'granted').length, 40 * 6);
});

test('a batch is all or nothing, also over several subjects, and is refunded as a whole', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const household = { quota: 'hours', subject: 'household-1', buckets: [bucket('family', 10)], amount: 4 };
  const own = (amount: number) => ({ quota: 'minutes', buckets: [bucket('plan', 5)], amount });
  const denied = await quotas.batch({ subject: 'listener-1', key: 'a', items: [household, own(6)] });
  assert.deepEqual([denied.outcome, denied.deniedQuota, usedOf(denied)], ['denied', 'minutes', 'family:0 plan:0']);
  // Three items of one bucket that do not fit together.
  const twice = await quotas.batch({ subject: 'listener-1', key: 'b', items: [own(2), own(2), own(2)] });
  assert.equal(twice.outcome, 'denied');
  const granted = await quotas.batch({ subject: 'listener-1', key: 'c', items: [household, own(5)] });
  assert.equal(usedOf(granted), 'family:4 plan:5');
  const back = await quotas.refund({ subject: 'listener-1', key: 'd', of: 'c' });
  assert.deepEqual([back.outcome, back.amount, receiptOf(back)], ['returned', 9, 'family:4 plan:5']);
  const { balances } = await quotas.check({ ...household, amount: 0 });
  assert.equal(balances[0]?.used, 0);
});

test('a refund gives back last in, first out, once, and nothing to a closed window', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 5), bucket('top-up', 10, { priority: 1, ...LIFETIME })];
  await quotas.consume({ ...listener, key: 'a', buckets, amount: 8 });
  const one = await quotas.refund({ ...listener, key: 'r1', of: 'a', amount: 4, buckets });
  assert.deepEqual(
    [one.amount, one.receipt.map(({ bucket, amount }) => `${bucket}:${amount}`)],
    [4, ['plan:1', 'top-up:3']],
  );
  assert.equal((await quotas.refund({ ...listener, key: 'r1', of: 'a', amount: 4, buckets })).replayed, true);
  await assert.rejects(quotas.refund({ ...listener, key: 'r2', of: 'a', amount: 5, buckets }), {
    code: 'quotas/nothing-to-refund',
    message: /4 units are left of the 8 of "a", not 5/,
  });
  assert.equal((await quotas.refund({ ...listener, key: 'r5', of: 'a', amount: 1, buckets })).amount, 1);
  await assert.rejects(quotas.refund({ ...listener, key: 'r6', of: 'a', amount: 4, buckets }), /3 units are left/);
  world.at('2026-04-03T00:00:00Z');
  const late = await quotas.refund({ ...listener, key: 'r3', of: 'a', buckets });
  assert.deepEqual([late.asked, late.amount], [3, 0]);
  await assert.rejects(quotas.refund({ ...listener, key: 'r4', of: 'nothing' }), { code: 'quotas/nothing-to-refund' });
});

test('a reservation holds its units, gives the rest back, and is settled once', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 15)];
  const readUse = async () => (await quotas.check({ ...listener, buckets, amount: 0 })).balances[0]?.used;
  const reserve = (key: string, amount: number) => quotas.reserve({ ...listener, key, buckets, amount, ttlMs: 60_000 });
  await reserve('r1', 10);
  assert.equal(await readUse(), 10);
  const settled = await quotas.commit({ ...listener, key: 'c1', of: 'r1', amount: 4, over: 'refuse', buckets });
  assert.deepEqual([settled.outcome, receiptOf(settled), usedOf(settled)], ['granted', 'plan:4', 'plan:4']);
  await assert.rejects(quotas.commit({ ...listener, key: 'c2', of: 'r1', amount: 4, over: 'refuse' }), {
    code: 'quotas/reservation-settled',
    message: /was committed at/,
  });
  assert.equal(await readUse(), 4);
  await reserve('r2', 10);
  await assert.rejects(quotas.commit({ ...listener, key: 'c3', of: 'r2', amount: 11, over: 'refuse' }), {
    code: 'quotas/commit-above-reserved',
  });
  const over = await quotas.commit({ ...listener, key: 'c4', of: 'r2', amount: 12, over: 'charge', buckets });
  assert.deepEqual([over.outcome, over.deniedQuota], ['denied', 'minutes']);
  const recorded = await quotas.commit({ ...listener, key: 'c5', of: 'r2', amount: 12, over: 'record', buckets });
  assert.deepEqual(
    [recorded.outcome, recorded.balances[0]?.used, recorded.balances[0]?.overLimit],
    ['granted', 16, true],
  );
  await assert.rejects(quotas.release({ ...listener, key: 'x', of: 'r9' }), { code: 'quotas/no-reservation' });
  const back = await quotas.refund({ ...listener, key: 'f', of: 'c1', amount: 4 });
  assert.equal(back.amount, 4);
  await assert.rejects(quotas.refund({ ...listener, key: 'g', of: 'r2' }), { code: 'quotas/nothing-to-refund' });
});

test('a reservation that ends by itself gives back once, however often it is read', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 15)];
  const readUse = async () => (await quotas.check({ ...listener, buckets, amount: 0 })).balances[0]?.used;
  for (const key of ['a', 'b', 'c']) await quotas.reserve({ ...listener, key, buckets, amount: 5, ttlMs: 60_000 });
  await quotas.extend({ ...listener, key: 'e', of: 'c', ttlMs: 120_000 });
  world.pass({ seconds: 60 });
  assert.equal(await readUse(), 5);
  assert.equal(await readUse(), 5);
  const answers = await Promise.all(
    ['d', 'f', 'g'].map((key) => quotas.consume({ ...listener, key, buckets, amount: 5 })),
  );
  assert.deepEqual(
    answers.map(({ outcome }) => outcome),
    ['granted', 'granted', 'denied'],
  );
  await assert.rejects(quotas.commit({ ...listener, key: 'h', of: 'a', amount: 5, over: 'refuse' }), {
    code: 'quotas/reservation-settled',
    message: /was expired at/,
  });
  world.pass({ seconds: 60 });
  await world.quotas.tidy();
  assert.equal(await readUse(), 10);
});

test('a reservation over an upgrade gives back to, and takes from, the new plan', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const once = bucket('once', 100, { priority: 1, ...LIFETIME });
  const before = [bucket('plan-50', 50), once];
  const after = [bucket('plan-80', 80, { replaces: ['plan-50'] }), once];
  const readLeft = async (subject: string) => {
    const { balances } = await quotas.check({ subject, quota: 'credits', buckets: after, amount: 0 });
    return balances.reduce((sum, { remaining }) => sum + Number(remaining), 0);
  };
  const lock = (subject: string, amount: number) =>
    quotas.reserve({ subject, quota: 'credits', key: 'lock', buckets: before, amount, ttlMs: 60_000 });
  const confirm = (subject: string, amount: number) =>
    quotas.commit({ subject, key: 'confirm', of: 'lock', amount, over: 'charge', buckets: after });
  await lock('a', 60);
  await confirm('a', 57);
  assert.equal(await readLeft('a'), 173);
  await lock('b', 60);
  await confirm('b', 63);
  assert.equal(await readLeft('b'), 167);
  await lock('c', 40);
  await quotas.consume({ subject: 'c', quota: 'credits', key: 'use', buckets: after, amount: 20 });
  await confirm('c', 30);
  assert.equal(await readLeft('c'), 170);
});

test('use moves when the plan changes, and going back and forth creates no units', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const [small, large] = [bucket('small', 10), bucket('large', 20)];
  await quotas.consume({ ...listener, key: 'a', buckets: [small], amount: 5 });
  for (const [key, from, to] of [
    ['up', small, large],
    ['down', large, small],
    ['up-again', small, large],
  ] as const) {
    const carried = await quotas.carry({ ...listener, key, moves: [{ from, to, onPlanChange: 'carry' }] });
    assert.equal(carried.balances[0]?.used, 5);
  }
  // A caller with the old plan gets no units of it; use of the old plan counts in the new one.
  await assert.rejects(quotas.consume({ ...listener, key: 'old', buckets: [small], amount: 1 }), {
    code: 'quotas/moved',
  });
  await quotas.consume({
    ...listener,
    key: 'late',
    buckets: [small, { ...large, suspended: true }],
    amount: 2,
    isOfOldPlan: true,
  });
  const full = await quotas.consume({ ...listener, key: 'b', buckets: [large], amount: 20, partial: true });
  assert.equal(full.amount, 13);
});

test('late use counts in its own window until that is closed; then as a correction of the present one', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 10)];
  const use = (key: string, at: string) =>
    quotas.consume({ ...listener, key, buckets, amount: 1, usedAtMs: Temporal.Instant.from(at).epochMilliseconds });
  world.at('2026-04-01T06:00:00Z');
  const inTime = await use('a', '2026-03-31T12:00:00Z');
  assert.equal(inTime.receipt[0]?.window, 'P1M:2026-03');
  world.at('2026-04-02T06:00:00Z');
  const late = await use('b', '2026-03-31T12:00:00Z');
  assert.deepEqual([late.receipt[0]?.window, late.receipt[0]?.corrects], ['P1M:2026-04', 'P1M:2026-03']);
  const future = await use('c', '2027-04-02T06:00:00Z');
  assert.equal(future.receipt[0]?.window, 'P1M:2026-04');
  assert.equal(future.balances[0]?.used, 2);
});

test('a rolling window gives back its units one by one, at their time', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('skips', 6, { window: { type: 'rolling', per: 'PT1H' } })];
  const skip = (key: string) => quotas.consume({ ...listener, key, buckets, amount: 1 });
  const begun = Temporal.Instant.from('2026-03-10T12:00:00Z').epochMilliseconds;
  for (let n = 0; n < 6; n += 1) {
    assert.equal((await skip(`k${n}`)).outcome, 'granted');
    world.pass({ minutes: 5 });
  }
  const denied = await skip('too-many');
  assert.deepEqual([denied.outcome, denied.retryAtMs], ['denied', begun + 3_600_000]);
  world.at('2026-03-10T13:00:00Z');
  assert.deepEqual([(await skip('x')).outcome, (await skip('y')).outcome], ['granted', 'denied']);
  await quotas.refund({ ...listener, key: 'back', of: 'x' });
  assert.equal((await skip('z')).outcome, 'granted');
});

test('a lowered limit takes nothing back and leaves nothing; a raised one gives at once', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  await quotas.consume({ ...listener, key: 'a', buckets: [bucket('plan', 10)], amount: 8 });
  const { balances } = await quotas.check({ ...listener, buckets: [bucket('plan', 5)], amount: 0 });
  assert.deepEqual([balances[0]?.used, balances[0]?.remaining, balances[0]?.overLimit], [8, 0, true]);
  assert.equal(
    (await quotas.consume({ ...listener, key: 'b', buckets: [bucket('plan', 5)], amount: 1 })).outcome,
    'denied',
  );
  assert.equal(
    (await quotas.consume({ ...listener, key: 'c', buckets: [bucket('plan', 9)], amount: 1 })).outcome,
    'granted',
  );
});

test('a process answers at once from recently read counters, and only from those', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 10)];
  assert.equal(quotas.peek({ ...listener, buckets, amount: 1 }, 1_000), undefined);
  await quotas.consume({ ...listener, key: 'a', buckets, amount: 8 });
  assert.equal(quotas.peek({ ...listener, buckets, amount: 2 }, 60_000)?.outcome, 'granted');
  assert.equal(quotas.peek({ ...listener, buckets, amount: 3 }, 60_000)?.outcome, 'denied');
  assert.equal(quotas.peek({ ...listener, buckets: [bucket('other', 1)], amount: 1 }, 60_000), undefined);
  assert.equal(quotas.peek({ ...listener, buckets, amount: 2 }, -1), undefined);
});

test('a cut connection costs no answer, and no operation takes effect twice', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const buckets = [bucket('plan', 1_000)];
  const asked = Array.from({ length: 60 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 5));
    return quotas.consume({ ...listener, key: `k${index}`, buckets, amount: 1 });
  });
  const other = world.another();
  for (let cut = 0; cut < 6; cut += 1) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    await world.database
      .query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      .catch(() => {});
  }
  const answers = await Promise.all(asked);
  assert.ok(answers.every(({ outcome }) => outcome === 'granted'));
  assert.equal((await other.check({ ...listener, buckets, amount: 0 })).balances[0]?.used, 60);
});

test('an erased subject is gone from everywhere, also from the receipts of others, and starts from zero', async () => {
  await using world = await startQuotasWorld();
  const { quotas, database } = world;
  const buckets = [bucket('plan', 10)];
  await quotas.consume({ ...listener, key: 'a', buckets, amount: 8 });
  await quotas.reserve({ ...listener, key: 'r', buckets, amount: 1, ttlMs: 1_000 });
  await quotas.acquire({ ...listener, quota: 'streams', buckets, session: 's', holder: 'Kitchen', ttlMs: 1_000 });
  const item = { subject: 'listener-1', quota: 'minutes', buckets, amount: 1 };
  await quotas.batch({ subject: 'household', key: 'b', items: [item, { ...item, subject: 'household' }] });
  assert.equal(await quotas.erase('listener-1'), 7);
  assert.equal(await quotas.erase('listener-1'), 0);
  for (const table of ['counters', 'operations', 'holds', 'slots', 'subjects']) {
    const rows = await database.query(`select t::text as row from backline.quota_${table} t`);
    assert.ok(!JSON.stringify(rows).includes('listener-1'), table);
  }
  assert.equal((await quotas.refund({ subject: 'household', key: 'c', of: 'b', amount: 1 })).amount, 1);
  assert.equal((await quotas.consume({ ...listener, key: 'a', buckets, amount: 10 })).outcome, 'granted');
});

test('subjects whose receipts name each other are erased at once, without a trace', async () => {
  await using world = await startQuotasWorld();
  const { quotas, database } = world;
  const names = ['ann', 'bea', 'cyd'];
  const other = world.another();
  for (let round = 0; round < 10; round += 1) {
    const items = names.map((subject) => ({ subject, quota: 'minutes', buckets: [bucket('plan', 10_000)], amount: 1 }));
    for (let index = 0; index < 5; index += 1) {
      await Promise.all(names.map((subject) => quotas.batch({ subject, key: `${round}-${index}`, items })));
    }
    await Promise.all([...names, ...names].map((name, index) => (index % 2 === 0 ? quotas : other).erase(name)));
    for (const table of ['counters', 'operations', 'subjects']) {
      assert.deepEqual(await database.query(`select subject from backline.quota_${table}`), [], table);
    }
  }
});

test('old answers and closed windows are removed, and no record that still matters', async () => {
  await using world = await startQuotasWorld();
  const { quotas, database } = world;
  await quotas.consume({ ...listener, key: 'a', buckets: [bucket('plan', 1)], amount: 1 });
  await quotas.consume({ ...listener, key: 'b', buckets: [bucket('plan', 1)], amount: 1 });
  await quotas.consume({ ...listener, key: 'c', buckets: [bucket('once', 5, LIFETIME)], amount: 1 });
  world.pass({ hours: 24 * 31 });
  assert.equal(await quotas.tidy(), 1);
  world.pass({ hours: 24 * 2 });
  assert.equal(await quotas.tidy(), 1);
  world.pass({ hours: 24 * 400 });
  assert.equal(await quotas.tidy(), 2);
  assert.deepEqual(await database.query('select bucket, used from backline.quota_counters'), [
    { bucket: 'once', used: 1 },
  ]);
});

test('an invalid request is refused with its problem', async () => {
  await using world = await startQuotasWorld();
  const { quotas } = world;
  const good = { ...listener, key: 'a', buckets: [bucket('plan', 5)], amount: 1 };
  const assertRefused = (request: typeof good, code: string) => assert.rejects(quotas.consume(request), { code });
  await assertRefused({ ...good, amount: 0 }, 'quotas/wrong-amount');
  await assertRefused({ ...good, amount: 1.5 }, 'quotas/wrong-amount');
  await assertRefused({ ...good, key: '' }, 'quotas/wrong-name');
  await assertRefused({ ...good, subject: 'a\u0000b' }, 'quotas/wrong-name');
  await assertRefused({ ...good, key: 'half a pair \ud800' }, 'quotas/wrong-name');
  await assertRefused({ ...good, buckets: [bucket('plan', 5), bucket('plan', 6)] }, 'quotas/wrong-bucket');
  await assertRefused({ ...good, buckets: [bucket('p', 5, { window: { type: 'calendar' } })] }, 'quotas/wrong-bucket');
  await assertRefused({ ...good, buckets: [bucket('p', -1)] }, 'quotas/wrong-amount');
  const anchored = { type: 'anchored', per: 'P1M' } as const;
  await assertRefused({ ...good, buckets: [bucket('p', 5, { window: anchored })] }, 'quotas/anchor-missing');
  const noTime = { at: 'noon', zone: 'UTC' };
  await assertRefused(
    { ...good, buckets: [bucket('p', 5, { window: anchored, anchor: noTime })] },
    'quotas/wrong-bucket',
  );
  await assert.rejects(quotas.batch({ ...good, items: [] }), { code: 'quotas/wrong-batch' });
  await assert.rejects(quotas.reserve({ ...good, ttlMs: 0 }), { code: 'quotas/wrong-time' });
  assert.equal((await quotas.check({ ...listener, buckets: [], amount: 0 })).outcome, 'granted');
});
