import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { windowAt, type Anchor } from './window.ts';
import { windowProblems, type WindowSpec } from './window-spec.ts';

const ms = (text: string): number => Temporal.Instant.from(text).epochMilliseconds;
const HOUR = 3_600_000;

/** `[from, until)` as a zone's clock shows it. */
function showWindow(spec: WindowSpec, zone: string, at: string, anchor?: Anchor): string {
  const { fromMs, untilMs = Number.NaN } = windowAt(spec, anchor, ms(at));
  const clock = (value: number): string =>
    Temporal.Instant.fromEpochMilliseconds(value)
      .toZonedDateTimeISO(zone)
      .toPlainDateTime()
      .toString({ smallestUnit: 'minute' });
  return `${clock(fromMs)} ${clock(untilMs)}`;
}

function hoursOfDay(zone: string, at: string): number {
  const { fromMs, untilMs = Number.NaN } = windowAt({ type: 'calendar', per: 'P1D', zone }, undefined, ms(at));
  return (untilMs - fromMs) / HOUR;
}

test('a day is as long as the clocks of its zone make it', () => {
  const days = [
    ['Europe/Berlin', '2026-03-29T12:00Z', 23],
    ['Europe/Berlin', '2026-10-25T12:00Z', 25],
    ['Europe/Berlin', '2026-06-01T12:00Z', 24],
    ['Australia/Lord_Howe', '2026-10-04T03:00Z', 23.5],
    ['Australia/Lord_Howe', '2026-04-05T03:00Z', 24.5],
    ['America/New_York', '2026-03-08T12:00Z', 23],
    ['Pacific/Apia', '2011-12-30T09:00Z', 24],
  ] as const;
  for (const [zone, at, hours] of days) assert.equal(hoursOfDay(zone, at), hours, `${zone} ${at}`);
});

test('a day without midnight begins at its first moment', () => {
  for (const [zone, day] of [
    ['Africa/Cairo', '2026-04-24'],
    ['Asia/Beirut', '2026-03-29'],
    ['America/Havana', '2026-03-08'],
    ['America/Sao_Paulo', '2018-11-04'],
    ['Asia/Tehran', '2022-03-22'],
  ] as const) {
    const spec: WindowSpec = { type: 'calendar', per: 'P1D', zone };
    const noon = Temporal.PlainDateTime.from(`${day}T12:00`).toZonedDateTime(zone).toInstant().toString();
    const next = Temporal.PlainDate.from(day).add({ days: 1 }).toString();
    assert.equal(showWindow(spec, zone, noon), `${day}T01:00 ${next}T00:00`);
  }
});

test('a day with two midnights begins at the first', () => {
  const spec: WindowSpec = { type: 'calendar', per: 'P1D', zone: 'America/Havana' };
  assert.equal(windowAt(spec, undefined, ms('2026-11-01T12:00Z')).fromMs, ms('2026-11-01T04:00Z'));
});

test('where the clock goes back over midnight, the repeated evening belongs to the new day', () => {
  // St. John's put its clocks back at 00:01, to 23:01 of the day before.
  const spec: WindowSpec = { type: 'calendar', per: 'P1D', zone: 'America/St_Johns' };
  const first = windowAt(spec, undefined, ms('2010-11-07T02:30:30Z'));
  const again = windowAt(spec, undefined, ms('2010-11-07T03:00:00Z'));
  assert.deepEqual([first.key, again], ['P1D:2010-11-07', first]);
});

test('a day that a zone skipped is no window', () => {
  const spec: WindowSpec = { type: 'calendar', per: 'P1D', zone: 'Pacific/Apia' };
  const before = windowAt(spec, undefined, ms('2011-12-30T09:59:59Z'));
  const after = windowAt(spec, undefined, ms('2011-12-30T10:00:00Z'));
  assert.deepEqual([before.key, before.untilMs, after.key], ['P1D:2011-12-29', after.fromMs, 'P1D:2011-12-31']);
});

test('an hour that the clock shows twice is two windows, and a shift by half an hour cuts one', () => {
  const berlin: WindowSpec = { type: 'calendar', per: 'PT1H', zone: 'Europe/Berlin' };
  const twice = ['2026-10-25T00:30Z', '2026-10-25T01:30Z'].map((at) => windowAt(berlin, undefined, ms(at)).key);
  assert.deepEqual(twice, ['PT1H:2026-10-25T00:00Z', 'PT1H:2026-10-25T01:00Z']);
  const zone = 'Australia/Lord_Howe';
  const lordHowe: WindowSpec = { type: 'calendar', per: 'PT1H', zone };
  // 02:00 became 01:30: the clock shows 01:00 to 02:00, then 01:30 to 02:00.
  assert.equal(showWindow(lordHowe, zone, '2026-04-04T14:40Z'), '2026-04-05T01:00 2026-04-05T01:30');
  assert.equal(showWindow(lordHowe, zone, '2026-04-04T15:10Z'), '2026-04-05T01:30 2026-04-05T02:00');
  const india = showWindow(
    { type: 'calendar', per: 'PT1H', zone: 'Asia/Kolkata' },
    'Asia/Kolkata',
    '2026-04-04T14:40Z',
  );
  assert.equal(india, '2026-04-04T20:00 2026-04-04T21:00');
});

test('months of New York keep to its clocks over the change to summer time', () => {
  const spec: WindowSpec = { type: 'calendar', per: 'P1M', zone: 'America/New_York' };
  const counts = new Map<string, number>();
  for (const wall of [
    '03-01T04:00',
    '03-15T00:00',
    '03-31T23:59',
    '04-01T00:00',
    '04-01T00:01',
    '04-15T00:00',
    '04-30T23:59',
    '05-01T00:00',
    '05-01T00:01',
  ]) {
    const at = Temporal.PlainDateTime.from(`2012-${wall}`).toZonedDateTime('America/New_York').epochMilliseconds;
    const { key } = windowAt(spec, undefined, at);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.deepEqual(
    [...counts],
    [
      ['P1M:2012-03', 3],
      ['P1M:2012-04', 4],
      ['P1M:2012-05', 2],
    ],
  );
  assert.equal(showWindow(spec, 'UTC', '2022-01-20T00:00Z'), '2022-01-01T05:00 2022-02-01T05:00');
});

test('weeks begin on the day that is declared', () => {
  const at = '2026-11-22T12:00Z';
  const week = (weekStart: WindowSpec['weekStart'] & string): string =>
    windowAt({ type: 'calendar', per: 'P1W', zone: 'UTC', weekStart }, undefined, ms(at)).key;
  assert.deepEqual([week('mon'), week('sun'), week('sat')], ['P1W:2026-11-16', 'P1W:2026-11-22', 'P1W:2026-11-21']);
  assert.equal(windowAt({ type: 'calendar', per: 'P1Y', zone: 'UTC' }, undefined, ms(at)).key, 'P1Y:2026');
});

test('the end of a month is counted from the anchor, never from the month before', () => {
  const showAnchored = (per: string, at: string, zone: string, moment: string): string =>
    showWindow({ type: 'anchored', per }, zone, moment, { at, zone });
  const cases = [
    // OpenMeter, recurrence_test.go
    ['P1M', '2025-01-31T15:00', 'UTC', '2025-08-13T00:00Z', '2025-07-31T15:00 2025-08-31T15:00'],
    ['P1M', '2025-01-31T15:00', 'UTC', '2025-09-30T15:00Z', '2025-09-30T15:00 2025-10-31T15:00'],
    ['P1M', '2025-01-30', 'UTC', '2025-02-13T00:00Z', '2025-01-30T00:00 2025-02-28T00:00'],
    // Kill Bill, TestInAdvanceBillingIntervalDetail
    ['P1M', '2012-01-30', 'UTC', '2012-02-16T00:00Z', '2012-01-30T00:00 2012-02-29T00:00'],
    ['P1M', '2017-01-31', 'UTC', '2017-03-31T00:00Z', '2017-03-31T00:00 2017-04-30T00:00'],
    // Stripe: 31 January, 28 February, 31 March
    ['P1M', '2026-01-31', 'UTC', '2026-03-05T00:00Z', '2026-02-28T00:00 2026-03-31T00:00'],
    ['P1M', '2026-05-31', 'UTC', '2026-07-01T00:00Z', '2026-06-30T00:00 2026-07-31T00:00'],
    // 29 February comes back
    ['P1Y', '2024-02-29', 'UTC', '2026-01-01T00:00Z', '2025-02-28T00:00 2026-02-28T00:00'],
    ['P1Y', '2024-02-29', 'UTC', '2028-01-01T00:00Z', '2027-02-28T00:00 2028-02-29T00:00'],
    // By the clock on the wall over a change; half past two does not exist on that day
    ['P1D', '2026-03-01T02:30', 'Europe/Berlin', '2026-03-29T02:00Z', '2026-03-29T03:30 2026-03-30T02:30'],
    ['P1M', '2026-01-15T09:00', 'America/New_York', '2026-04-01T00:00Z', '2026-03-15T09:00 2026-04-15T09:00'],
    // Before the anchor, too
    ['P3M', '2026-01-31', 'UTC', '2025-12-01T00:00Z', '2025-10-31T00:00 2026-01-31T00:00'],
    ['P30D', '2026-01-01', 'UTC', '2026-02-01T00:00Z', '2026-01-31T00:00 2026-03-02T00:00'],
    ['PT6H', '2026-03-28T22:00', 'Europe/Berlin', '2026-03-29T02:30Z', '2026-03-28T22:00 2026-03-29T05:00'],
  ] as const;
  for (const [per, at, zone, moment, expected] of cases) assert.equal(showAnchored(per, at, zone, moment), expected);
});

test('a rolling window reaches back from the moment, and lifetime and concurrent have no ends', () => {
  assert.deepEqual(windowAt({ type: 'rolling', per: 'PT90M' }, undefined, 10_000_000), {
    fromMs: 10_000_000 - 5_400_000,
    untilMs: 10_000_000,
    key: 'rolling',
  });
  assert.equal(windowAt({ type: 'lifetime' }, undefined, 5).untilMs, undefined);
  assert.equal(windowAt({ type: 'concurrent' }, undefined, 5).key, 'concurrent');
});

test('a window that needs an anchor is refused without one', () => {
  assert.throws(() => windowAt({ type: 'anchored', per: 'P1M' }, undefined, 0), { code: 'quotas/anchor-missing' });
  assert.throws(() => windowAt({ type: 'calendar', per: 'P1D' }, undefined, 0), { code: 'quotas/anchor-missing' });
});

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Africa/Cairo',
  'Asia/Beirut',
  'America/Havana',
  'America/Sao_Paulo',
  'America/St_Johns',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Asia/Kathmandu',
];
const zones = fc.constantFrom(...ZONES);
const moments = fc.integer({ min: ms('1995-01-01T00:00Z'), max: ms('2035-01-01T00:00Z') });
const anchors = fc
  .tuple(moments, zones)
  .map(([at, zone]): Anchor => ({ at: new Date(at).toISOString().slice(0, 16), zone }));
const specs: fc.Arbitrary<WindowSpec> = fc.oneof(
  fc.record({
    type: fc.constant('calendar' as const),
    per: fc.constantFrom('PT1H', 'P1D', 'P1W', 'P1M', 'P1Y'),
    zone: zones,
  }),
  fc.record({
    type: fc.constant('anchored' as const),
    per: fc.constantFrom('PT7H', 'P1D', 'P30D', 'P2W', 'P1M', 'P3M', 'P1Y'),
  }),
);

test('windows tile the line of time: every moment is in its window, and the next begins where it ends', () => {
  fc.assert(
    fc.property(specs, anchors, moments, (spec, anchor, at) => {
      const { fromMs, untilMs = Infinity, key } = windowAt(spec, anchor, at);
      assert.ok(fromMs <= at && at < untilMs);
      const next = windowAt(spec, anchor, untilMs);
      assert.equal(next.fromMs, untilMs);
      assert.notEqual(next.key, key);
      assert.deepEqual(windowAt(spec, anchor, fromMs), { fromMs, untilMs, key });
      assert.deepEqual(windowAt(spec, anchor, untilMs - 1), { fromMs, untilMs, key });
    }),
    { numRuns: 2_000 },
  );
});

test('an anchored window begins at anchor + n periods, found by counting from the anchor', () => {
  const near = fc.integer({ min: -800, max: 800 });
  fc.assert(
    fc.property(anchors, fc.constantFrom('P1D', 'P1W', 'P1M', 'P1Y'), near, (anchor, per, days) => {
      const wall = Temporal.PlainDateTime.from(anchor.at);
      const start = (n: number): number => {
        const unit = { P1D: 'days', P1W: 'weeks', P1M: 'months', P1Y: 'years' }[per] ?? '';
        return wall.add({ [unit]: n }).toZonedDateTime(anchor.zone).epochMilliseconds;
      };
      const at = wall.toZonedDateTime(anchor.zone).epochMilliseconds + days * 24 * HOUR + 1;
      let n = 0;
      while (start(n) > at) n -= 1;
      while (start(n + 1) <= at) n += 1;
      const { fromMs, untilMs } = windowAt({ type: 'anchored', per }, anchor, at);
      assert.deepEqual([fromMs, untilMs], [start(n), start(n + 1)]);
    }),
  );
});

test('a window with a field of another type, or without a required one, is refused with the field', () => {
  const problems = (window: WindowSpec): string[] =>
    windowProblems(window, ['spec', 'window']).map(({ path, detail }) => `${path.at(-1)}: ${detail}`);
  assert.deepEqual(problems({ type: 'calendar', per: 'P1W', zone: 'Asia/Tokyo', weekStart: 'sun' }), []);
  assert.deepEqual(problems({ type: 'anchored', per: 'P999D' }), []);
  assert.deepEqual(problems({ type: 'rolling', per: 'PT744H' }), []);
  assert.deepEqual(problems({ type: 'lifetime' }), []);
  assert.deepEqual(problems({ type: 'calendar', per: 'P2M', zone: 'Mars/Olympus', weekStart: 'mon' }), [
    'per: "P2M" is no length of a calendar window, which is PT1H, P1D, P1W, P1M or P1Y.',
    'zone: "Mars/Olympus" is not a time zone of the IANA database.',
    'weekStart: Only windows of a calendar week (P1W) have a first day.',
  ]);
  assert.match(problems({ type: 'calendar' })[0] ?? '', /^per: A calendar window has a length/);
  assert.match(problems({ type: 'anchored', per: 'P0M' })[0] ?? '', /^per: "P0M" is no length/);
  assert.match(problems({ type: 'rolling', per: 'PT745H' })[0] ?? '', /at most 744 hours/);
  assert.match(problems({ type: 'lifetime', per: 'P1D' })[0] ?? '', /^per: A lifetime window has no length/);
  assert.match(problems({ type: 'anchored', per: 'P1M', zone: 'UTC' })[0] ?? '', /^zone: Only calendar windows/);
});
