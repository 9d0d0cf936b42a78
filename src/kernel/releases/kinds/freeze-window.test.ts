import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { spanAfter, windowProblem, type FreezeWindow } from './freeze-window.ts';

const at = (text: string): number => Temporal.Instant.from(text).epochMilliseconds;
const showTime = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : Temporal.Instant.fromEpochMilliseconds(ms).toString();

/** Until when a window is open; undefined when it is closed. */
function openUntil(window: FreezeWindow, nowMs: number): number | undefined {
  const span = spanAfter(window, nowMs);
  return span === undefined || span.fromMs > nowMs ? undefined : span.untilMs;
}

test('a window is open from its start on, and closed at its end', () => {
  const window = { timeZone: 'Europe/Stockholm', start: '2026-12-24T12:00', end: '2026-12-27T00:00' };
  const cases: [string, string | undefined][] = [
    ['2026-12-24T10:59:59.999Z', undefined],
    ['2026-12-24T11:00:00Z', '2026-12-26T23:00:00Z'],
    ['2026-12-26T22:59:59.999Z', '2026-12-26T23:00:00Z'],
    ['2026-12-26T23:00:00Z', undefined],
  ];
  for (const [now, until] of cases) assert.equal(showTime(openUntil(window, at(now))), until, now);
});

test('a night that comes again goes over midnight, and by the clocks of its zone when they change', () => {
  const night = { timeZone: 'Europe/Stockholm', start: '2026-01-01T22:00', rrule: 'FREQ=DAILY', duration: 'PT8H' };
  const cases: [string, string | undefined][] = [
    ['2026-01-01T20:59:00Z', undefined],
    ['2026-01-01T21:00:00Z', '2026-01-02T05:00:00Z'],
    ['2026-01-02T04:59:00Z', '2026-01-02T05:00:00Z'],
    ['2026-01-02T05:00:00Z', undefined],
    // Summer time begins in this night: eight hours are eight hours.
    ['2026-03-28T21:00:00Z', '2026-03-29T05:00:00Z'],
    ['2026-03-29T20:00:00Z', '2026-03-30T04:00:00Z'],
    ['2026-10-24T20:00:00Z', '2026-10-25T04:00:00Z'],
  ];
  for (const [now, until] of cases) assert.equal(showTime(openUntil(night, at(now))), until, now);
});

test('a window that begins in the hour that clocks skip begins on all other days', () => {
  const window = { timeZone: 'Europe/Stockholm', start: '2026-03-01T02:30', rrule: 'FREQ=DAILY', duration: 'PT30M' };
  assert.equal(showTime(openUntil(window, at('2026-03-28T01:30:00Z'))), '2026-03-28T02:00:00Z');
  assert.equal(openUntil(window, at('2026-03-29T01:30:00Z')), undefined);
  assert.equal(showTime(openUntil(window, at('2026-03-30T00:30:00Z'))), '2026-03-30T01:00:00Z');
  // Twice 02:30: it is the first.
  assert.equal(showTime(openUntil(window, at('2026-10-25T00:30:00Z'))), '2026-10-25T01:00:00Z');
  assert.equal(openUntil(window, at('2026-10-25T01:30:00Z')), undefined);
});

test('weekends come again on their days alone', () => {
  const weekend = { timeZone: 'UTC', start: '2026-05-01T18:00', rrule: 'FREQ=WEEKLY;BYDAY=FR', duration: 'P2DT12H' };
  assert.equal(openUntil(weekend, at('2026-05-11T12:00:00Z')), undefined);
  assert.equal(showTime(openUntil(weekend, at('2026-05-09T12:00:00Z'))), '2026-05-11T06:00:00Z');
  assert.equal(openUntil(weekend, at('2026-05-07T18:00:00Z')), undefined);
});

/** The oracle: looks at every day since the first, with nothing but the calendar. */
function naiveSpans(start: Temporal.PlainDateTime, timeZone: string, every: number, duration: string) {
  const spans: { fromMs: number; untilMs: number }[] = [];
  for (let day = 0; day < 800; day += every) {
    const local = start.add({ days: day });
    const zoned = local.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
    // A time that the clocks skip is none.
    if (!zoned.toPlainDateTime().equals(local)) continue;
    spans.push({ fromMs: zoned.epochMilliseconds, untilMs: zoned.add(duration).epochMilliseconds });
  }
  return spans;
}

test('at any moment of two years a window that comes again is open when the calendar says so, and its next edge is known', () => {
  const zones = fc.constantFrom('UTC', 'Europe/Stockholm', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata');
  fc.assert(
    fc.property(
      zones,
      fc.integer({ min: 0, max: 23 }),
      fc.constantFrom(0, 15, 30, 45),
      fc.constantFrom(1, 2, 7),
      fc.oneof(
        fc.integer({ min: 1, max: 24 * 60 }).map((minutes) => `PT${minutes}M`),
        fc.constantFrom('P1D', 'P2D', 'P1DT12H'),
      ),
      fc.integer({ min: 0, max: 730 * 24 * 60 }),
      (timeZone, hour, minute, every, duration, later) => {
        const start = Temporal.PlainDateTime.from({ year: 2026, month: 1, day: 1, hour, minute });
        const window = {
          timeZone,
          start: start.toString({ smallestUnit: 'minute' }),
          rrule: `FREQ=DAILY;INTERVAL=${every}`,
          duration,
        };
        const nowMs = at('2026-01-01T00:00:00Z') + later * 60_000;
        const spans = naiveSpans(start, timeZone, every, duration);
        const open = spans.findLast(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs);
        assert.equal(showTime(openUntil(window, nowMs)), showTime(open?.untilMs), JSON.stringify(window));
        if (open !== undefined) return;
        const next = spans.find(({ fromMs }) => fromMs > nowMs);
        assert.equal(showTime(spanAfter(window, nowMs)?.fromMs), showTime(next?.fromMs), JSON.stringify(window));
      },
    ),
    { numRuns: 200 },
  );
});

test('a day of a duration is a day of the calendar, also when the clocks change in it', () => {
  const sundays = {
    timeZone: 'Europe/Stockholm',
    start: '2026-01-04T00:00',
    rrule: 'FREQ=WEEKLY;BYDAY=SU',
    duration: 'P1D',
  };
  // 25 hours and 23 hours.
  assert.equal(showTime(openUntil(sundays, at('2026-10-25T22:59:59Z'))), '2026-10-25T23:00:00Z');
  assert.equal(openUntil(sundays, at('2026-10-25T23:00:00Z')), undefined);
  assert.equal(showTime(openUntil(sundays, at('2026-03-29T21:59:59Z'))), '2026-03-29T22:00:00Z');
  assert.equal(openUntil(sundays, at('2026-03-29T22:00:00Z')), undefined);
  // Every day has no hole.
  const always = { ...sundays, rrule: 'FREQ=DAILY' };
  for (let hour = 0; hour < 72; hour += 1) {
    assert.notEqual(openUntil(always, at('2026-10-24T00:30:00Z') + hour * 3_600_000), undefined, String(hour));
  }
});

test('a rule that is expensive or repeats within the hour is refused; usual ones are not', () => {
  const now = Temporal.Instant.from('2026-06-15T00:00:00Z');
  const problem = (rrule: string, start: string) =>
    windowProblem({ timeZone: 'Europe/Stockholm', start, rrule, duration: 'PT8H' }, now)?.detail;
  const refused: [rrule: string, start: string, text: RegExp][] = [
    ['FREQ=SECONDLY;INTERVAL=7;BYMONTH=2', '2026-01-01T00:00', /within the hour/],
    ['FREQ=MINUTELY;BYMONTH=12', '2020-01-01T00:00', /within the hour/],
    ['FREQ=HOURLY;BYMINUTE=0,15,30,45', '2020-01-01T00:00', /within the hour/],
    ['FREQ=DAILY;COUNT=5000', '2020-01-01T00:00', /use UNTIL/],
    ['FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29', '2020-01-01T00:00', /takes too long/],
  ];
  for (const [rrule, start, text] of refused) assert.match(problem(rrule, start) ?? '', text, rrule);
  const fine = [
    'FREQ=DAILY',
    'FREQ=DAILY;BYMONTH=12',
    'FREQ=HOURLY;BYDAY=SU',
    'FREQ=WEEKLY;BYDAY=FR,SA',
    'FREQ=MONTHLY;BYDAY=-1FR',
    'FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13',
    'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29',
    'FREQ=YEARLY;BYWEEKNO=52,53',
    'FREQ=DAILY;COUNT=100',
    'FREQ=DAILY;BYHOUR=9,12;BYMINUTE=30',
    'FREQ=DAILY;UNTIL=20210101T000000Z',
  ];
  for (const rrule of fine) assert.equal(problem(rrule, '2000-01-01T22:00'), undefined, rrule);
});

test('a window that cannot be evaluated is refused, with a remedy', () => {
  const now = Temporal.Instant.from('2026-06-15T00:00:00Z');
  const good = { timeZone: 'UTC', start: '2026-01-01T22:00' };
  const cases: [Partial<FreezeWindow>, string, RegExp][] = [
    [{ start: '2026-02-30T00:00', end: '2026-03-01T00:00' }, 'start', /no valid date/],
    [{ timeZone: 'Europe/Stokholm', end: '2026-03-01T00:00' }, 'timeZone', /IANA/],
    [{ end: '2026-01-01T22:00' }, 'end', /not after its start/],
    [{ end: '2025-01-01T22:00' }, 'end', /not after its start/],
    [{ rrule: 'FREQ=SOMETIMES', duration: 'PT1H' }, 'rrule', /no rule/],
    [{ rrule: 'every night', duration: 'PT1H' }, 'rrule', /no rule/],
    [{ rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', duration: 'PT1H' }, 'rrule', /never comes|no rule/],
  ];
  for (const [wrong, field, text] of cases) {
    const problem = windowProblem({ ...good, ...wrong }, now);
    assert.deepEqual(problem?.path, ['spec', field], JSON.stringify(wrong));
    assert.match(problem?.detail ?? '', text);
  }
  assert.equal(windowProblem({ ...good, rrule: 'FREQ=DAILY', duration: 'PT1H' }, now), undefined);
});
