import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { weeklyWindow } from '#kernel/audiences/language/compile-time.ts';
import {
  FLAT,
  findRelease,
  quarterOfWeek,
  QUARTER_MS,
  QUARTERS_OF_WEEK,
  releasedAt,
  sharesOf,
  weeklyCurve,
} from './pacing.ts';

const START = Date.UTC(2026, 10, 30);
const DAY_MS = 86_400_000;

const means = fc
  .array(fc.integer({ min: 0, max: 50 }), { minLength: QUARTERS_OF_WEEK, maxLength: QUARTERS_OF_WEEK })
  .map((values) => Float64Array.from(values));
const moment = fc.integer({ min: START, max: START + 3 * DAY_MS });

test('a weekly curve adds up the quarters between two moments', () => {
  fc.assert(
    fc.property(means, moment, fc.integer({ min: 0, max: 300 }), (values, fromMs, quarters) => {
      const from = Math.floor(fromMs / QUARTER_MS) * QUARTER_MS;
      const least = (0.02 * values.reduce((sum, value) => sum + value, 0)) / QUARTERS_OF_WEEK;
      let naive = 0;
      for (let n = 0; n < quarters; n += 1)
        naive += Math.max(least, values[quarterOfWeek(from + n * QUARTER_MS)] as number);
      if (values.some((value) => value > 0))
        assert.ok(Math.abs(weeklyCurve(values)(from, from + quarters * QUARTER_MS) - naive) < 1e-6);
    }),
  );
  assert.equal(weeklyCurve(new Float64Array(QUARTERS_OF_WEEK)), FLAT);
});

test('within parts of the week alone traffic counts, by a clock that is so far from UTC', () => {
  const evenings = sharesOf([weeklyWindow({ from: '18:10', until: '22:00' })], 3_600_000);
  const at = (clock: string) => evenings[quarterOfWeek(Date.parse(`2026-12-01T${clock}:00Z`))];
  assert.deepEqual(['16:45', '17:00', '17:15', '20:45', '21:00'].map(at), [0, 1 / 3, 1, 1, 0]);
  const nights = sharesOf([weeklyWindow({ days: ['sun'], from: '23:30', until: '00:30' })], 0);
  assert.deepEqual(
    [...nights.entries()].flatMap(([quarter, share]) => (share > 0 ? [quarter] : [])),
    ['2026-12-06T23:30Z', '2026-12-06T23:45Z', '2026-12-07T00:00Z', '2026-12-07T00:15Z']
      .map((text) => quarterOfWeek(Date.parse(text)))
      .toSorted((a, b) => a - b),
  );
  fc.assert(
    fc.property(means, moment, fc.integer({ min: 0, max: DAY_MS }), (values, fromMs, ms) => {
      const all = weeklyCurve(values)(fromMs, fromMs + ms);
      const [in_, out] = [evenings, evenings.map((share) => 1 - share)].map((shares) =>
        weeklyCurve(values, shares)(fromMs, fromMs + ms),
      );
      // Traffic that is not known is the same in each quarter.
      const unit = values.some((value) => value > 0) ? 1 : QUARTER_MS;
      assert.ok(Math.abs(((in_ as number) + (out as number)) * unit - all) < 1e-6 * (all + 1));
    }),
  );
});

test('units are released along the curve: never back, never above the limit, all of them at the end', () => {
  const spread = fc.record({
    limit: fc.integer({ min: 1, max: 1_000_000 }),
    used: fc.integer({ min: 0, max: 1_000_000 }),
    at: fc.integer({ min: 0, max: DAY_MS }),
  });
  fc.assert(
    fc.property(spread, means, moment, moment, ({ limit, used, at }, values, one, other) => {
      const curve = weeklyCurve(values);
      const untilMs = START + DAY_MS;
      const time = { limit, fromMs: START, untilMs, base: { released: Math.min(used, limit), atMs: START + at } };
      const [early, late] = [Math.min(one, other), Math.max(one, other)];
      const released = [early, late].map((ms) => releasedAt(Math.max(ms, time.base.atMs), time, curve));
      assert.ok((released[0] as number) <= (released[1] as number) && (released[1] as number) <= limit);
      const end = releasedAt(untilMs, time, curve);
      if (at === 0) assert.equal(end, limit);
      const when = findRelease(end, time, curve);
      assert.ok(when !== undefined && releasedAt(when, time, curve) === end);
      assert.equal(end < limit ? findRelease(limit, time, curve) : undefined, undefined);
    }),
  );
});

test('a rest that fell behind is spread over the rest of the day, and caught up at three times the rate at most', () => {
  const noon = {
    limit: 2_400,
    fromMs: START,
    untilMs: START + DAY_MS,
    base: { released: 0, atMs: START + DAY_MS / 2 },
  };
  const hour = (n: number) => START + DAY_MS / 2 + n * 3_600_000;
  assert.deepEqual(
    [0, 1, 6, 12].map((n) => releasedAt(hour(n), noon, FLAT)),
    [0, 200, 1_200, 2_400],
  );
  // Raised a minute before midnight: a minute's worth three times over, not all of it at once.
  const late = { ...noon, limit: 144_000, base: { released: 2_400, atMs: START + DAY_MS - 60_000 } };
  assert.equal(releasedAt(START + DAY_MS, late, FLAT), 2_400 + 300);
  // Lowered below the use: nothing more.
  assert.equal(releasedAt(hour(3), { ...noon, base: { released: 3_000, atMs: hour(1) } }, FLAT), 2_400);
});
