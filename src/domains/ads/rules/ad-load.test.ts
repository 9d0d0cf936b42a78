import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadWindowMs, mayBreak } from './ad-load.ts';

const MINUTE_MS = 60_000;

test('no rolling hour has more breaks than allowed, none follows another too soon, and no break is refused without need', () => {
  fc.assert(
    fc.property(
      fc.record(
        { breaksPerHour: fc.integer({ min: 1, max: 6 }), gapSeconds: fc.integer({ min: 1, max: 4_000 }) },
        { requiredKeys: [] },
      ),
      fc.array(fc.integer({ min: 1, max: 20 * MINUTE_MS }), { maxLength: 60 }),
      (load, waits) => {
        const given: number[] = [];
        let nowMs = 0;
        for (const wait of waits) {
          nowMs += wait;
          // The store forgets what no longer counts.
          const known = given.filter((ms) => ms > nowMs - loadWindowMs(load));
          const isTooMany =
            given.filter((ms) => nowMs - ms < 60 * MINUTE_MS).length >= (load.breaksPerHour ?? Infinity);
          const isTooSoon = nowMs - (given.at(-1) ?? -Infinity) < (load.gapSeconds ?? 0) * 1_000;
          assert.equal(mayBreak(load, known, nowMs), !isTooMany && !isTooSoon);
          if (!isTooMany && !isTooSoon) given.push(nowMs);
        }
      },
    ),
    { numRuns: 500 },
  );
});
