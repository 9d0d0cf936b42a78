import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import { CURRENCIES } from '#kernel/base/currencies.ts';
import { isFault } from './fault.ts';
import { overlapProblems, pastProblems, readTimeline, type TimelineEntry } from './price-timeline.ts';
import { instantText, isZone, parseTime, timeInWords } from './times.ts';

const reading = { zone: 'UTC', exponentOf: (currency: string) => CURRENCIES.get(currency) };
const read = (timeline: readonly TimelineEntry[]) => readTimeline(timeline, reading);
const entry = (from: string, until?: string, amount = '12.99', currency = 'EUR'): TimelineEntry => ({
  from,
  ...(until === undefined ? {} : { until }),
  amount,
  currency,
});
const linesOf = (problems: readonly Problem[]) => problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
const at = (date: string) => Temporal.Instant.from(`${date}T00:00:00Z`).epochMilliseconds;

test('a date begins at its first moment in the zone, also where that day has no midnight or two', () => {
  const vectors = [
    ['2026-04-24', 'Africa/Cairo', '2026-04-23T22:00:00Z'],
    ['2026-03-29', 'Asia/Beirut', '2026-03-28T22:00:00Z'],
    ['2026-03-08', 'America/Havana', '2026-03-08T05:00:00Z'],
    ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00Z'],
    ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00Z'],
    ['2022-03-22', 'Asia/Tehran', '2022-03-21T20:30:00Z'],
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00Z'],
    ['2026-12-01', 'Europe/Berlin', '2026-11-30T23:00:00Z'],
    ['2011-12-30', 'Pacific/Apia', '2011-12-30T10:00:00Z'],
  ] as const;
  for (const [date, zone, expected] of vectors) {
    const moment = parseTime(date, zone);
    assert.ok(!isFault(moment));
    assert.equal(instantText(moment), expected, `${date} in ${zone}`);
  }
});

test('a text that is no time is refused with a sentence', () => {
  for (const text of [
    '2026-13-01',
    '2026-02-30',
    '2026-1-1',
    'tomorrow',
    '2026-12-01T00:00',
    '2026-12-01T00:00:00.1234Z',
    '',
  ]) {
    const moment = parseTime(text, 'UTC');
    assert.ok(isFault(moment), text);
    assert.ok(moment.fault.includes(`"${text}"`));
  }
});

test('only names of the time zone database are zones', () => {
  for (const zone of ['Europe/Berlin', 'UTC', 'Pacific/Apia']) assert.ok(isZone(zone), zone);
  for (const zone of ['+02:00', 'Europe/Berlim', '', 'Mars/Olympus']) assert.ok(!isZone(zone), zone);
});

test('times are written by date, and by time of day where the day had begun', () => {
  assert.equal(timeInWords(at('2026-12-01'), 'UTC'), '1 December 2026');
  assert.equal(timeInWords(at('2026-12-01'), 'Europe/Berlin'), '1 December 2026, 01:00 (Europe/Berlin)');
  assert.equal(
    timeInWords(Temporal.Instant.from('2026-04-23T22:00:00Z').epochMilliseconds, 'Africa/Cairo'),
    '24 April 2026',
  );
});

test('an entry ends at its until, or where the next begins', () => {
  const { windows, problems } = read([entry('2024-01-01', '2024-06-01'), entry('2025-01-01'), entry('2026-01-01')]);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    windows.map(({ from, until }) => [from, until]),
    [
      [at('2024-01-01'), at('2024-06-01')],
      [at('2025-01-01'), at('2026-01-01')],
      [at('2026-01-01'), Infinity],
    ],
  );
});

test('each problem of a timeline has its path', () => {
  const vectors: [readonly TimelineEntry[], string, RegExp][] = [
    [[entry('2024-01-01', undefined, '12.999')], 'spec.timeline[0].amount', /EUR has at most 2 decimals/],
    [[entry('2024-01-01', undefined, '-1.00')], 'spec.timeline[0].amount', /-1.00 is below zero/],
    [[entry('2024-01-01', undefined, '1.00', 'EUX')], 'spec.timeline[0].currency', /"EUX" is not a currency/],
    [[entry('soon')], 'spec.timeline[0].from', /"soon"/],
    [[entry('2024-01-01', 'later')], 'spec.timeline[0].until', /"later"/],
    [[entry('2024-01-01', '2024-01-01')], 'spec.timeline[0].until', /not after it begins at 2024-01-01/],
    [
      [entry('2025-01-01'), entry('2024-01-01')],
      'spec.timeline[1].from',
      /2024-01-01 .* not begin after .* 2025-01-01/,
    ],
    [
      [entry('2024-01-01', '2025-02-01'), entry('2025-01-01')],
      'spec.timeline[1].from',
      /overlaps EUR 12.99 from 2024-01-01 until 2025-02-01/,
    ],
  ];
  for (const [timeline, path, sentence] of vectors) {
    const [problem] = read(timeline).problems;
    assert.ok(problem !== undefined, path);
    assert.equal(fieldPath(problem.path), path);
    assert.match(problem.detail, sentence);
  }
});

test('an entry with no end of another price overlaps everything after it; one that ends when this begins does not', () => {
  const mine = read([entry('2026-12-01', undefined, '13.99')]).windows;
  const open = { kind: 'Price', name: 'premium-de', windows: read([entry('2025-01-01')]).windows };
  assert.deepEqual(linesOf(overlapProblems(mine, open)), [
    'spec.timeline[0].from: EUR 13.99 from 2026-12-01 with no end overlaps EUR 12.99 from 2025-01-01 with no end of Price "premium-de". ' +
      'Append the new entry to the timeline of "premium-de", or give that entry an until.',
  ]);
  assert.deepEqual(
    overlapProblems(mine, { kind: 'Price', name: 'x', windows: read([entry('2025-01-01', '2026-12-01')]).windows }),
    [],
  );
});

test('two sets of windows overlap exactly when some day is in both', () => {
  const days = fc
    .uniqueArray(fc.integer({ min: 1, max: 28 }), { minLength: 2, maxLength: 8 })
    .map((all) => all.toSorted((a, b) => a - b));
  const date = (day: number | undefined) => `2026-01-${String(day).padStart(2, '0')}`;
  const timeline = (bounds: readonly number[]) =>
    bounds.flatMap((from, index) => (index % 2 === 0 ? [entry(date(from), date(bounds[index + 1] ?? 29))] : []));
  const holds = (bounds: readonly number[], day: number) =>
    bounds.some((from, index) => index % 2 === 0 && from <= day && day < (bounds[index + 1] ?? 29));
  fc.assert(
    fc.property(days, days, (a, b) => {
      const expected = Array.from({ length: 29 }, (_, day) => day).some((day) => holds(a, day) && holds(b, day));
      const problems = overlapProblems(read(timeline(a)).windows, {
        kind: 'Price',
        name: 'b',
        windows: read(timeline(b)).windows,
      });
      assert.equal(problems.length > 0, expected);
    }),
  );
});

const NOW = at('2026-06-15');
const pastOf = (before: readonly TimelineEntry[], after: readonly TimelineEntry[]) =>
  linesOf(pastProblems(read(before).windows, read(after).windows, NOW));
const history = [
  entry('2024-01-01', '2025-01-01', '9.99'),
  entry('2025-06-01', undefined, '12.99'),
  entry('2026-12-01', undefined, '13.99'),
];
const [old, current, future] = history as [TimelineEntry, TimelineEntry, TimelineEntry];

test('entries that are still to come may change, go, or be added to', () => {
  assert.deepEqual(pastOf(history, [old, current]), []);
  assert.deepEqual(pastOf(history, [old, current, { ...future, amount: '14.99' }]), []);
  assert.deepEqual(pastOf(history, [old, current, { ...future, from: '2026-06-15' }]), []);
  assert.deepEqual(pastOf(history, [old, current, future, entry('2027-12-01', undefined, '14.99')]), []);
  assert.deepEqual(pastOf(history, [old, { ...current, until: '2026-06-15' }]), []);
  assert.deepEqual(pastOf(history, [old, { ...current, until: '2026-09-01' }, future]), []);
});

test('entries that have begun keep start, amount and currency, and nothing is put before now', () => {
  const refused: [readonly TimelineEntry[], RegExp][] = [
    [
      [old, { ...current, amount: '11.99' }, future],
      /timeline\[1\].amount: EUR 12.99 from 2025-06-01 .* can no longer become EUR 11.99/,
    ],
    [[old, { ...current, currency: 'USD' }, future], /timeline\[1\].currency: /],
    [[old, { ...current, from: '2025-07-01' }, future], /timeline\[1\].from: .* entry 1 now begins at 2025-07-01/],
    [[{ ...old, until: '2025-03-01' }, current, future], /timeline\[0\].until: .* has ended .* can no longer move/],
    [[{ ...old, until: '2024-03-01' }, current, future], /timeline\[0\].until: /],
    [
      [old, { ...current, until: '2026-06-14' }, future],
      /timeline\[1\].until: .* cannot end at 2026-06-14, before now/,
    ],
    [[current, future], /timeline\[0\].from: /],
    [[old], /timeline: EUR 12.99 .* can no longer be removed/],
    [[old, { ...current, until: '2026-07-01' }, { ...future, from: '2026-07-01' }, entry('2026-08-01')], /^$/],
    [[old, current, { ...future, from: '2026-06-01' }], /timeline\[2\].from: .* would begin before now/],
  ];
  for (const [after, expected] of refused) assert.match(pastOf(history, after)[0] ?? '', expected);
});

test('no accepted change alters a price at any moment before now', () => {
  const dates = fc
    .uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 6 })
    .map((all) => all.toSorted((a, b) => a - b));
  const start = at('2026-05-26');
  const timelineOf = fc
    .record({
      dates,
      gaps: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      amounts: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 }),
    })
    .map(({ dates, gaps, amounts }) =>
      dates.map((day, index) =>
        entry(
          instantText(start + day * 86_400_000),
          gaps[index] === true ? instantText(start + day * 86_400_000 + 43_200_000) : undefined,
          `${amounts[index]}.00`,
        ),
      ),
    );
  const priceAt = (timeline: readonly TimelineEntry[], moment: number) =>
    read(timeline).windows.find(({ from, until }) => from <= moment && moment < until)?.money.minor;
  fc.assert(
    fc.property(timelineOf, timelineOf, fc.nat(6), (before, other, kept) => {
      const after = [...before.slice(0, kept), ...other.slice(kept)];
      if (after.length === 0 || read(after).problems.length > 0 || pastOf(before, after).length > 0) return;
      for (let moment = start; moment < NOW; moment += 21_600_000)
        assert.equal(priceAt(after, moment), priceAt(before, moment));
    }),
    { numRuns: 500 },
  );
});
