import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBook, type Book } from './book.ts';
import type { Bucket } from './bucket.ts';
import { answerCheck } from './check.ts';
import type { Answer } from './contract.ts';
import { decide, settleExpired } from './decide.ts';
import type { Charge, Operation } from './operation.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const START = Date.parse('2026-03-10T12:00:00Z');

function bucket(id: string, limit: Bucket['limit'], more: Partial<Bucket> = {}): Bucket {
  return { id, limit, window: { type: 'lifetime' }, priority: 0, createdMs: 0, ...more };
}

/** An operation without its key: each gets a new one. */
type OperationWithoutKey = Operation extends infer Each
  ? Each extends Operation
    ? Omit<Each, 'key'> & { key?: string }
    : never
  : never;

/** A database as one book; its clock stands until a test moves it. */
function openWorld() {
  let book = openBook(START);
  let keys = 0;
  return {
    pass: (ms: number): void => {
      const next: Book = { ...openBook(book.nowMs + ms), counters: book.counters, operations: book.operations };
      for (const [id, hold] of book.holds) next.holds.set(id, hold);
      book = next;
    },
    ask: (operation: OperationWithoutKey): Answer => decide(book, { key: `k${(keys += 1)}`, ...operation }),
    charge: (buckets: readonly Bucket[], amount: number, more: Partial<Charge> = {}): Answer =>
      decide(book, {
        kind: 'charge',
        subject: 's',
        key: `k${(keys += 1)}`,
        items: [{ subject: 's', quota: 'q', amount, buckets }],
        manner: 'whole',
        ...more,
      }),
    left: (of: Bucket): number | 'unlimited' | undefined =>
      answerCheck(book, { subject: 's', quota: 'q', amount: 0, buckets: [of] }).balances[0]?.remaining,
    settle: () => settleExpired(book, 's'),
    counters: () => [...book.counters.values()],
    /** Ids of counters that are written. */
    written: () => [...book.changed.counters],
    state: (key: string, subject = 's') => book.holds.get(`${subject}\u0000${key}`),
  };
}

const RESERVED = { hold: { kind: 'reservation', owner: '', ttlMs: 10 * MINUTE } } as const;

function summary({ outcome, asked, amount, receipt }: Answer) {
  return [outcome, asked, amount, receipt.map((line) => `${line.bucket}:${line.amount}`).join(' ')];
}

test('a charge takes all or nothing, or the available units, and a free one takes nothing', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  assert.deepEqual(summary(world.charge([plan], 4)), ['granted', 4, 4, 'plan:4']);
  const denied = world.charge([plan], 7);
  assert.deepEqual([summary(denied), denied.deniedQuota], [['denied', 7, 0, ''], 'q']);
  assert.deepEqual(
    denied.balances.map(({ used, remaining }) => [used, remaining]),
    [[4, 6]],
  );
  assert.deepEqual(summary(world.charge([plan], 7, { isFree: true })), ['granted', 7, 0, '']);
  assert.deepEqual(summary(world.charge([plan], 7, { manner: 'partial' })), ['granted', 7, 6, 'plan:6']);
  assert.equal(world.left(plan), 0);
  assert.equal(world.charge([plan], 1, { manner: 'partial' }).outcome, 'denied');
});

test('several quotas are taken together, and items of one bucket see each other', () => {
  const world = openWorld();
  const [day, month] = [bucket('day', 5), bucket('month', 8)];
  const items = (amount: number) =>
    [day, month].map((one) => ({ subject: 's', quota: one.id, amount, buckets: [one] }));
  const answer = world.charge([], 0, { items: items(4) });
  assert.deepEqual(summary(answer), ['granted', 8, 8, 'day:4 month:4']);
  assert.deepEqual(
    answer.balances.map(({ remaining }) => remaining),
    [1, 4],
  );
  const denied = world.charge([], 0, { items: items(2) });
  assert.deepEqual([summary(denied), denied.deniedQuota], [['denied', 4, 0, ''], 'day']);
  assert.deepEqual(
    denied.balances.map(({ remaining }) => remaining),
    [1, 4],
    'a denial takes nothing of the items before',
  );
  assert.deepEqual(
    summary(world.charge([], 0, { items: items(3), manner: 'partial' })),
    ['granted', 6, 2, 'day:1 month:1'],
    'every item is reduced to the tightest limit',
  );
  const shared = bucket('shared', 5);
  const twice = [3, 3].map((amount) => ({ subject: 's', quota: 'q', amount, buckets: [shared] }));
  assert.equal(world.charge([], 0, { items: twice }).outcome, 'denied', 'two items of one bucket do not both fit');
  assert.equal(world.left(shared), 5);
});

test('times of clients are moved to within 35 days ago and now', () => {
  const world = openWorld();
  const daily = bucket('daily', 1_000, { window: { type: 'calendar', per: 'P1D', zone: 'UTC' } });
  const windowOf = (usedAtMs: number | undefined, more: Partial<Charge> = {}) =>
    world.charge([daily], 1, { ...(usedAtMs === undefined ? {} : { usedAtMs }), ...more }).receipt[0];
  const today = windowOf(undefined)?.window;
  assert.equal(windowOf(START + DAY)?.window, today, 'the future is now');
  const late = windowOf(START - DAY / 2 - 1);
  assert.notEqual(late?.window, today, 'late use counts in its own window for a day');
  const closed = windowOf(START - 5 * DAY);
  assert.deepEqual([closed?.window, closed?.corrects?.includes('2026-03-05')], [today, true]);
  assert.equal(
    windowOf(START - 400 * DAY)?.corrects?.includes('2026-02-03'),
    true,
    'older than 35 days is moved there',
  );
  assert.equal(windowOf(START - 5 * DAY, { countsAtMs: START })?.corrects, undefined, 'it counts at another time');
});

test('a key answers once, and names one request', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  const first = world.charge([plan], 3, { key: 'a' });
  assert.equal(first.replayed, false);
  assert.deepEqual(world.charge([plan], 3, { key: 'a' }), { ...first, replayed: true });
  assert.equal(world.charge([plan], 30).replayed, false);
  assert.equal(world.left(plan), 7);
  assert.throws(() => world.charge([plan], 4, { key: 'a' }), {
    code: 'http/key-reused',
    reason: 'Conflict',
    remedy: /a key of its own/,
  });
});

test('a reservation is extended, committed with the used units, and the rest comes back', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  const held = world.charge([plan], 6, { ...RESERVED, key: 'r' });
  assert.deepEqual([summary(held), held.expiresAtMs], [['granted', 6, 6, 'plan:6'], START + 10 * MINUTE]);
  const extended = world.ask({ kind: 'extend', subject: 's', of: 'r', ttlMs: 30 * MINUTE });
  assert.deepEqual([summary(extended), extended.expiresAtMs], [['extended', 6, 6, 'plan:6'], START + 30 * MINUTE]);
  assert.equal(world.state('r')?.expiresAtMs, START + 30 * MINUTE);
  world.pass(20 * MINUTE);
  const commit = { kind: 'commit', subject: 's', of: 'r', amount: 2, over: 'refuse' } as const;
  assert.throws(() => world.ask({ ...commit, quota: 'other' }), { code: 'quotas/other-quota' });
  const committed = world.ask({ ...commit, buckets: [plan], quota: 'q' });
  assert.deepEqual(summary(committed), ['granted', 2, 2, 'plan:2']);
  assert.deepEqual(
    committed.balances.map(({ remaining }) => remaining),
    [8],
  );
  assert.deepEqual([world.state('r')?.state, world.state('r')?.settledAtMs], ['committed', START + 20 * MINUTE]);
  assert.throws(() => world.ask(commit), /committed at 2026-03-10T12:20:00Z/);
  assert.throws(() => world.ask({ kind: 'release', subject: 's', of: 'none' }), {
    code: 'quotas/no-reservation',
    remedy: /a denied one holds no units/,
  });
});

test('a commit beyond the reservation is refused, charged, or recorded, by its `over`', () => {
  const over = (how: 'refuse' | 'charge' | 'record', limit: number, more: object = {}) => {
    const world = openWorld();
    const plan = bucket('plan', limit);
    world.charge([plan], 4, { ...RESERVED, key: 'r' });
    const commit = { kind: 'commit', subject: 's', of: 'r', amount: 7, over: how, buckets: [plan], ...more } as const;
    return { world, plan, commit };
  };
  const refused = over('refuse', 10);
  assert.throws(() => refused.world.ask(refused.commit), {
    code: 'quotas/commit-above-reserved',
    message: /^7 units were used of the reservation "r", which has 4\.$/,
  });
  assert.equal(refused.world.state('r')?.state, 'held');
  const charged = over('charge', 10);
  assert.deepEqual(summary(charged.world.ask(charged.commit)), ['granted', 7, 7, 'plan:4 plan:3']);
  assert.equal(charged.world.left(charged.plan), 3);
  const denied = over('charge', 6);
  const answer = denied.world.ask(denied.commit);
  assert.deepEqual([summary(answer), answer.deniedQuota, answer.balances[0]?.used], [['denied', 7, 0, ''], 'q', 4]);
  assert.equal(denied.world.state('r')?.state, 'held', 'a denied commit leaves the reservation');
  const recorded = over('record', 6);
  assert.deepEqual(summary(recorded.world.ask(recorded.commit)), ['granted', 7, 7, 'plan:4 plan:3']);
  assert.equal(recorded.world.left(recorded.plan), 0);
  const gone = over('record', 6, { buckets: [] });
  assert.deepEqual(
    summary(gone.world.ask(gone.commit)),
    ['granted', 7, 7, 'plan:4 plan:3'],
    'written where it was held',
  );
  const nowhere = over('charge', 6, { buckets: [] });
  assert.equal(nowhere.world.ask(nowhere.commit).outcome, 'denied');
});

test('an expired reservation gives back once; a late commit is new use; one of an ended slice waits for its time', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  world.charge([plan], 6, { ...RESERVED, key: 'r' });
  const commit = { kind: 'commit', subject: 's', of: 'r', amount: 2, over: 'charge', buckets: [plan] } as const;
  assert.throws(() => world.ask({ ...commit, ended: true }), {
    code: 'quotas/slice-outstanding',
    retryAfterSeconds: 600,
    remedy: /durable records/,
  });
  world.pass(10 * MINUTE);
  world.settle();
  world.settle();
  assert.deepEqual([world.left(plan), world.state('r')?.state], [10, 'expired']);
  assert.throws(() => world.ask(commit), { code: 'quotas/reservation-settled', remedy: /consume the used units/ });
  assert.deepEqual(summary(world.ask({ ...commit, late: true, ended: true })), ['granted', 2, 2, 'plan:2']);
  assert.equal(world.left(plan), 8);
  assert.throws(() => world.ask(commit), { code: 'quotas/reservation-settled', remedy: /under its own key/ });
  assert.throws(() => world.ask({ ...commit, late: true }), { code: 'quotas/reservation-settled' });
});

test('a slice ends only when it is settled, and a released reservation gives all back', () => {
  const world = openWorld();
  const [day, month] = [bucket('day', 10), bucket('month', 20)];
  const items = [day, month].map((one) => ({ subject: 's', quota: one.id, amount: 4, buckets: [one] }));
  const hold = { kind: 'slice', owner: 'node', untilMs: START + MINUTE } as const;
  world.charge([], 0, { items, hold, key: 'slice' });
  assert.deepEqual([world.state('slice')?.amount, world.state('slice')?.expiresAtMs], [4, START + MINUTE]);
  world.pass(MINUTE);
  world.settle();
  assert.equal(world.state('slice')?.state, 'held');
  const commit = { kind: 'commit', subject: 's', of: 'slice', amount: 1, over: 'refuse', ended: true } as const;
  assert.deepEqual(summary(world.ask(commit)), ['granted', 1, 1, 'day:1 month:1'], 'of each limit as much');
  assert.deepEqual([world.left(day), world.left(month)], [9, 19]);
  world.charge([day], 3, { ...RESERVED, key: 'r' });
  assert.deepEqual(summary(world.ask({ kind: 'release', subject: 's', of: 'r' })), ['returned', 3, 3, 'day:3']);
  assert.deepEqual([world.left(day), world.state('r')?.state], [9, 'released']);
});

test('a refund gives back the units left of a charge, or of a named quota, and no more', () => {
  const world = openWorld();
  const [day, month] = [bucket('day', 10), bucket('month', 20)];
  const items = [day, month].map((one) => ({ subject: 's', quota: one.id, amount: 5, buckets: [one] }));
  world.charge([], 0, { items, key: 'c' });
  const refund = { kind: 'refund', subject: 's', of: 'c' } as const;
  assert.deepEqual(summary(world.ask({ ...refund, quota: 'day', amount: 2 })), ['returned', 2, 2, 'day:2']);
  assert.deepEqual([world.left(day), world.left(month)], [7, 15]);
  assert.throws(() => world.ask({ ...refund, quota: 'day', amount: 4 }), {
    code: 'quotas/nothing-to-refund',
    message: 'There is nothing to refund: 3 units are left of the 5 of "c", not 4.',
  });
  assert.throws(() => world.ask({ ...refund, quota: 'week' }), { code: 'quotas/other-quota', message: /day, month/ });
  assert.deepEqual(summary(world.ask(refund)), ['returned', 8, 8, 'day:3 month:5']);
  assert.deepEqual([world.left(day), world.left(month)], [10, 20]);
  assert.throws(() => world.ask(refund), { message: 'There is nothing to refund: 0 units are left of the 10 of "c".' });
  assert.throws(() => world.ask({ ...refund, of: 'none' }), { message: /"none" of "s" took nothing/ });
  world.charge([day], 1, { ...RESERVED, key: 'r' });
  assert.throws(() => world.ask({ ...refund, of: 'r' }), {
    message: /took nothing/,
    remedy: /release reservations/,
  });
  world.charge([day], 100, { key: 'denied' });
  assert.throws(() => world.ask({ ...refund, of: 'denied' }), { message: /took nothing/ });
  world.charge([day], 2, { key: 'one' });
  assert.deepEqual(summary(world.ask({ ...refund, of: 'one', amount: 2 })), ['returned', 2, 2, 'day:2'], 'all of it');
});

test('after a plan change the old bucket refuses charges, and late use from before counts in the new one', () => {
  const world = openWorld();
  const [old, next] = [bucket('old', 10), bucket('next', 20)];
  world.charge([old], 4);
  const carried = world.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: next, onPlanChange: 'carry' }] });
  assert.deepEqual([summary(carried), world.left(next)], [['carried', 4, 4, 'next:4'], 16]);
  assert.throws(() => world.charge([old], 1), { code: 'quotas/moved', message: /no longer taken from "old"/ });
  assert.equal(world.charge([old], 1, { isOfOldPlan: true }).outcome, 'granted');
  assert.equal(world.left(next), 15);
});

test('use is carried, scaled or left behind, into a window of any kind', () => {
  const carry = (from: Bucket, to: Bucket, onPlanChange: 'carry' | 'scale' | 'reset', more: object = {}) => {
    const world = openWorld();
    world.charge([from], 4);
    const answer = world.ask({ kind: 'carry', subject: 's', moves: [{ from, to, onPlanChange }], ...more });
    return { world, answer, left: world.left(to) };
  };
  const [old, next] = [bucket('old', 10), bucket('next', 20)];
  assert.deepEqual(summary(carry(old, next, 'scale').answer), ['carried', 8, 8, 'next:8']);
  assert.deepEqual(summary(carry(old, next, 'reset').answer), ['carried', 0, 0, 'next:0']);
  assert.equal(carry(old, bucket('next', 'unlimited'), 'scale').left, 'unlimited');
  assert.equal(carry(bucket('old', 'unlimited'), next, 'scale').left, 16);
  assert.deepEqual(
    carry(old, next, 'carry').answer.balances.map(({ used }) => used),
    [4],
  );

  const { world: scaled } = carry(old, next, 'scale');
  scaled.charge([old], 1, { isOfOldPlan: true });
  assert.equal(scaled.left(next), 10, 'a late unit of the old plan is two of the new one');

  const rolling = bucket('rolling', 20, { window: { type: 'rolling', per: 'PT1H' } });
  const rolled = carry(old, rolling, 'carry');
  assert.deepEqual([summary(rolled.answer), rolled.left], [['carried', 4, 4, 'rolling:4'], 16]);
  rolled.world.pass(60 * MINUTE);
  assert.equal(rolled.world.left(rolling), 20, 'carried units leave a rolling window after its length');
  assert.equal(carry(old, rolling, 'reset').left, 20);

  const back = carry(old, next, 'carry').world;
  back.ask({ kind: 'carry', subject: 's', moves: [{ from: next, to: old, onPlanChange: 'carry' }] });
  const same = back.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: old, onPlanChange: 'reset' }] });
  assert.deepEqual(summary(same), ['carried', 0, 0, 'old:0']);
  assert.equal(back.charge([old], 1).outcome, 'granted', 'the bucket in force takes charges again');

  const days = bucket('day', 10, { window: { type: 'calendar', per: 'P1D', zone: 'UTC' } });
  const weeks = { ...days, window: { type: 'calendar', per: 'P1W', zone: 'UTC' } } as const;
  assert.equal(carry(days, weeks, 'reset').left, 6, 'the same bucket in another window is the same use');
  const yesterday = carry(days, next, 'carry', { changedAtMs: START - DAY });
  assert.equal(yesterday.left, 20, 'the windows are those of the moment of the change');
  assert.equal(carry(days, next, 'carry', { changedAtMs: START + DAY }).left, 16, 'which is never in the future');
});

test('an expired reservation is back before the next decision', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  world.charge([plan], 8, { ...RESERVED, key: 'r' });
  assert.equal(world.charge([plan], 4).outcome, 'denied');
  world.pass(10 * MINUTE);
  assert.equal(world.charge([plan], 10).outcome, 'granted');
});

test('a partial charge of several quotas is denied where one has nothing', () => {
  const world = openWorld();
  const [day, month] = [bucket('day', 5), bucket('month', 0)];
  const items = [day, month].map((one) => ({ subject: 's', quota: one.id, amount: 3, buckets: [one] }));
  const denied = world.charge([], 0, { items, manner: 'partial' });
  assert.deepEqual([summary(denied), denied.deniedQuota, world.left(day)], [['denied', 6, 0, ''], 'month', 5]);
});

test('an answer has what belongs to it, and nothing else', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  assert.equal('expiresAtMs' in world.charge([plan], 1), false);
  assert.deepEqual(world.charge([plan], 1, { isFree: true, key: 'free' }).balances, []);
  assert.throws(() => world.ask({ kind: 'refund', subject: 's', of: 'free', quota: 'q' }), {
    message: /0 units are left of the 0 of "free"/,
  });
  world.charge([plan], 2, { ...RESERVED, key: 'r' });
  assert.deepEqual(world.ask({ kind: 'extend', subject: 's', of: 'r', ttlMs: MINUTE }).balances, []);
  world.charge([plan], 100, { key: 'denied' });
  assert.throws(() => world.ask({ kind: 'refund', subject: 's', of: 'denied', quota: 'q' }), {
    message: /took nothing/,
  });
  assert.throws(() => world.ask({ kind: 'commit', subject: 's', of: 'none', amount: 1, over: 'charge', late: true }), {
    code: 'quotas/no-reservation',
  });
});

test('only the reservations of the subject are settled with it', () => {
  const world = openWorld();
  const plan = bucket('plan', 10);
  const items = [{ subject: 't', quota: 'q', amount: 1, buckets: [plan] }];
  world.charge([], 0, { ...RESERVED, subject: 't', key: 'r', items });
  world.pass(10 * MINUTE);
  world.settle();
  assert.equal(world.state('r', 't')?.state, 'held');
});

test('a commit records beyond what was held in the last bucket, and returns whole lines', () => {
  const hold = (more: object) => {
    const world = openWorld();
    const [a, b] = [bucket('a', 2), bucket('b', 6, { priority: 1 })];
    world.charge([a, b], 4, { ...RESERVED, key: 'r' });
    const commit = { kind: 'commit', subject: 's', of: 'r', over: 'record', amount: 12 } as const;
    return { world, answer: world.ask({ ...commit, ...more }), buckets: [a, b] };
  };
  const [a, b] = [bucket('a', 2), bucket('b', 6, { priority: 1 })];
  const c = bucket('c', 1, { priority: 2 });
  assert.equal(summary(hold({}).answer)[3], 'a:2 b:2 b:8', 'without buckets where the last of it was held');
  assert.equal(summary(hold({ buckets: [a, b, c] }).answer)[3], 'a:2 b:2 b:4 c:4', 'what there is, and the rest');
  const returned = hold({ amount: 2, buckets: [a, b] });
  assert.deepEqual([summary(returned.answer)[3], returned.world.left(b)], ['a:2', 6]);
  const world = openWorld();
  world.charge([a], 2, { ...RESERVED, key: 'r' });
  world.pass(10 * MINUTE);
  world.ask({ kind: 'commit', subject: 's', of: 'r', amount: 1, over: 'charge', buckets: [a], late: true });
  assert.equal(world.state('r')?.amount, 2, 'a late commit leaves what was held on record');
});

test('refunds of one quota add up by bucket', () => {
  const world = openWorld();
  const [a, b] = [bucket('a', 2), bucket('b', 3, { priority: 1 })];
  world.charge([a, b], 5, { key: 'c' });
  const refund = { kind: 'refund', subject: 's', of: 'c' } as const;
  assert.equal(summary(world.ask({ ...refund, amount: 2 }))[3], 'b:2');
  assert.equal(summary(world.ask({ ...refund, amount: 3 }))[3], 'a:2 b:1');
});

test('a plan change writes the use in the new bucket, and where that of the old one went', () => {
  const rolling = { window: { type: 'rolling', per: 'PT1H' } } as const;
  const daily = { window: { type: 'calendar', per: 'P1D', zone: 'UTC' } } as const;
  const carry = (from: Bucket, to: Bucket, onPlanChange: 'carry' | 'scale' | 'reset', used = 0) => {
    const world = openWorld();
    if (used > 0) world.charge([from], used);
    world.ask({ kind: 'carry', subject: 's', moves: [{ from, to, onPlanChange }] });
    return world.counters().find((one) => one.bucket === from.id);
  };
  const [old, next] = [bucket('old', 10), bucket('next', 20)];
  const moved = { bucket: 'next', window: 'lifetime', isCounted: true, units: 1, of: 1, gain: 0 };
  const lifetime = { subject: 's', bucket: 'old', window: 'lifetime', used: 0, untilMs: undefined };
  assert.deepEqual(carry(old, next, 'carry'), { ...lifetime, moved });
  assert.deepEqual(carry(bucket('old', 10, daily), next, 'carry'), {
    ...lifetime,
    window: 'P1D:2026-03-10',
    untilMs: Date.parse('2026-03-11T00:00:00Z'),
    moved,
  });
  assert.deepEqual(carry(bucket('old', 10, rolling), next, 'carry'), {
    ...lifetime,
    window: 'rolling',
    entries: [],
    moved,
  });
  const moves: [Bucket, Bucket, 'carry' | 'scale' | 'reset', object][] = [
    [old, next, 'carry', { ...moved, gain: 4 }],
    [old, next, 'reset', { ...moved, isCounted: false }],
    [old, next, 'scale', { ...moved, units: 20, of: 10, gain: 8 }],
    [bucket('old', 'unlimited'), next, 'scale', { ...moved, gain: 4 }],
    [old, bucket('next', 'unlimited'), 'scale', { ...moved, gain: 4 }],
    [old, bucket('next', 0), 'scale', { ...moved, gain: 0 }],
    [old, bucket('next', 20, rolling), 'carry', { ...moved, window: 'rolling', isCounted: false }],
  ];
  for (const [from, to, onPlanChange, expected] of moves) {
    assert.deepEqual(carry(from, to, onPlanChange, 4)?.moved, expected, `${onPlanChange} ${from.limit} ${to.limit}`);
  }
  assert.deepEqual(carry(bucket('old', 0, { overage: true }), next, 'scale', 4)?.moved, { ...moved, gain: 4 });

  const world = openWorld();
  world.charge([old], 4);
  world.charge([next], 3);
  const carried = world.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: next, onPlanChange: 'carry' }] });
  assert.deepEqual([summary(carried)[3], world.left(next)], ['next:1', 16], 'the larger of both counts');
  world.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: old, onPlanChange: 'carry' }] });
  assert.equal(world.charge([old], 1).outcome, 'granted', 'it is the one in force again');

  const unused = openWorld();
  unused.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: old, onPlanChange: 'carry' }] });
  assert.deepEqual(unused.written(), []);
  const there = bucket('next', 20, rolling);
  unused.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: there, onPlanChange: 'carry' }] });
  assert.deepEqual(unused.written(), ['s\u0000old\u0000lifetime'], 'nothing was used that could move');
  const used = openWorld();
  used.charge([old], 4);
  used.ask({ kind: 'carry', subject: 's', moves: [{ from: old, to: there, onPlanChange: 'carry' }] });
  const { used: units, entries } = used.counters().find((one) => one.bucket === 'next') ?? {};
  assert.deepEqual([units, entries?.map(([, amount]) => amount)], [4, [4]]);
});

test('a carried rollover goes along once, with the lower limit; a scaled one stays', () => {
  const monthly = (id: string, limit: number, day: string): Bucket =>
    bucket(id, limit, {
      window: { type: 'anchored', per: 'P1M' },
      anchor: { at: day, zone: 'UTC' },
      rollover: { max: 50 },
    });
  const [a, b] = [monthly('a', 100, '2026-01-05'), monthly('b', 80, '2026-01-06')];
  const rollOver = (onPlanChange: 'carry' | 'scale', to: Bucket, from = a) => {
    const world = openWorld();
    world.charge([from], 10);
    world.ask({ kind: 'carry', subject: 's', moves: [{ from, to, onPlanChange }] });
    return [from, to].map(({ id }) => {
      const { rolled } = world.counters().findLast((one) => one.bucket === id) ?? {};
      return rolled === undefined ? undefined : [rolled.isPassed, rolled.least];
    });
  };
  assert.deepEqual(rollOver('carry', b), [
    [true, 100],
    [false, 80],
  ]);
  assert.deepEqual(rollOver('scale', b), [
    [false, 100],
    [false, 80],
  ]);
  assert.deepEqual(rollOver('carry', b, monthly('a', 60, '2026-01-05')), [
    [true, 60],
    [false, 60],
  ]);
  assert.deepEqual(rollOver('carry', b, bucket('a', 60)), [undefined, [false, 80]]);
  assert.deepEqual(rollOver('carry', bucket('b', 80)), [[false, 100], undefined]);
});
