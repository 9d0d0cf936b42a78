import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cappedUntilMs, countedScope, windowMsOf, type CapScope, type Exposure } from './frequency.ts';

const caps = fc.array(fc.record({ count: fc.integer({ min: 1, max: 5 }), windowMs: fc.integer({ min: 1, max: 30 }) }), {
  maxLength: 6,
});
const exposures = fc.array(fc.record({ hasPlayed: fc.boolean(), ms: fc.integer({ min: 0, max: 60 }) }), {
  maxLength: 12,
});

/** Counts at one moment, without any order. */
function naiveIsCapped(
  all: readonly { readonly count: number; readonly windowMs: number }[],
  known: readonly Exposure[],
  nowMs: number,
): boolean {
  return all.some(({ count, windowMs }) => {
    const counted = known.filter(({ hasPlayed, ms }) => (hasPlayed ? ms > nowMs - windowMs : ms > nowMs));
    return counted.length >= count;
  });
}

test('a cap holds until the moment that counting finds, and not longer', () => {
  fc.assert(
    fc.property(caps, exposures, (all, known) => {
      const until = cappedUntilMs(all, known);
      for (let nowMs = -1; nowMs < 100; nowMs += 1) {
        assert.equal(nowMs < until, naiveIsCapped(all, known, nowMs), `at ${nowMs}, capped until ${until}`);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever is served and plays late, no window has more exposures than the cap', () => {
  const steps = fc.array(
    fc.record({ afterMs: fc.integer({ min: 0, max: 8 }), playsAfterMs: fc.integer({ min: 0, max: 15 }) }),
    { minLength: 1, maxLength: 40 },
  );
  const LIFE_MS = 10;
  fc.assert(
    fc.property(caps, steps, (all, plan) => {
      let nowMs = 0;
      const served: { readonly playsMs: number; readonly untilMs: number }[] = [];
      for (const { afterMs, playsAfterMs } of plan) {
        nowMs += afterMs;
        const known = served.map(({ playsMs, untilMs }) =>
          playsMs < untilMs && playsMs <= nowMs ? { hasPlayed: true, ms: playsMs } : { hasPlayed: false, ms: untilMs },
        );
        if (nowMs < cappedUntilMs(all, known)) continue;
        served.push({ playsMs: nowMs + playsAfterMs, untilMs: nowMs + LIFE_MS });
      }
      const played = served.filter(({ playsMs, untilMs }) => playsMs < untilMs).map(({ playsMs }) => playsMs);
      for (const { count, windowMs } of all) {
        for (const end of played) {
          const inWindow = played.filter((ms) => ms > end - windowMs && ms <= end);
          assert.ok(inWindow.length <= count, `${inWindow.join()} in ${windowMs} ms, and the cap is ${count}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('windows are minutes, hours and days of 24 hours, of at most 30 days', () => {
  const minute = 60_000;
  const table: readonly (readonly [string, number | undefined])[] = [
    ['PT1M', minute],
    ['PT90M', 90 * minute],
    ['PT1H', 60 * minute],
    ['P1D', 1_440 * minute],
    ['P30D', 43_200 * minute],
    ['PT720H', 43_200 * minute],
    ['PT721H', undefined],
    ['P31D', undefined],
    ['P1W', undefined],
    ['P1M', undefined],
    ['PT0H', undefined],
    ['P1DT1H', undefined],
    ['1D', undefined],
  ];
  for (const [per, ms] of table) assert.equal(windowMsOf(per), ms, per);
});

test('a cap whose scope is not known is counted in the next narrower one, never in a wider one', () => {
  const scopeOf = (scope: CapScope, ...known: readonly CapScope[]) => countedScope(scope, (one) => known.includes(one));
  assert.equal(scopeOf('listener', 'household', 'listener', 'device'), 'listener');
  assert.equal(scopeOf('household', 'device', 'session'), 'device');
  assert.equal(scopeOf('listener', 'household', 'session'), 'session');
  assert.equal(scopeOf('session', 'household', 'listener', 'device'), undefined);
});
