import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Context } from '#kernel/audiences/language/language.ts';
import { AUDIENCE_LIMITS, weeklyBreaksAtMost, type BreakDay } from './audience-size.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 11, 8, 12);
const TODAY_MS = Date.UTC(2026, 11, 8);
const matches = ({ age }: Context) => (age === undefined ? undefined : Number(age) >= 50);
const day = (
  ago: number,
  breaks: number,
  contexts: readonly (Context | undefined)[] = [],
  placement = 'songs',
): BreakDay => ({
  fromMs: TODAY_MS - ago * DAY_MS,
  placement,
  breaks,
  contexts,
});
const week = (days: readonly BreakDay[]) => ({ nowMs: NOW_MS, days });
const everybody = { placements: undefined, matches: undefined };

test('less than a whole day is unknown, and so is a placement without breaks', () => {
  assert.equal(weeklyBreaksAtMost(week([]), everybody), undefined);
  assert.equal(weeklyBreaksAtMost(week([day(0, 5)]), everybody), undefined);
  assert.equal(
    weeklyBreaksAtMost(week([day(1, 5), day(0, 5)]), everybody),
    undefined,
    'the first day is not known as a whole',
  );
  assert.ok(weeklyBreaksAtMost(week([day(2, 5), day(1, 5), day(0, 5)]), everybody) !== undefined);
  const placements = new Set(['songs', 'podcasts']);
  assert.equal(weeklyBreaksAtMost(week([day(2, 5), day(1, 5)]), { placements, matches: undefined }), undefined);
  assert.equal(
    weeklyBreaksAtMost(week([day(2, 5), day(1, 5)]), { placements: undefined, matches }),
    undefined,
    'nothing is sampled',
  );
});

test('days that are known stand for a week', () => {
  // A day and a half are known.
  assert.equal(weeklyBreaksAtMost(week([day(2, 1), day(1, 20), day(0, 10)]), everybody), (30 * 7) / 1.5);
  const all = Array.from({ length: 8 }, (_, ago) => day(ago, 65));
  const most = weeklyBreaksAtMost(week(all), everybody) ?? 0;
  assert.equal(Math.round(most), 7 * 70, 'a day that began before the week is left out');
});

test('listeners with unknown attributes count as listeners of the ad set', () => {
  const of = (context: Context | undefined) =>
    weeklyBreaksAtMost(week([day(2, 1), day(1, 2, [context, context])]), { placements: undefined, matches });
  assert.equal(of({ age: 20 }), 0);
  assert.ok((of({ age: 60 }) ?? 0) > 0);
  assert.equal(of({}), of({ age: 60 }));
  assert.equal(of(undefined), of({ age: 60 }));
});

test('a sample that is too small for its breaks raises no alarm', () => {
  const young = Array.from({ length: 1_000 }, () => ({ age: 20 }));
  const at = (breaks: number) =>
    weeklyBreaksAtMost(week([day(2, 1), day(1, breaks, young)]), { placements: undefined, matches }) ?? 0;
  assert.ok(at(20_000) < AUDIENCE_LIMITS.weeklyBreaksMin);
  assert.ok(at(1_000_000) >= AUDIENCE_LIMITS.weeklyBreaksMin, 'none of 1,000 may be 3,000 of a million');
});

test('where there are enough breaks there is hardly ever an alarm', () => {
  let [alarms, runs] = [0, 0];
  fc.assert(
    fc.property(
      fc.integer({ min: 2_000, max: 100_000 }),
      fc.integer({ min: 200, max: 2_000 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      (breaks, size, chances) => {
        // Exactly the least that is enough, by the days that are known.
        const share = (AUDIENCE_LIMITS.weeklyBreaksMin * 1.5) / 7 / breaks;
        const contexts = Array.from({ length: Math.min(size, breaks) }, () => ({
          age: (chances.next().value as number) < share ? 60 : 20,
        }));
        const most = weeklyBreaksAtMost(week([day(2, 1), day(1, breaks, contexts)]), {
          placements: undefined,
          matches,
        });
        runs += 1;
        if ((most ?? 0) < AUDIENCE_LIMITS.weeklyBreaksMin) alarms += 1;
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(alarms <= 0.05 * runs + 5, `${alarms} false alarms of ${runs}`);
});
