import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { firstDayKept, isClosed } from './file-days.ts';

test('a day is kept as long as one of its moments is younger than the retention', () => {
  const cases: readonly [retention: string, now: string, first: string][] = [
    ['P1D', '2026-05-10T00:00:00Z', '2026-05-09'],
    ['P1D', '2026-05-10T23:59:59Z', '2026-05-09'],
    ['P30D', '2026-05-10T12:00:00Z', '2026-04-10'],
    ['P1DT12H', '2026-05-10T11:59:59Z', '2026-05-08'],
    ['P1DT12H', '2026-05-10T12:00:00Z', '2026-05-09'],
    ['P365D', '2028-02-29T00:00:00Z', '2027-03-01'],
  ];
  for (const [retention, now, first] of cases) assert.equal(firstDayKept(retention, Temporal.Instant.from(now)), first);
});

test('no event younger than its retention is dropped, and none stays a day longer', () => {
  const hour = fc.integer({ min: 0, max: 24 * 800 });
  fc.assert(
    fc.property(hour, hour, fc.integer({ min: 1, max: 400 }), (at, later, days) => {
      const event = Temporal.Instant.from('2026-01-01T00:00:00Z').add({ hours: at });
      const now = event.add({ hours: later });
      const isDropped = event.toString().slice(0, 10) < firstDayKept(`P${days}D`, now);
      if (isDropped) assert.ok(later > days * 24);
      if (later >= (days + 1) * 24) assert.ok(isDropped);
    }),
  );
});

test('a day is closed when all that came until the end of the next day is in files', () => {
  assert.equal(isClosed('2026-05-10', Temporal.Instant.from('2026-05-11T23:59:59.999Z')), false);
  assert.equal(isClosed('2026-05-10', Temporal.Instant.from('2026-05-12T00:00:00Z')), true);
});
