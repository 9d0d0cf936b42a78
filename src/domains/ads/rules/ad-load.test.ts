import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_HISTORY, exposuresOf, withoutEnded, withServed } from './ad-history.ts';
import { breakExposure, LOAD_OWNERS, loadReason, mayBreak, questionExposures, withReward } from './ad-load.ts';

const MINUTE_MS = 60_000;

test('no rolling hour has more breaks than allowed, none follows another too soon, and no break is refused without need', () => {
  fc.assert(
    fc.property(
      fc.record(
        { breaksPerHour: fc.integer({ min: 1, max: 60 }), gapSeconds: fc.integer({ min: 1, max: 3_600 }) },
        { requiredKeys: [] },
      ),
      fc.oneof(
        fc.array(fc.integer({ min: 1, max: 20 * MINUTE_MS }), { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: MINUTE_MS }), { maxLength: 150 }),
      ),
      (load, waits) => {
        const given: number[] = [];
        let nowMs = 0;
        let history = EMPTY_HISTORY;
        for (const wait of waits) {
          nowMs += wait;
          // The store forgets what no longer counts.
          history = withoutEnded(history, nowMs);
          const known = exposuresOf(history, LOAD_OWNERS.breaks).map(({ ms }) => ms);
          const isTooMany =
            given.filter((ms) => nowMs - ms < 60 * MINUTE_MS).length >= (load.breaksPerHour ?? Infinity);
          const isTooSoon = nowMs - (given.at(-1) ?? -Infinity) < (load.gapSeconds ?? 0) * 1_000;
          assert.equal(mayBreak(load, known, nowMs), !isTooMany && !isTooSoon);
          if (isTooMany || isTooSoon) continue;
          given.push(nowMs);
          history = withServed(history, [breakExposure(given.length, nowMs)]);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('breaks that are fetched ahead, in any order, keep to the load together', () => {
  fc.assert(
    fc.property(
      fc.record({ breaksPerHour: fc.integer({ min: 1, max: 4 }), gapSeconds: fc.integer({ min: 1, max: 1_200 }) }),
      fc.array(fc.integer({ min: 0, max: 180 * MINUTE_MS }), { maxLength: 40 }),
      (load, times) => {
        const given: number[] = [];
        const isKept = (all: readonly number[]) =>
          all.every(
            (from, place) =>
              all.filter((ms) => ms >= from && ms < from + 60 * MINUTE_MS).length <= load.breaksPerHour &&
              all.every((ms, other) => other === place || Math.abs(ms - from) >= load.gapSeconds * 1_000),
          );
        for (const ms of times) {
          assert.equal(mayBreak(load, given, ms), isKept([...given, ms]));
          if (isKept([...given, ms])) given.push(ms);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('the first minutes of a session are without breaks: one that begins when nobody asked for half an hour', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.integer({ min: 1, max: 45 * MINUTE_MS }), { minLength: 1, maxLength: 40 }),
      (graceMinutes, waits) => {
        let history = EMPTY_HISTORY;
        let [nowMs, startMs, askedMs] = [1_000_000_000_000, -Infinity, -Infinity];
        for (const wait of waits) {
          nowMs += wait;
          if (nowMs - askedMs >= 30 * MINUTE_MS) startMs = nowMs;
          askedMs = nowMs;
          const isEarly = nowMs - startMs < graceMinutes * MINUTE_MS;
          const question = { nowMs, hasGrace: true };
          assert.equal(loadReason({ graceMinutes }, history, question), isEarly ? 'grace' : undefined);
          assert.equal(loadReason({ graceMinutes }, history, { ...question, hasGrace: false }), undefined);
          assert.equal(loadReason({}, history, question), undefined);
          history = withServed(withoutEnded(history, nowMs), questionExposures(history, nowMs));
          assert.ok(
            history.groups.every(({ exposures }) => exposures.length === 1),
            'each of them only once',
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a reward lasts until its end, and a shorter one takes nothing away', () => {
  const reason = (history: typeof EMPTY_HISTORY, nowMs: number) =>
    loadReason({ graceMinutes: 30 }, history, { nowMs, hasGrace: false });
  const long = withReward(EMPTY_HISTORY, 900);
  assert.ok(long !== undefined);
  assert.equal(withReward(long, 800), undefined);
  assert.deepEqual([reason(long, 899), reason(long, 900)], ['rewarded', undefined]);
  const longer = withReward(long, 1_000);
  assert.ok(longer !== undefined);
  assert.deepEqual([reason(longer, 999), reason(longer, 1_000)], ['rewarded', undefined]);
  assert.deepEqual(withoutEnded(longer, 1_000), EMPTY_HISTORY);
});
