import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  EMPTY_HISTORY,
  exposuresOf,
  HISTORY_LIMITS,
  historyEndMs,
  withoutEnded,
  withoutExposures,
  withPlayed,
  withServed,
} from './ad-history.ts';
import { capCheck, countedOwners } from './cap-check.ts';
import type { OwnerCaps } from './frequency.ts';

const HOUR_MS = 3_600_000;
const hourly: OwnerCaps = { owner: 1, caps: [{ count: 1, windowMs: HOUR_MS, scope: 'listener' }] };
const exposure = (id: number, untilMs: number) => ({ id, owners: [1, 2], keepMs: HOUR_MS, untilMs });
const history = withServed(EMPTY_HISTORY, [exposure(10, 500), exposure(11, 900)]);

test('exposures of the same owners stand together and count for each of them', () => {
  assert.equal(history.groups.length, 1);
  assert.deepEqual(exposuresOf(history, 2), exposuresOf(history, 1));
  assert.deepEqual(
    exposuresOf(history, 1).map(({ ms }) => ms),
    [500, 900],
  );
  assert.deepEqual(exposuresOf(history, 3), []);
});

test('an ad that plays counts from then on, once, and for as long as its window', () => {
  const played = withPlayed(history, 10, 400);
  assert.ok(played !== undefined);
  assert.equal(withPlayed(played, 10, 450), undefined);
  assert.equal(withPlayed(history, 12, 400), undefined);
  assert.equal(historyEndMs(played), 400 + HOUR_MS);
  assert.equal(exposuresOf(withoutEnded(played, 900), 1).length, 1);
  assert.equal(exposuresOf(withoutEnded(played, 899), 1).length, 2);
  assert.deepEqual(withoutEnded(played, 400 + HOUR_MS), EMPTY_HISTORY);
});

test('an exposure is kept for as long as it was served for, whatever else is served', () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 3 * HOUR_MS }),
    owners: fc.constantFrom([1], [2], [1, 2]),
    keepMs: fc.constantFrom(60_000, HOUR_MS, 5 * HOUR_MS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let kept = EMPTY_HISTORY;
      let nowMs = 1_000_000_000_000;
      const served: { id: number; owners: readonly number[]; endMs: number }[] = [];
      for (const [id, { waitMs, owners, keepMs }] of steps.entries()) {
        nowMs += waitMs;
        kept = withServed(withoutEnded(kept, nowMs), [{ id, owners, keepMs, untilMs: nowMs, hasPlayed: true }]);
        served.push({ id, owners, endMs: nowMs + keepMs });
        const known = withoutEnded(kept, nowMs).groups.flatMap((group) =>
          group.exposures.map((one) => `${group.owners.join()} ${one.id}`),
        );
        assert.equal(known.length, new Set(known).size);
        for (const one of served)
          if (one.endMs > nowMs) assert.ok(known.includes(`${one.owners.join()} ${one.id}`), `${one.id} is gone`);
      }
    }),
  );
});

test('of breaks only the latest stay', () => {
  let kept = EMPTY_HISTORY;
  for (const untilMs of [5, 1, 9, 7])
    kept = withServed(kept, [{ id: untilMs, owners: [0], keepMs: 10, untilMs, hasPlayed: true, latestMax: 2 }]);
  assert.deepEqual(
    exposuresOf(kept, 0).map(({ ms }) => ms),
    [7, 9],
  );
});

test('a lost round leaves nothing', () => {
  assert.deepEqual(withoutExposures(history, new Set([10, 11])), EMPTY_HISTORY);
  assert.equal(withoutExposures(history, new Set([12])), undefined);
});

test('caps are counted in the scope that is known; without one their ad sets wait', () => {
  const check = (rows: Parameters<typeof capCheck>[0], nowMs = 0) => capCheck(rows, nowMs)([hourly]);
  assert.equal(check(new Map([['listener', { history }]])), 'frequency cap');
  assert.equal(check(new Map([['listener', { history }]]), 900), undefined);
  assert.equal(check(new Map([['session', { history: EMPTY_HISTORY }]])), undefined);
  assert.equal(check(new Map([['session', { history }]])), 'frequency cap');
  assert.equal(check(new Map([['household', { history: EMPTY_HISTORY }]])), 'frequency unknown');
  assert.equal(check(new Map()), 'frequency unknown');
});

test('an exposure is noted wherever one of its caps is counted, for the longest of their windows', () => {
  const caps: readonly OwnerCaps[] = [
    hourly,
    {
      owner: 2,
      caps: [
        { count: 3, windowMs: 24 * HOUR_MS, scope: 'household' },
        { count: 2, windowMs: 2 * HOUR_MS, scope: 'listener' },
      ],
    },
  ];
  const row = { history: EMPTY_HISTORY };
  assert.deepEqual(
    [
      ...countedOwners(
        caps,
        new Map([
          ['household', row],
          ['listener', row],
        ]),
      ),
    ],
    [
      ['listener', { owners: [1, 2], keepMs: 2 * HOUR_MS }],
      ['household', { owners: [2], keepMs: 24 * HOUR_MS }],
    ],
  );
  assert.deepEqual(
    [...countedOwners(caps, new Map([['session', row]]))],
    [['session', { owners: [1, 2], keepMs: 24 * HOUR_MS }]],
  );
});

test('a history without room holds every capped ad set back, until some of it has ended', () => {
  const many = Array.from({ length: HISTORY_LIMITS.exposuresMax }, (_, id) => ({ ...exposure(id, 500), owners: [7] }));
  const full = new Map([['listener' as const, { history: withServed(EMPTY_HISTORY, many) }]]);
  assert.equal(capCheck(full, 0)([hourly]), 'frequency cap');
  assert.equal(capCheck(full, 0)([]), undefined);
  assert.equal(capCheck(full, 500)([hourly]), undefined);
});
