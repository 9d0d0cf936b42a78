import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextStep, retryAfterMs, retryMs } from './schedule.ts';

test('waits double up to ten minutes, spread, and never end before the receiver wants it, up to an hour', () => {
  const plain = [1, 2, 3, 10, 1_000].map((attempts) => retryMs(attempts, undefined, () => 1));
  assert.deepEqual(plain, [2_000, 4_000, 8_000, 600_000, 600_000]);
  assert.deepEqual([retryMs(1, 30_000, () => 1), retryMs(1, 86_400_000, () => 1)], [30_000, 3_600_000]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, chance) => {
      const full = retryMs(attempts, undefined, () => 1);
      const ms = retryMs(attempts, undefined, () => chance);
      assert.ok(ms >= full / 2 && ms <= full);
    }),
  );
});

test('Retry-After is read as seconds or as a date, and anything else is ignored', () => {
  const nowMs = Date.parse('2026-05-01T12:00:00Z');
  assert.equal(retryAfterMs('120', nowMs), 120_000);
  assert.equal(retryAfterMs('Fri, 01 May 2026 12:01:00 GMT', nowMs), 60_000);
  assert.equal(retryAfterMs('Fri, 01 May 2026 11:00:00 GMT', nowMs), 0);
  // However long it asks for, it is an hour.
  for (const long of ['99999999999', '9'.repeat(400)]) {
    assert.equal(
      retryMs(1, retryAfterMs(long, nowMs), () => 1),
      3_600_000,
    );
  }
  for (const nothing of [undefined, '', 'soon']) assert.equal(retryAfterMs(nothing, nowMs), undefined);
});

test('a notification that nobody took for a day is given up, and that is put on its status once', () => {
  const atMs = Date.parse('2026-05-01T12:00:00Z');
  const day = atMs + 24 * 3_600_000;
  const nextAt = '2026-05-01T12:00:10Z';
  const givenUpAt = '2026-05-02T12:00:00Z';
  const problem = 'It answered 500.';
  const cases = [
    [{ attempts: 0 }, atMs, { at: 'due' }],
    [{ attempts: 1, problem, nextAt }, atMs, { at: 'waiting', afterMs: 10_000 }],
    [{ attempts: 1, problem, nextAt }, atMs + 10_000, { at: 'due' }],
    [{ attempts: 1, problem, nextAt }, day - 1, { at: 'due' }],
    [
      { attempts: 1, problem, nextAt },
      day,
      { at: 'givenUp', status: { attempts: 1, problem: 'Given up: It answered 500.', nextAt: null, givenUpAt } },
    ],
    [
      { attempts: 0 },
      day,
      { at: 'givenUp', status: { attempts: 0, problem: 'Given up: never tried', nextAt: null, givenUpAt } },
    ],
    [{ attempts: 1, problem: 'Given up: It answered 500.', givenUpAt }, day, { at: 'givenUp' }],
    // It was given up at once, and is not tried again after a restart.
    [{ attempts: 1, problem: 'Given up: its host.', givenUpAt: '2026-05-01T12:00:01Z' }, atMs, { at: 'givenUp' }],
  ] as const;
  for (const [before, nowMs, want] of cases) assert.deepEqual(nextStep(atMs, before, nowMs), want);
});
