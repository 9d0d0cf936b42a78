import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAYS } from '#kernel/audiences/language/compile-time.ts';
import { Ad } from '../kinds/ad.ts';
import { AdPolicy } from '../kinds/ad-policy.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { Placement } from '../kinds/placement.ts';
import { listenerPart } from '../listener-question.ts';
import { readPermission } from '../rules/consent/permission.ts';
import { live, tableOf } from '../testing/world.ts';
import { adSetNamed } from './ad-sets.ts';
import { fittingAds } from './decide.ts';

type DayPart = { days?: string[]; from?: string; until?: string };

/** Whether an ad set with these day parts is served, by the moment and the zones. */
function servedAt(dayParts: readonly DayPart[], accountZone: string, personal = true) {
  const table = tableOf([
    live(Placement, 'break', {
      format: 'audio',
      slots: 1,
      seconds: 30,
      currency: 'EUR',
      pricing: 'firstPrice',
      policy: 'standard',
      adFreeFeature: 'ad-free',
    }),
    live(AdPolicy, 'standard', {
      explicit: 'never',
      ages: { teenFrom: 13, adultFrom: 18 },
      consent: [{ framework: personal ? 'none' : 'tcf', vendor: 1 }],
    }),
    live(Advertiser, 'a', { currency: 'EUR', zone: accountZone }),
    live(Campaign, 'a.c', { account: 'a' }),
    live(AdSet, 'a.s', { account: 'a', campaign: 'a.c', bid: '5.00', tier: 'auction', position: 'any', dayParts }),
    live(Asset, 'a.f', {
      account: 'a',
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
    live(Ad, 'a.a', { account: 'a', adSet: 'a.s', asset: 'a.f', weight: 1 }),
  ]);
  const placement = table.placements.get('break');
  const adSet = adSetNamed(table, 'default/a.s');
  assert.ok(placement !== undefined && adSet !== undefined);
  return (nowMs: number, { zone, context = {} }: { zone?: string; context?: object } = {}): boolean => {
    const ads = fittingAds(adSet, {
      placement,
      ...listenerPart(placement, { zone }, { context: { ...context }, nowMs }, readPermission),
      slots: 1,
      seconds: 30,
      adjacent: new Set(),
      filtersExplicit: false,
      aheadMs: 0,
      hasGrace: true,
      tokenBytesMax: Infinity,
      heldBack: () => undefined,
      random: () => 0.5,
    });
    assert.ok(typeof ads !== 'string' || ads === 'outside its day parts', String(ads));
    return typeof ads !== 'string';
  };
}

const clock = fc
  .integer({ min: 0, max: 95 })
  .map(
    (quarter) => `${String(Math.floor(quarter / 4)).padStart(2, '0')}:${String((quarter % 4) * 15).padStart(2, '0')}`,
  );
const anyPart = fc.record(
  { days: fc.subarray([...DAYS], { minLength: 1 }), from: clock, until: fc.oneof(clock, fc.constant('24:00')) },
  { requiredKeys: ['days'] },
);
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia'];

/** The same, minute by minute of the calendar, as Temporal has it. */
function naive(parts: readonly DayPart[], nowMs: number, zone: string): boolean {
  const here = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(zone);
  const time = here.toPlainTime().toString().slice(0, 5);
  const dayOf = (date: Temporal.PlainDate) => DAYS[date.dayOfWeek - 1] as string;
  const [today, yesterday] = [dayOf(here.toPlainDate()), dayOf(here.toPlainDate().subtract({ days: 1 }))];
  return parts.some(({ days = [...DAYS], from = '00:00', until = '24:00' }) => {
    if (from < until) return days.includes(today) && from <= time && time < until;
    return (days.includes(today) && time >= from) || (days.includes(yesterday) && time < until);
  });
}

test('day parts follow the calendar of the listener, in any zone at any moment', () => {
  fc.assert(
    fc.property(
      fc.array(anyPart, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...ZONES),
      fc.array(fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }), { maxLength: 20 }),
      (parts, zone, moments) => {
        const isServed = servedAt(parts, 'UTC');
        for (const nowMs of moments) assert.equal(isServed(nowMs, { zone }), naive(parts, nowMs, zone), `${nowMs}`);
      },
    ),
    { numRuns: 200 },
  );
});

/** Minutes of a day of the calendar in which it is served. */
function minutesOf(isServed: ReturnType<typeof servedAt>, day: string, zone: string): number {
  const begin = Temporal.PlainDate.from(day).toZonedDateTime(zone);
  const endMs = begin.add({ days: 1 }).epochMilliseconds;
  let minutes = 0;
  for (let nowMs = begin.epochMilliseconds; nowMs < endMs; nowMs += 60_000)
    minutes += Number(isServed(nowMs, { zone }));
  return minutes;
}

test('on days of 23 and 25 hours the clock decides: an hour that is left out is not served, one that comes twice is twice', () => {
  const zone = 'Europe/Berlin';
  // 23 hours, 25 hours, 24 hours.
  const days = ['2026-03-29', '2026-10-25', '2026-11-01'];
  const minutes = (parts: readonly DayPart[]) => days.map((day) => minutesOf(servedAt(parts, 'UTC'), day, zone));
  assert.deepEqual(minutes([{ from: '02:00', until: '03:00' }]), [0, 120, 60]);
  assert.deepEqual(minutes([{ days: ['sun'] }]), [23 * 60, 25 * 60, 24 * 60]);
  assert.deepEqual(minutes([{ from: '07:00', until: '10:00' }]), [180, 180, 180]);
  assert.deepEqual(minutes([{ days: ['sat'], from: '22:00', until: '04:00' }]), [180, 300, 240]);
});

test('the zone is that of the question, else of the permitted context, else of the account', () => {
  // 23:30 in UTC on a Monday is Tuesday in Tokyo and Monday in New York.
  const nowMs = Date.UTC(2026, 10, 30, 23, 30);
  const isServed = servedAt([{ days: ['tue'] }], 'Asia/Tokyo');
  assert.equal(isServed(nowMs), true);
  assert.equal(isServed(nowMs, { zone: 'America/New_York' }), false);
  const context = { timeZone: 'America/New_York' };
  assert.equal(isServed(nowMs, { context }), false);
  assert.equal(isServed(nowMs, { context, zone: 'Asia/Tokyo' }), true);
  assert.equal(isServed(nowMs, { context: { timeZone: 'Nowhere/City' } }), true);
  // Without consent the zone of the context is not used.
  assert.equal(servedAt([{ days: ['tue'] }], 'Asia/Tokyo', false)(nowMs, { context }), true);
  assert.throws(
    () => isServed(nowMs, { zone: 'Asia/Tokio' }),
    /"Asia\/Tokio" is not an IANA time zone \(did you mean "Asia\/Tokyo"/,
  );
});
