import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowAt } from '#kernel/quotas/rules/window.ts';
import { grantBought } from './purchase.ts';

const zone = 'Europe/Berlin';
const ms = (text: string) => Temporal.PlainDateTime.from(text).toZonedDateTime(zone).epochMilliseconds;
const terms = { title: 'More', priority: 300, whileLapsed: 'suspended' } as const;
const plus = {
  name: 'plus',
  spec: { feature: 'audiobooks', amount: 100, kind: 'recurring', per: 'P1M', ...terms },
} as const;
const topUp = {
  name: 'ten',
  spec: { feature: 'audiobooks', amount: 600, kind: 'topUp', validity: 'P12M', ...terms },
} as const;

test('a top-up ends by the calendar, also when bought on a leap day or before clocks change', () => {
  const until = (at: string) => grantBought('g', topUp, { atMs: ms(at), zone }).validUntilMs;
  assert.equal(until('2024-02-29T10:00'), ms('2025-02-28T10:00'));
  assert.equal(until('2026-03-28T12:00'), ms('2027-03-28T12:00'));
  const { validity: _, ...spec } = topUp.spec;
  assert.equal(grantBought('g', { name: 'ten', spec }, { atMs: 0, zone }).validUntilMs, undefined);
});

test('a recurring one is counted from when it was bought: the 31st comes back after February', () => {
  const { anchor, validUntilMs, terms: sold } = grantBought('g', plus, { atMs: ms('2026-01-31T15:00'), zone });
  assert.deepEqual([anchor, validUntilMs], [{ wallTime: '2026-01-31T15:00:00.000', zone }, undefined]);
  assert.deepEqual(sold, { ...terms, per: 'P1M' }, 'they hold when the add-on changes');
  const span = windowAt({ type: 'anchored', per: 'P1M' }, { at: anchor?.wallTime ?? '', zone }, ms('2026-03-15T00:00'));
  assert.deepEqual([span.fromMs, span.untilMs], [ms('2026-02-28T15:00'), ms('2026-03-31T15:00')]);
});
