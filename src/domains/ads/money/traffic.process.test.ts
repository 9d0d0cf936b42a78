import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMoneyWorld } from '../testing/money-world.ts';
import { openTraffic } from './traffic.ts';

const QUARTER_MS = 900_000;
const WEEK = { hours: 7 * 24 };

test('the mean of a quarter is of all weeks, also of those without breaks, from when the placement was first asked for', async () => {
  await using world = await startMoneyWorld('2026-11-02T12:00:00Z');
  const traffic = openTraffic(world.database);
  const nowMs = (): number => world.now().epochMilliseconds;
  const count = (placement: string, breaks: number): void => {
    for (let n = 0; n < breaks; n += 1) traffic.count(placement, 'de', nowMs());
  };
  const startMs = nowMs();
  // A match that fills one Monday of three, beside noons that are alike; a placement that is new this week.
  for (const [week, match] of [0, 300, 0].entries()) {
    count('songs', 100);
    world.pass({ hours: 6 });
    if (week === 0) count('live', 1);
    count('live', match);
    if (week === 2) count('new', 50);
    world.pass(WEEK);
    world.pass({ hours: -6 });
  }
  // The evening of the third Monday.
  world.pass({ hours: 12 - WEEK.hours });
  await traffic.flush();
  await traffic.refresh(nowMs());
  const breaksAt = (placement: string, fromMs: number): number =>
    Math.round(traffic.curveOf(new Set([placement]), undefined)(fromMs, fromMs + QUARTER_MS));
  const evening = startMs + 6 * 3_600_000;
  assert.equal(breaksAt('songs', startMs), 100);
  assert.equal(breaksAt('live', evening), 100, 'of (1 + 300 + 0) breaks in three weeks');
  assert.equal(breaksAt('new', evening), 50, 'nothing is known of the weeks before');
});
