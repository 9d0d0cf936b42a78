import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineTimes } from './engine-times.ts';

const BEGUN = { awakeSinceMs: 1_000, asleepSinceMs: 400 };

const TABLE: readonly (readonly [title: string, nowMs: number, steadyMs: number, leapMs: number])[] = [
  ['time passes', 61_000, 60_000, 0],
  ['the clock is slowed down', 60_500, 60_000, 0],
  ['the clock goes back', 1_000, 60_000, 0],
  ['the clock goes forward a little', 65_999, 60_000, 0],
  ['the clock leaps', 66_000, 60_000, 5_000],
  ['the machine sleeps for an hour', 3_601_000, 0, 3_600_000],
];

for (const [title, nowMs, steadyMs, leapMs] of TABLE) {
  test(`a leap of the clock is time without an engine: ${title}`, () => {
    const times = new EngineTimes(BEGUN, 1_000, 0);
    assert.equal(times.noticeLeap(nowMs, steadyMs), leapMs > 0);
    assert.deepEqual(times.now, leapMs > 0 ? { awakeSinceMs: nowMs, asleepSinceMs: nowMs - leapMs } : BEGUN);
  });
}

test('a leap is noticed once', () => {
  const times = new EngineTimes(BEGUN, 0, 0);
  assert.equal(times.noticeLeap(20_000, 10_000), true);
  assert.equal(times.noticeLeap(30_000, 20_000), false);
  assert.deepEqual(times.now, { awakeSinceMs: 20_000, asleepSinceMs: 10_000 });
});
