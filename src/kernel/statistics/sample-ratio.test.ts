import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Interval } from './interval.ts';
import { addSample, logSplit, noSample, pearson, type SampleRatio } from './sample-ratio.ts';
import { seedRandom } from '#kernel/base/chance.ts';

function units(candidate: number, stable: number, share: number): Interval {
  const counts = (units: number) => ({ units, bad: 0 });
  return { fromMs: 0, toMs: 60_000, candidate: counts(candidate), stable: counts(stable), share };
}

function sample(intervals: readonly Interval[], tolerance = 0.1): SampleRatio {
  return intervals.reduce(addSample, noSample(tolerance));
}

const NEEDED = Math.log(1_000);

test('Pearson’s χ² is that of the two cells: 1,100 and 900 of an even split', () => {
  // (1100−1000)²/1000 + (900−1000)²/1000 = 20; its p-value as of SciPy 1.17.
  const p = pearson(sample([units(1_100, 900, 0.5)])) ?? 1;
  assert.ok(Math.abs(p / 7.744_216_431_044e-6 - 1) < 1e-9, String(p));
  assert.equal(pearson(sample([])), null);
});

test('if units fall as meant, or within the tolerance, the mean of the evidence is at most 1', () => {
  const count = 30;
  for (const share of [0.05, 0.5, 0.9]) {
    for (const odds of [1, 1.1, 1 / 1.1, 0.95]) {
      const chance = (odds * share) / (odds * share + 1 - share);
      let mean = 0;
      let weight = (1 - chance) ** count;
      for (let candidate = 0; candidate <= count; candidate += 1) {
        const { logMore, logFewer } = sample([units(candidate, count - candidate, share)]);
        const terms = [...logMore, ...logFewer];
        mean += (weight * terms.reduce((sum, term) => sum + Math.exp(term), 0)) / terms.length;
        weight *= ((count - candidate) / (candidate + 1)) * (chance / (1 - chance));
      }
      assert.ok(mean <= 1 + 1e-9, `${mean} at ${share}, odds ${odds}`);
    }
  }
});

test('a split that is off by half is found, in either direction, and one within the tolerance is not', () => {
  const cases: readonly (readonly [number, number, number, boolean])[] = [
    [1_500, 18_500, 0.05, true],
    [600, 19_400, 0.05, true],
    [1_060, 18_940, 0.05, false],
    [1_000_000, 1_000_000, 0.5, false],
    [1_080_000, 1_000_000, 0.5, false],
    [1_250_000, 1_000_000, 0.5, true],
    [3, 7, 0.5, false],
  ];
  for (const [candidate, stable, share, isWrong] of cases) {
    const logEvidence = logSplit(sample([units(candidate, stable, share)]), 1);
    assert.equal(logEvidence >= NEEDED, isWrong, `${candidate} of ${candidate + stable} at ${share}: ${logEvidence}`);
  }
});

test('each interval is held to its own share', () => {
  const asMeant = [units(100, 9_900, 0.01), units(2_500, 7_500, 0.25), units(5_000, 5_000, 0.5)];
  assert.equal(Math.max(0, logSplit(sample(asMeant), 1)), 0);
  assert.ok((pearson(sample(asMeant)) ?? 0) > 0.99);
  assert.ok(logSplit(sample(asMeant.map((one) => ({ ...one, share: 0.2 }))), 1) > NEEDED);
});

test('a candidate that was meant to get nothing gets nothing', () => {
  assert.ok(logSplit(sample([units(20, 1_000, 0)]), 1) > NEEDED);
  assert.ok(logSplit(sample([units(0, 1_000, 0)]), 1) <= 0);
  assert.ok(logSplit(sample([units(1_000, 20, 1)]), 1) > NEEDED);
});

test('units that come in clumps say as much less of the split', () => {
  const wrong = sample([units(1_500, 18_500, 0.05)]);
  assert.ok(logSplit(wrong, 1) > NEEDED && logSplit(wrong, 200) < NEEDED);
});

test('a right split is hardly ever called wrong, looked at every minute', () => {
  const chance = seedRandom(11);
  let alarms = 0;
  for (let run = 0; run < 300; run += 1) {
    let [state, isWrong] = [noSample(0), false];
    for (let index = 0; index < 30; index += 1) {
      let candidate = 0;
      for (let unit = 0; unit < 100; unit += 1) if (chance() < 0.3) candidate += 1;
      state = addSample(state, units(candidate, 100 - candidate, 0.3));
      isWrong ||= logSplit(state, 1) >= Math.log(20);
    }
    if (isWrong) alarms += 1;
  }
  assert.ok(alarms <= 300 * 0.05 + 2 * Math.sqrt(300 * 0.05), `${alarms} of 300`);
});

test('intervals without a share, or without units, are passed over', () => {
  const { share: _, ...without } = units(900, 100, 0.5);
  assert.deepEqual(sample([without, units(0, 0, 0.5)]), noSample(0.1));
});
