import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { windowAt } from '#kernel/quotas/window.ts';
import { grantBought, rolloverOf } from './purchase.ts';

const zone = 'Europe/Berlin';
const ms = (text: string) => Temporal.PlainDateTime.from(text).toZonedDateTime(zone).epochMilliseconds;
const plus = {
  name: 'plus',
  spec: { feature: 'audiobooks', amount: 100, kind: 'recurring', per: 'P1M', rollover: { max: 50 } },
} as const;
const topUp = {
  name: 'ten',
  spec: { feature: 'audiobooks', amount: 600, kind: 'topUp', validity: 'P12M' },
} as const;

test('a top-up ends by the calendar, also when bought on a leap day or before clocks change', () => {
  const until = (at: string) => grantBought('g', topUp, { atMs: ms(at), zone }).validUntilMs;
  assert.equal(until('2024-02-29T10:00'), ms('2025-02-28T10:00'));
  assert.equal(until('2026-03-28T12:00'), ms('2027-03-28T12:00'));
  const { validity: _, ...spec } = topUp.spec;
  assert.equal(grantBought('g', { name: 'ten', spec }, { atMs: 0, zone }).validUntilMs, undefined);
});

test('a recurring one is counted from when it was bought: the 31st comes back after February', () => {
  const { anchor, validUntilMs } = grantBought('g', plus, { atMs: ms('2026-01-31T15:00'), zone });
  assert.deepEqual([anchor, validUntilMs], [{ wallTime: '2026-01-31T15:00:00.000', zone }, undefined]);
  const span = windowAt({ type: 'anchored', per: 'P1M' }, { at: anchor?.wallTime ?? '', zone }, ms('2026-03-15T00:00'));
  assert.deepEqual([span.fromMs, span.untilMs], [ms('2026-02-28T15:00'), ms('2026-03-31T15:00')]);
});

test('what is left goes into the next period, at most so much, and for that period only', () => {
  const grant = grantBought('g', plus, { atMs: ms('2026-01-31T15:00'), zone });
  const at = { at: grant.anchor?.wallTime ?? '', zone };
  const span = windowAt({ type: 'anchored', per: 'P1M' }, at, ms('2026-02-10T00:00'));
  const rolled = rolloverOf(grant, plus, { span, used: 10 });
  assert.deepEqual(
    [rolled?.amount, rolled?.validFromMs, rolled?.validUntilMs, rolled?.anchor],
    [50, ms('2026-02-28T15:00'), ms('2026-03-31T15:00'), undefined],
  );
  assert.equal(rolloverOf(grant, plus, { span, used: 70 })?.amount, 30);
  assert.equal(rolloverOf(grant, plus, { span, used: 100 }), undefined);
  assert.equal(rolloverOf(grant, plus, { span, used: 10 })?.id, rolled?.id);
  const { rollover: _, ...spec } = plus.spec;
  assert.equal(rolloverOf(grant, { name: 'plus', spec }, { span, used: 0 }), undefined);
  // A grant that ends with the period has no next one.
  assert.equal(rolloverOf({ ...grant, validUntilMs: span.untilMs }, plus, { span, used: 0 }), undefined);
});

test('a rollover is never more than its maximum, nor than what is left, unless a minimum is promised', () => {
  fc.assert(
    fc.property(fc.nat({ max: 150 }), fc.nat({ max: 60 }), fc.nat({ max: 60 }), (used, a, b) => {
      const [min, max] = [Math.min(a, b), Math.max(a, b)];
      const addOn = { name: 'plus', spec: { ...plus.spec, rollover: { min, max } } };
      const grant = grantBought('g', addOn, { atMs: ms('2026-01-31T15:00'), zone });
      const span = windowAt({ type: 'anchored', per: 'P1M' }, { at: '2026-01-31T15:00', zone }, grant.createdMs);
      const amount = rolloverOf(grant, addOn, { span, used })?.amount ?? 0;
      assert.ok(amount >= min && amount <= max && amount <= Math.max(min, 100 - used));
    }),
  );
});
