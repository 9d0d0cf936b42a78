import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { retryAfterMs, retryMs } from './schedule.ts';

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

test('how long to wait is told in seconds or by a date, and anything else tells nothing', () => {
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
