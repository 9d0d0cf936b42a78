import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openBook, type Book } from './book.ts';
import { spanOf, type Bucket, type Rollover } from './bucket.ts';
import { answerCheck } from './check.ts';
import type { Answer } from './contract.ts';
import { decide } from './decide.ts';
import { unitsToPassOn } from './rollover.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-01-31T00:00:00Z');

const MONTHS = {
  window: { type: 'anchored', per: 'P1M' },
  anchor: { at: '2026-01-31', zone: 'UTC' },
} as const;
const DAYS = { window: { type: 'calendar', per: 'P1D', zone: 'UTC' } } as const;

function plan(limit: Bucket['limit'], rollover: Rollover, more: Partial<Bucket> = MONTHS): Bucket {
  return { id: 'plan', limit, window: DAYS.window, priority: 0, createdMs: 0, rollover, ...more };
}

/** The database as one book: each decision sees the result of the last one. */
function openWorld() {
  let book = openBook(START);
  let keys = 0;
  const at = (nowMs: number): Book => {
    const next = openBook(nowMs);
    for (const [id, counter] of book.counters) next.counters.set(id, counter);
    for (const [id, operation] of book.operations) next.operations.set(id, operation);
    book = next;
    return next;
  };
  return {
    consume: (nowMs: number, bucket: Bucket, amount: number, usedAtMs?: number): Answer => {
      const item = { subject: 's', quota: 'q', amount, buckets: [bucket] };
      const used = usedAtMs === undefined ? {} : { usedAtMs };
      const key = `k${(keys += 1)}`;
      return decide(at(nowMs), { kind: 'charge', subject: 's', key, items: [item], manner: 'whole', ...used });
    },
    left: (nowMs: number, bucket: Bucket): number | 'unlimited' | undefined => {
      const { balances } = answerCheck(
        { nowMs, counters: book.counters },
        { subject: 's', quota: 'q', amount: 0, buckets: [bucket] },
      );
      return balances[0]?.remaining;
    },
    carry: (nowMs: number, from: Bucket, to: Bucket): Answer =>
      decide(at(nowMs), {
        kind: 'carry',
        subject: 's',
        key: `k${(keys += 1)}`,
        moves: [{ from, to, onPlanChange: 'carry' }],
      }),
    refund: (nowMs: number, bucket: Bucket, of: string): Answer =>
      decide(at(nowMs), { kind: 'refund', subject: 's', key: `k${(keys += 1)}`, of, buckets: [bucket] }),
  };
}

test('the units passed on are those left, between the least and the most, less overage', () => {
  const vectors: [string, Rollover, number, number, number][] = [
    ['as much as may', { max: 50 }, 100, 10, 50],
    ['what is left', { max: 50 }, 100, 70, 30],
    ['nothing', { max: 50 }, 100, 100, 0],
    ['at least', { max: 50, min: 20 }, 100, 95, 20],
    ['use beyond is forgiven', { max: 50 }, 100, 110, 0],
    ['or carried', { max: 50, overage: 'carried' }, 100, 110, -10],
    ['and taken off what goes on at least', { max: 50, min: 50, overage: 'carried' }, 100, 110, 40],
  ];
  for (const [name, rollover, gave, used, expected] of vectors) {
    assert.equal(unitsToPassOn(rollover, gave, used), expected, name);
  }
});

test('units that were left are in the next window, once', () => {
  const world = openWorld();
  const bucket = plan(100, { max: 50 });
  assert.equal(world.consume(START, bucket, 10).outcome, 'granted');
  assert.equal(world.left(START + 40 * DAY, bucket), 150);
  assert.equal(world.consume(START + 40 * DAY, bucket, 151).outcome, 'denied');
  assert.equal(world.left(START + 40 * DAY, bucket), 150, 'a denial charges nothing');
  const { outcome, balances } = world.consume(START + 40 * DAY, bucket, 150);
  assert.equal(outcome, 'granted');
  assert.deepEqual(
    balances.map(({ limit, used, remaining, overLimit }) => ({ limit, used, remaining, overLimit })),
    [{ limit: 150, used: 150, remaining: 0, overLimit: false }],
  );
  assert.equal(world.left(START + 60 * DAY, bucket), 100, 'all was used, no unit passes on');
});

test('unused windows pass on their units once it is known from when they count', () => {
  const bucket = (sinceMs?: number) => plan(10, { max: 25, ...(sinceMs === undefined ? {} : { sinceMs }) });
  assert.equal(openWorld().left(START + 10 * DAY, bucket(START)), 10, 'the first one');
  assert.equal(openWorld().left(START + 40 * DAY, bucket(START)), 20, 'the second one');
  assert.equal(openWorld().left(START + 100 * DAY, bucket(START)), 35, 'at most');
  assert.equal(openWorld().left(START + 100 * DAY, bucket(START + 40 * DAY)), 20, 'one that began since');
  assert.equal(openWorld().left(START + 100 * DAY, bucket()), 10, 'nobody knows since when');
});

test('units from too far back are gone', () => {
  const world = openWorld();
  const bucket = plan(10, { max: 25 }, DAYS);
  world.consume(START, bucket, 1);
  assert.equal(world.left(START + 36 * DAY, bucket), 19);
  assert.equal(world.left(START + 37 * DAY, bucket), 10);
});

test('late use takes the units that stayed behind, then those passed on, and no unit twice', () => {
  const world = openWorld();
  const bucket = plan(100, { max: 30 }, DAYS);
  world.consume(START, bucket, 20);
  assert.equal(world.consume(START + DAY, bucket, 120).outcome, 'granted', '30 of the 80 went on');
  const late = world.consume(START + DAY + HOUR, bucket, 55, START + HOUR);
  assert.deepEqual(
    late.receipt.map(({ window, amount, corrects }) => [window, amount, corrects]),
    [
      ['P1D:2026-01-31', 50, undefined],
      ['P1D:2026-02-01', 5, 'P1D:2026-01-31'],
    ],
  );
  assert.equal(world.left(START + DAY + HOUR, bucket), 5);
  assert.equal(world.consume(START + DAY + HOUR, bucket, 6, START + HOUR).outcome, 'denied');
});

test('late use of an unused window takes the units that stayed behind', () => {
  for (const sinceMs of [START, undefined]) {
    const world = openWorld();
    const bucket = plan(100, { max: 30, ...(sinceMs === undefined ? {} : { sinceMs }) }, DAYS);
    world.consume(START + DAY, bucket, 1);
    const { receipt } = world.consume(START + DAY + HOUR, bucket, 70, START + HOUR);
    assert.deepEqual(
      receipt.map(({ window, amount }) => [window, amount]),
      [['P1D:2026-01-31', 70]],
    );
    assert.equal(world.left(START + DAY + HOUR, bucket), sinceMs === undefined ? 99 : 129);
  }
});

test('a limit change creates no units: the lowest limit of a window counts', () => {
  const world = openWorld();
  const rollover = { max: 1_000 };
  world.consume(START, plan(100, rollover, DAYS), 10);
  world.consume(START + HOUR, plan(500, rollover, DAYS), 10);
  assert.equal(world.left(START + DAY, plan(500, rollover, DAYS)), 580);
  world.consume(START + DAY, plan(500, rollover, DAYS), 0);
  assert.equal(world.left(START + DAY, plan(50, rollover, DAYS)), 130, 'what came along stays');
  assert.equal(world.left(START + DAY, plan('unlimited', rollover, DAYS)), 'unlimited');
});

test('overage is use beyond the last limit', () => {
  const world = openWorld();
  const bucket = (limit: number) =>
    plan(limit, { max: 10, overage: 'carried' }, { ...DAYS, overage: true, validFromMs: START });
  world.consume(START, bucket(100), 110);
  world.consume(START, bucket(120), 15);
  assert.equal(world.left(START + DAY, bucket(100)), 95);
});

test('use and rollover move to another anchor and back, and are not doubled', () => {
  const world = openWorld();
  const a = plan(100, { max: 50 });
  const b = plan(100, { max: 50 }, { ...MONTHS, anchor: { at: '2026-02-10', zone: 'UTC' } });
  world.consume(START, a, 10);
  world.consume(START + 40 * DAY, a, 20);
  world.carry(START + 41 * DAY, a, b);
  assert.equal(world.left(START + 41 * DAY, b), 130);
  world.carry(START + 41 * DAY, b, a);
  assert.equal(world.left(START + 41 * DAY, a), 130);
  world.carry(START + 41 * DAY, a, b);
  assert.equal(world.left(START + 70 * DAY, b), 150);
  assert.equal(world.left(START + 70 * DAY, a), 100, 'the window that was left passes nothing on');
});

test('a refund to a window that passed its units on does not bring them into the present one', () => {
  const world = openWorld();
  const bucket = plan(100, { max: 100 }, DAYS);
  world.consume(START, bucket, 40);
  world.consume(START + DAY, bucket, 1);
  assert.equal(world.refund(START + DAY, bucket, 'k1').amount, 40);
  assert.equal(world.left(START + DAY, bucket), 159);
  assert.equal(world.consume(START + DAY, bucket, 40, START).outcome, 'granted');
});

/** Computes window by window, each when it ends. */
class Naive {
  readonly #limit: number;
  readonly #rollover: Rollover;
  readonly #isSoft: boolean;
  #index = 0;
  #gave: number;
  #used = 0;
  /** Of the window before the present one: units that were neither passed on nor used. */
  #stayed = 0;
  granted = 0;

  constructor(limit: number, rollover: Rollover, isSoft: boolean) {
    this.#limit = limit;
    this.#rollover = rollover;
    this.#isSoft = isSoft;
    this.#gave = limit;
  }

  advance(index: number): void {
    for (; this.#index < index; this.#index += 1) {
      const { max, min = 0, overage } = this.#rollover;
      const left = this.#gave - this.#used;
      let goesOn = left;
      if (goesOn < min) goesOn = min;
      if (goesOn > max) goesOn = max;
      this.#stayed = Math.max(0, Math.max(0, left) - goesOn);
      const beyond = overage === 'carried' ? Math.max(0, -left) : 0;
      this.#gave = this.#limit + goesOn - beyond;
      this.#used = 0;
    }
  }

  countLeft(): number {
    return Math.max(0, this.#gave - this.#used);
  }

  consume(amount: number): boolean {
    if (amount > this.countLeft() && !this.#isSoft) return false;
    this.#used += amount;
    this.granted += amount;
    return true;
  }

  late(amount: number): boolean {
    const own = Math.min(amount, this.#stayed);
    if (!this.consume(amount - own)) return false;
    this.#stayed -= own;
    this.granted += own;
    return true;
  }
}

test('the result equals computing window by window as each of them ends', () => {
  const step = fc.record({
    hours: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 30 * 24 })),
    amount: fc.integer({ min: 0, max: 40 }),
    isLate: fc.boolean(),
  });
  const rollovers = fc
    .record({
      max: fc.integer({ min: 0, max: 60 }),
      min: fc.integer({ min: 0, max: 20 }),
      overage: fc.constantFrom('forgiven' as const, 'carried' as const),
    })
    .map((one) => ({ ...one, min: Math.min(one.min, one.max) }));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 30 }),
      rollovers,
      fc.boolean(),
      fc.constantFrom(DAYS, MONTHS),
      fc.array(step, { maxLength: 30 }),
      (limit, rollover, isSoft, window, steps) => {
        const bucket = plan(limit, { ...rollover, sinceMs: START }, { ...window, overage: isSoft });
        const [world, naive] = [openWorld(), new Naive(limit, rollover, isSoft)];
        let nowMs = START;
        let windows = 1;
        for (const { hours, amount, isLate } of steps) {
          for (const endMs = nowMs + hours * HOUR; ; windows += 1) {
            const { untilMs = Infinity } = spanOf(bucket, nowMs);
            nowMs = Math.min(endMs, untilMs);
            if (untilMs > endMs) break;
          }
          naive.advance(windows - 1);
          assert.equal(world.left(nowMs, bucket), naive.countLeft());
          const { fromMs } = spanOf(bucket, nowMs);
          const wasLate = isLate && windows > 1 && nowMs < fromMs + DAY;
          const { outcome } = wasLate
            ? world.consume(nowMs, bucket, amount, fromMs - 1)
            : world.consume(nowMs, bucket, amount);
          assert.equal(outcome, (wasLate ? naive.late(amount) : naive.consume(amount)) ? 'granted' : 'denied');
        }
        if (rollover.min === 0 && !isSoft) assert.ok(naive.granted <= windows * limit);
      },
    ),
    { numRuns: 1_000 },
  );
});
