import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateLimiter } from './rate.ts';

test('no stretch of time lets more through than its rate and one burst, and a caller that keeps to the rate is never refused', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 10 }), (gaps, perSecond, burst) => {
      const limiter = new RateLimiter();
      const allowedAt: number[] = [];
      let nowMs = 0;
      for (const gap of gaps) {
        nowMs += gap;
        if (limiter.spend('a', { perSecond, burst }, nowMs)) allowedAt.push(nowMs);
      }
      for (const [first, from] of allowedAt.entries()) {
        for (const [last, until] of allowedAt.entries()) {
          if (last < first) continue;
          assert.ok(last - first + 1 <= burst + ((until - from) * perSecond) / 1_000 + 1e-9);
        }
      }
      const steady = new RateLimiter();
      const everyMs = Math.ceil(1_000 / perSecond);
      for (let time = 0; time < 50; time += 1) assert.ok(steady.spend('b', { perSecond, burst }, time * everyMs));
    }),
  );
});

test('callers do not share a bucket', () => {
  const limiter = new RateLimiter();
  const rate = { perSecond: 1, burst: 1 };
  assert.deepEqual(
    [limiter.spend('a', rate, 0), limiter.spend('a', rate, 0), limiter.spend('b', rate, 0)],
    [true, false, true],
  );
});

test('a request that costs more than there is goes through once, and its debt is paid before anything else', () => {
  const limiter = new RateLimiter();
  const rate = { perSecond: 10, burst: 10 };
  assert.equal(limiter.spend('a', rate, 0, 100), true);
  assert.equal(limiter.spend('a', rate, 8_900), false);
  assert.equal(limiter.spend('a', rate, 9_100), true);
  limiter.charge('a', rate, 9_100, 50);
  assert.equal(limiter.spend('a', rate, 13_900), false);
  assert.equal(limiter.spend('a', rate, 14_200), true);
});
