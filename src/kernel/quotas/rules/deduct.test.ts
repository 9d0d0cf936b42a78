import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { amountOf } from './amount.ts';
import { balanceOf, byOrder, isInForce, type Bucket, type BucketUse } from './bucket.ts';
import { deduct, giveBack, type Manner } from './deduct.ts';
import { usedAfterChange } from './plan-change.ts';
import { rollingFreeAt, rollingUse, withEntry, withoutUnits, type Entry } from './rolling.ts';

const SPAN = { fromMs: -Infinity, untilMs: undefined, key: 'lifetime' };

function bucketUse(id: string, limit: Bucket['limit'], used: number, more: Partial<Bucket> = {}): BucketUse {
  const bucket: Bucket = { id, limit, window: { type: 'lifetime' }, priority: 0, createdMs: 0, ...more };
  return { bucket, span: SPAN, used };
}

/** `a:3 b:2`, or `denied`. */
function describeTaken(uses: readonly BucketUse[], amount: number, manner: Manner = 'whole'): string {
  const deductions = deduct(uses, amount, manner);
  return deductions?.map(({ use: { bucket }, amount }) => `${bucket.id}:${amount}`).join(' ') ?? 'denied';
}

test('units are taken in the declared order, all or nothing', () => {
  const plan = (used: number) => bucketUse('plan', 10, used, { priority: 1 });
  const addOn = bucketUse('add-on', 5, 0, { priority: 2 });
  const topUp = (id: string, validUntilMs: number) => bucketUse(id, 5, 0, { priority: 3, validUntilMs });
  const cases: readonly (readonly [string, readonly BucketUse[], number, string, Manner?])[] = [
    ['one bucket', [plan(0)], 4, 'plan:4'],
    ['to the last unit', [plan(6)], 4, 'plan:4'],
    ['one too many', [plan(7)], 4, 'denied'],
    ['nothing at the limit', [plan(10)], 0, ''],
    ['no bucket at all', [], 1, 'denied'],
    ['no bucket, no amount', [], 0, ''],
    ['priority before the order given', [addOn, plan(0)], 4, 'plan:4'],
    ['over into the next', [addOn, plan(8)], 4, 'plan:2 add-on:2'],
    ['over three', [topUp('t', 9), addOn, plan(9)], 8, 'plan:1 add-on:5 t:2'],
    ['an empty one is passed over', [plan(10), addOn], 4, 'add-on:4'],
    ['one that is over is passed over', [plan(14), addOn], 4, 'add-on:4'],
    ['all together too few', [plan(10), addOn], 6, 'denied'],
    ['what expires first', [topUp('late', 20), topUp('soon', 10)], 6, 'soon:5 late:1'],
    ['what never expires last', [bucketUse('never', 5, 0, { priority: 3 }), topUp('soon', 10)], 6, 'soon:5 never:1'],
    ['created first', [bucketUse('b', 5, 0, { createdMs: 2 }), bucketUse('c', 5, 0, { createdMs: 1 })], 6, 'c:5 b:1'],
    ['by id', [bucketUse('b', 5, 0), bucketUse('a', 5, 0)], 6, 'a:5 b:1'],
    ['priority beats expiry', [plan(0), bucketUse('t', 5, 0, { priority: 2, validUntilMs: 1 })], 4, 'plan:4'],
    ['unlimited gives it all', [bucketUse('u', 'unlimited', 10 ** 15), plan(0)], 7, 'u:7'],
    ['unlimited last', [plan(8), bucketUse('u', 'unlimited', 0, { priority: 9 })], 7, 'plan:2 u:5'],
    ['partial gives what there is', [plan(8), addOn], 9, 'plan:2 add-on:5', 'partial'],
    ['partial of nothing', [plan(10)], 1, 'denied', 'partial'],
    ['a soft limit takes the rest', [plan(8), bucketUse('s', 5, 0, { priority: 2, overage: true })], 9, 'plan:2 s:7'],
    ['a soft limit that is over', [bucketUse('s', 5, 9, { overage: true })], 2, 's:2'],
    [
      'a soft limit that had nothing itself',
      [plan(7), bucketUse('s', 0, 0, { priority: 2, overage: true })],
      5,
      'plan:3 s:2',
    ],
    ['used units are recorded', [plan(8), addOn], 9, 'plan:2 add-on:7', 'record'],
    ['recorded on a full one', [plan(10)], 3, 'plan:3', 'record'],
    ['a soft limit ends there too', [bucketUse('s', 5, Number.MAX_SAFE_INTEGER - 5, { overage: true })], 6, 'denied'],
    ['and not before', [bucketUse('s', 5, Number.MAX_SAFE_INTEGER - 5, { overage: true })], 5, 's:5'],
    ['counters end at 2^53', [bucketUse('u', 'unlimited', Number.MAX_SAFE_INTEGER - 1)], 2, 'denied'],
  ];
  for (const [name, uses, amount, expected, manner] of cases) {
    assert.equal(describeTaken(uses, amount, manner), expected, name);
  }
});

test('a bucket is in force from its first moment up to its last, unless it is suspended', () => {
  const { bucket } = bucketUse('a', 1, 0, { validFromMs: 10, validUntilMs: 20 });
  assert.deepEqual(
    [9, 10, 19, 20].map((at) => isInForce(bucket, at)),
    [false, true, true, false],
  );
  assert.equal(isInForce({ ...bucket, suspended: true }, 15), false);
});

test('a limit lowered below use leaves nothing, never less, and says so', () => {
  const { used, remaining, overLimit } = balanceOf(bucketUse('a', 10, 15));
  assert.deepEqual({ used, remaining, overLimit }, { used: 15, remaining: 0, overLimit: true });
  assert.equal(balanceOf(bucketUse('a', 'unlimited', 15)).remaining, 'unlimited');
});

test('an amount that is no whole number of units is refused with the reason', () => {
  assert.deepEqual([amountOf(0, 0), amountOf(1, 1), amountOf(2 ** 53 - 1, 1)], [0, 1, 2 ** 53 - 1]);
  for (const [value, why] of [
    [0, /takes nothing/],
    [-1, /is below zero/],
    [1.5, /is a fraction/],
    [Number.NaN, /NaN is no amount/],
    [Infinity, /Infinity is no amount/],
    [2 ** 53, /beyond 2\^53/],
    ['1', /of type string is no number/],
    [undefined, /of type undefined is no number/],
    [5n, /no number/],
  ] as const) {
    assert.throws(() => amountOf(value, 1), { code: 'quotas/wrong-amount', message: why });
  }
});

const buckets = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    limit: fc.nat({ max: 8 }),
    used: fc.nat({ max: 10 }),
    priority: fc.nat({ max: 2 }),
    validUntilMs: fc.option(fc.nat({ max: 3 }), { nil: undefined }),
    createdMs: fc.nat({ max: 2 }),
  }),
  { selector: ({ id }) => id, maxLength: 6 },
);

test('the result equals taking every unit one by one', () => {
  fc.assert(
    fc.property(buckets, fc.nat({ max: 30 }), fc.boolean(), (given, amount, partial) => {
      const uses = given.map(({ id, limit, used, validUntilMs, ...more }) =>
        bucketUse(id, limit, used, { ...more, ...(validUntilMs === undefined ? {} : { validUntilMs }) }),
      );
      const sorted = [...given].sort(
        (a, b) =>
          a.priority - b.priority ||
          (a.validUntilMs ?? 99) - (b.validUntilMs ?? 99) ||
          a.createdMs - b.createdMs ||
          a.id.localeCompare(b.id),
      );
      const units = sorted.flatMap(({ id, limit, used }) =>
        Array.from({ length: Math.max(0, limit - used) }, () => id),
      );
      const wanted = units.slice(0, amount);
      const counts = new Map<string, number>();
      for (const id of wanted) counts.set(id, (counts.get(id) ?? 0) + 1);
      const enough = wanted.length === amount || (partial && wanted.length > 0);
      const expected = enough ? [...counts].map(([id, count]) => `${id}:${count}`).join(' ') : 'denied';
      assert.equal(describeTaken(uses, amount, partial ? 'partial' : 'whole'), expected);
    }),
  );
});

test('the order of buckets is total: any order of the input gives the same', () => {
  fc.assert(
    fc.property(buckets, (given) => {
      const all = given.map(({ id, limit, used, ...more }) => bucketUse(id, limit, used, { priority: more.priority }));
      const ids = (uses: readonly BucketUse[]) =>
        uses
          .map(({ bucket }) => bucket)
          .toSorted(byOrder)
          .map(({ id }) => id);
      assert.deepEqual(ids(all), ids(all.toReversed()));
    }),
  );
});

test('units go back last in, first out, past removed buckets, and never more than were taken', () => {
  const line = (amount: number, returned = 0, isGone = false) => ({ amount, returned, isGone });
  assert.deepEqual(giveBack([line(5), line(3)], 4), [1, 3]);
  assert.deepEqual(giveBack([line(5), line(3, 2)], 4), [3, 1]);
  assert.deepEqual(giveBack([line(5), line(3, 0, true)], 4), [4, 0]);
  assert.deepEqual(giveBack([line(5, 0, true)], 4), [0]);
  assert.deepEqual(giveBack([line(5), line(3)], 100), [5, 3]);
});

test('going back and forth between plans creates no units, whatever the rule', () => {
  assert.equal(usedAfterChange('carry', { limit: 10, used: 5 }, { limit: 20, used: 0 }), 5);
  assert.equal(usedAfterChange('carry', { limit: 10, used: 20 }, { limit: 20, used: 0 }), 20);
  assert.equal(usedAfterChange('scale', { limit: 10, used: 5 }, { limit: 25, used: 0 }), 13);
  assert.equal(usedAfterChange('scale', { limit: 0, used: 5 }, { limit: 25, used: 0 }), 5);
  assert.equal(usedAfterChange('scale', { limit: 'unlimited', used: 5 }, { limit: 25, used: 7 }), 7);
  assert.equal(usedAfterChange('reset', { limit: 10, used: 5 }, { limit: 20, used: 3 }), 3);
  const use = fc.record({ limit: fc.nat(), used: fc.nat() });
  fc.assert(
    fc.property(fc.constantFrom('carry', 'scale', 'reset'), use, use, (rule, from, to) => {
      const there = usedAfterChange(rule, from, to);
      const back = usedAfterChange(rule, { ...to, used: there }, from);
      assert.ok(there >= to.used && back >= from.used);
    }),
  );
});

test('a rolling window counts its use exactly, as long as there are few entries', () => {
  const steps = fc.array(fc.record({ waitMs: fc.nat({ max: 400 }), amount: fc.integer({ min: 1, max: 5 }) }), {
    maxLength: 100,
  });
  fc.assert(
    fc.property(steps, (steps) => {
      let entries: readonly Entry[] = [];
      const all: Entry[] = [];
      let now = 0;
      for (const { waitMs, amount } of steps) {
        now += waitMs;
        entries = withEntry(entries, [now, amount], now - 1_000);
        all.push([now, amount]);
        const exact = all.filter(([at]) => at > now - 1_000).reduce((sum, [, units]) => sum + units, 0);
        assert.equal(rollingUse(entries, now - 1_000), exact);
      }
    }),
  );
});

test('with many entries no unit counts too short, and none longer than a 128th of the window beyond its time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 9 }), { minLength: 300, maxLength: 600 }),
      fc.nat({ max: 1_280 }),
      (waits, later) => {
        let entries: readonly Entry[] = [];
        const all: number[] = [];
        let now = 0;
        for (const wait of waits) {
          now += wait;
          entries = withEntry(entries, [now, 1], now - 1_280);
          all.push(now);
        }
        assert.ok(entries.length <= 131);
        const used = rollingUse(entries, now + later - 1_280);
        assert.ok(used >= all.filter((at) => at > now + later - 1_280).length);
        assert.ok(used <= all.filter((at) => at > now + later - 1_290).length);
      },
    ),
  );
});

test('a rolling window shows when units fit again, and takes them back at their time', () => {
  const entries: readonly Entry[] = [
    [100, 3],
    [200, 4],
  ];
  assert.equal(rollingFreeAt(entries, 7, 1, 1_000), 1_100);
  assert.equal(rollingFreeAt(entries, 7, 4, 1_000), 1_200);
  assert.equal(rollingFreeAt(entries, 7, 8, 1_000), undefined);
  assert.deepEqual(withoutUnits(entries, [100, 3]), [[200, 4]]);
  assert.deepEqual(withoutUnits(entries, [200, 1]), [
    [100, 3],
    [200, 3],
  ]);
});
