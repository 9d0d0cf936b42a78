import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ThresholdSpec } from './guardrail.ts';
import type { Track } from './interval.ts';
import { addToWindow, NO_WINDOWS, type Windows } from './threshold.ts';

const RATE: ThresholdSpec = { type: 'threshold', name: 'Errors', measure: 'rate', max: 0.01, unitsMin: 100 };

/** Minutes with these counts of the candidate. */
function windows(spec: ThresholdSpec, tracks: readonly Track[]): Windows {
  return tracks.reduce((state, candidate, index) => {
    const times = { fromMs: index * 60_000, toMs: (index + 1) * 60_000 };
    return addToWindow(state, { ...times, candidate, stable: { units: 0, bad: 0 } }, spec);
  }, NO_WINDOWS);
}

const good = { units: 100, bad: 1 };
const bad = { units: 100, bad: 2 };

test('windows in a row are counted, and one on the other side begins the row anew', () => {
  const cases: readonly (readonly [string, readonly Track[], readonly [number, number, number]])[] = [
    ['nothing', [], [0, 0, 0]],
    ['exactly the limit is within it', [good], [0, 1, 0]],
    ['beyond', [bad], [1, 0, 1]],
    ['three beyond', [bad, bad, bad], [3, 0, 3]],
    ['a good one between', [bad, bad, good, bad], [1, 0, 2]],
    ['good again', [bad, good, good], [0, 2, 1]],
  ];
  for (const [name, tracks, wanted] of cases) {
    const { beyond, within, beyondMax } = windows(RATE, tracks);
    assert.deepEqual([beyond, within, beyondMax], wanted, name);
  }
});

test('a window lasts until it is long enough and has enough units', () => {
  const spec = { ...RATE, windowMs: 180_000 };
  const few = { units: 40, bad: 1 };
  assert.equal(windows(spec, [good, good]).count, 0);
  assert.equal(windows(spec, [good, good, bad]).count, 1);
  assert.equal(windows(spec, [few, few]).count, 0);
  assert.deepEqual(windows(spec, [few, few, few]).value, 3 / 120);
  assert.equal(windows(RATE, [few, few]).count, 0);
  assert.equal(windows(RATE, [few, few, few, few, few]).count, 1);
});

test('a mean is of all units of the window, and a value the last that the gauge showed', () => {
  const mean: ThresholdSpec = { ...RATE, measure: 'mean', max: 300, unitsMin: 0, windowMs: 120_000 };
  const slow = { units: 10, bad: 0, total: 4_000 };
  const fast = { units: 30, bad: 0, total: 3_000 };
  assert.equal(windows(mean, [slow, fast]).value, 175);
  const value: ThresholdSpec = { ...RATE, measure: 'value', min: 2, max: 8, unitsMin: 0 };
  const gauge = (value: number): Track => ({ units: 0, bad: 0, value });
  assert.equal(windows(value, [gauge(9), gauge(3)]).value, 3);
  assert.deepEqual(
    [1, 2, 8, 9].map((shown) => windows(value, [gauge(shown)]).beyond),
    [1, 0, 0, 1],
  );
  assert.equal(windows(value, [{ units: 5, bad: 0 }]).count, 0);
});

test('no rate is made of no units', () => {
  assert.equal(windows({ ...RATE, unitsMin: 0 }, [{ units: 0, bad: Number.NaN }]).count, 0);
});
