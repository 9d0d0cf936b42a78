import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addOdds, NO_ODDS, unusualShare, type Odds } from './odds.ts';

const pair = (candidate: number, stable: number) => ({
  candidate: { units: candidate, bad: 0 },
  stable: { units: stable, bad: 0 },
});
const after = (windows: readonly (readonly [number, number])[], stage: number | null = 0): Odds =>
  windows.reduce((state, [candidate, stable]) => addOdds(state, pair(candidate, stable), stage), NO_ODDS);
const times = (count: number, window: readonly [number, number]) => Array.from({ length: count }, () => window);

test('a window is usual within four times the odds of those before, and what chance adds for few units', () => {
  const usual = after(times(5, [1_000_000, 9_000_000]));
  const cases: readonly (readonly [number, number, number | undefined])[] = [
    [1_000_000, 9_000_000, undefined],
    // Odds of 1 : 9 four times up are 4 : 9, and down 1 : 36.
    [4_000_000, 9_000_000, undefined],
    [4_100_000, 9_000_000, 0.1],
    [1_000_000, 36_000_000, undefined],
    [1_000_000, 37_000_000, 0.1],
    // 108 times the odds are within four deviations of √(1/12 + 1/1), and not of √(1/24 + 1/2).
    [12, 1, undefined],
    [24, 2, 0.1],
    // 27 times: 4 · √(1/15 + 1/5) is more than ln 27 − ln 4, 4 · √(1/18 + 1/6) is less.
    [15, 5, undefined],
    [18, 6, 0.1],
    // And as many times down.
    [4, 972, undefined],
    [5, 1_215, 0.1],
    // With nothing on a track there are no odds.
    [0, 1_000, undefined],
    [1_000, 0, undefined],
  ];
  for (const [candidate, stable, wanted] of cases) {
    const found = unusualShare(usual, pair(candidate, stable), 0);
    assert.equal(found?.toFixed(9), wanted?.toFixed(9), `${candidate} : ${stable}`);
  }
});

test('a load test is unusual each time; a split that was moved is usual once most of nine windows have it', () => {
  const [before, moved] = [[100_000, 900_000] as const, [900_000, 100_000] as const];
  const of = (windows: readonly (readonly [number, number])[]) => unusualShare(after(windows), pair(...moved), 0);
  assert.ok(of([...times(9, before), ...times(3, moved)]) !== undefined);
  assert.ok(of([...times(9, before), ...times(4, moved)]) !== undefined);
  assert.equal(of([...times(9, before), ...times(5, moved)]), undefined);
  // After few windows it takes as many: of an even number the middle is between the two.
  assert.ok(of(times(1, before)) !== undefined);
  assert.ok(of([...times(2, before), ...times(1, moved)]) !== undefined);
  // The root of 1/9 and 50 is 2.4: 9 is 3.8 times that. Of 1/9 and 40 it is 4.3 times.
  assert.equal(of([...times(2, before), ...times(2, [5_000_000, 100_000])]), undefined);
  assert.ok(of([...times(2, before), ...times(2, [4_000_000, 100_000])]) !== undefined);
  // Windows of which one track has nothing say nothing, and push out nothing.
  assert.ok(of([...times(9, before), ...times(20, [5, 0])]) !== undefined);
  assert.equal(after(times(20, before)).recent.length, 9);
});

test('windows are taken in the order of their odds, not of the digits', () => {
  const windows = [100, 20, 9].map((candidate) => [candidate * 1_000, 100_000] as const);
  assert.equal(unusualShare(after(windows), pair(5_000_000, 100_000), 0)?.toFixed(3), (20 / 120).toFixed(3));
});

test('another stage begins anew, and nothing is usual at first', () => {
  const state = after(times(9, [1_000, 9_000]));
  assert.equal(unusualShare(state, pair(9_000, 1_000), 1), undefined);
  assert.deepEqual(addOdds(state, pair(9_000, 1_000), 1), { stage: 1, recent: [Math.log(9)] });
  assert.deepEqual(addOdds(state, pair(0, 1_000), 1), { stage: 1, recent: [] });
  assert.equal(unusualShare(NO_ODDS, pair(9_000, 1_000), null), undefined);
});
