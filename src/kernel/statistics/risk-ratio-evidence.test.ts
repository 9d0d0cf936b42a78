import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pair } from './interval.ts';
import {
  addInterval,
  estimatedRatio,
  logHarm,
  logSafety,
  noEvidence,
  ratioBounds,
  type RiskRatioEvidence,
} from './risk-ratio-evidence.ts';
import { seedRandom } from '#kernel/base/chance.ts';
import { minute } from './testing/draws.ts';

const MARGIN = 1.5;
const NEEDED = { harm: 40, safety: 20 };

function pair(candidateUnits: number, candidateBad: number, stableUnits: number, stableBad: number): Pair {
  return {
    candidate: { units: candidateUnits, bad: candidateBad },
    stable: { units: stableUnits, bad: stableBad },
  };
}

function addAll(pairs: readonly Pair[], margin = MARGIN): RiskRatioEvidence {
  return pairs.reduce(addInterval, noEvidence(margin));
}

/** The formula as it is written: products of likelihoods, no logarithms. */
function naiveLikelihood(pairs: readonly Pair[], ratio: number): number {
  let product = 1;
  for (const { candidate, stable } of pairs) {
    const share = candidate.units / (candidate.units + stable.units);
    const chance = (ratio * share) / (ratio * share + 1 - share);
    product *= (chance / share) ** candidate.bad * ((1 - chance) / (1 - share)) ** stable.bad;
  }
  return product;
}

function naiveMean(pairs: readonly Pair[], ratios: readonly number[]): number {
  return ratios.reduce((sum, ratio) => sum + naiveLikelihood(pairs, ratio), 0) / ratios.length;
}

const HARMFUL = Array.from({ length: 25 }, (_, index) => 20 ** (index / 24));
const ALL = Array.from({ length: 49 }, (_, index) => 20 ** ((index - 24) / 24));
const NEAR_ONE = [-3, -2, -1, 0, 1, 2, 3].map((index) => 20 ** (index / 24));

const anyPair = fc
  .tuple(
    fc.integer({ min: 1, max: 10_000 }),
    fc.integer({ min: 0, max: 12 }),
    fc.integer({ min: 1, max: 10_000 }),
    fc.integer({ min: 0, max: 12 }),
  )
  .map((numbers) => pair(...numbers));
const anyPairs = fc.array(anyPair, { maxLength: 6 });

function near(actual: number, wanted: number, message?: string): void {
  assert.ok(Math.abs(actual - wanted) <= 1e-9 * Math.max(1, Math.abs(wanted)), message ?? `${actual}, not ${wanted}`);
}

/** The mean over all outcomes of m events, of which each is the candidate's with this chance. */
function meanOverSplits(events: number, chance: number, valueOf: (candidateBad: number) => number): number {
  let mean = 0;
  let weight = (1 - chance) ** events;
  for (let bad = 0; bad <= events; bad += 1) {
    mean += weight * valueOf(bad);
    weight *= ((events - bad) / (bad + 1)) * (chance / (1 - chance));
  }
  return mean;
}

/** The mean over all numbers of events that units with at most one event each can have. */
function meanOverUnits(
  units: readonly [number, number],
  rates: readonly [number, number],
  valueOf: (pair: Pair) => number,
): number {
  return meanOverSplits(units[0], rates[0], (candidateBad) =>
    meanOverSplits(units[1], rates[1], (stableBad) => valueOf(pair(units[0], candidateBad, units[1], stableBad))),
  );
}

test('one event on the candidate, at a share of a half, is 2θ/(θ+1) as likely: reckoned by hand', () => {
  const state = addAll([pair(500, 1, 500, 0)]);
  near(Math.exp(state.logTerms.at(-1) ?? 0), 40 / 21);
  near(Math.exp(state.logTerms[24] ?? 0), 1);
  near(Math.exp(state.logAtMargin), 3 / 2.5);
  const onStable = addAll([pair(500, 0, 500, 1)]);
  near(Math.exp(onStable.logTerms.at(-1) ?? 0), 2 / 21);
});

test('the evidence is that of the formula multiplied out', () => {
  fc.assert(
    fc.property(anyPairs, (pairs) => {
      const state = addAll(pairs);
      near(logHarm(state, 1), Math.log(naiveMean(pairs, HARMFUL)));
      near(logSafety(state, 1), Math.log(naiveMean(pairs, NEAR_ONE) / naiveLikelihood(pairs, MARGIN)));
    }),
  );
});

test('if the candidate is as stable, the mean of the evidence of harm is exactly 1; if it is better, less', () => {
  for (const share of [0.01, 0.05, 0.25, 0.5, 0.9]) {
    const harm = (bad: number): number =>
      Math.exp(logHarm(addAll([pair(share * 1e6, bad, (1 - share) * 1e6, 40 - bad)]), 1));
    near(meanOverSplits(40, share, harm), 1);
    assert.ok(meanOverSplits(40, (0.8 * share) / (0.8 * share + 1 - share), harm) < 1);
    assert.ok(meanOverSplits(40, (1.2 * share) / (1.2 * share + 1 - share), harm) > 1);
  }
});

test('if the candidate is worse by the margin, the mean of the evidence of safety is exactly 1; if it is worse still, less', () => {
  for (const share of [0.01, 0.05, 0.25, 0.5, 0.9]) {
    const safety = (bad: number): number =>
      Math.exp(logSafety(addAll([pair(share * 1e6, bad, (1 - share) * 1e6, 40 - bad)]), 1));
    const chance = (ratio: number): number => (ratio * share) / (ratio * share + 1 - share);
    near(meanOverSplits(40, chance(MARGIN), safety), 1);
    assert.ok(meanOverSplits(40, chance(2), safety) < 1);
    assert.ok(meanOverSplits(40, chance(1.2), safety) > 1);
  }
});

test('units with at most one event, however common, have at most the mean of 1, with the tracks either way round', () => {
  for (const rate of [0.02, 0.3, 0.5, 0.9, 1 / 1.5]) {
    for (const [units, better] of [[[12, 30], 1] as const, [[30, 12], 0.7] as const, [[20, 20], 1] as const]) {
      const harm = meanOverUnits(units, [rate * better, rate], (pair) => Math.exp(logHarm(addAll([pair]), 1)));
      assert.ok(harm <= 1 + 1e-9, `harm ${harm} at ${rate}`);
      const worse = Math.min(1, rate * MARGIN);
      const safety = meanOverUnits(units, [worse - 1e-12, worse / MARGIN], (pair) =>
        Math.exp(logSafety(addAll([pair]), 1)),
      );
      assert.ok(safety <= 1 + 1e-9, `safety ${safety} at ${rate}`);
    }
  }
});

test('dividing by the dispersion keeps the mean at most 1', () => {
  for (const dispersion of [1.5, 3]) {
    const harm = (bad: number): number => Math.exp(logHarm(addAll([pair(500, bad, 500, 30 - bad)]), dispersion));
    assert.ok(meanOverSplits(30, 0.5, harm) < 1);
  }
});

test('without harm the evidence of it ever reaches 1/α in at most α of all rollouts, looked at every minute', () => {
  const chance = seedRandom(7);
  const runs = 1_500;
  const alpha = 0.05;
  let alarms = 0;
  for (let run = 0; run < runs; run += 1) {
    let state = noEvidence(MARGIN);
    let isAlarm = false;
    for (let index = 0; index < 40 && !isAlarm; index += 1) {
      const share = [0.01, 0.05, 0.25, 0.5][Math.floor(index / 10)] ?? 0.5;
      const rate = chance() < 0.1 ? 0.01 : 0.001;
      state = addInterval(state, minute(index, { units: 6_000, share, rate, ratio: 1 }, chance));
      isAlarm = logHarm(state, 1) >= Math.log(1 / alpha);
    }
    if (isAlarm) alarms += 1;
  }
  assert.ok(alarms <= runs * alpha + 2 * Math.sqrt(runs * alpha * (1 - alpha)), `${alarms} of ${runs}`);
  assert.ok(alarms > 0, 'nothing was tried');
});

test('intervals may come in any order', () => {
  fc.assert(
    fc.property(anyPairs, (pairs) => {
      near(logHarm(addAll(pairs), 1), logHarm(addAll(pairs.toReversed()), 1));
      near(logSafety(addAll(pairs), 1), logSafety(addAll(pairs.toReversed()), 1));
    }),
  );
});

test('an interval says the same in two parts of the same share, and with a hundred times the units', () => {
  fc.assert(
    fc.property(anyPair, anyPair, fc.integer({ min: 1, max: 9 }), ({ candidate, stable }, extra, part) => {
      const units = (part: number) => [candidate.units * part, stable.units * part] as const;
      const [c, s] = units(10);
      const whole = addAll([pair(c, candidate.bad + extra.candidate.bad, s, stable.bad + extra.stable.bad)]);
      const [c1, s1] = units(part);
      const [c2, s2] = units(10 - part);
      const parts = addAll([
        pair(c1, candidate.bad, s1, stable.bad),
        pair(c2, extra.candidate.bad, s2, extra.stable.bad),
      ]);
      near(logHarm(parts, 1), logHarm(whole, 1));
      near(logSafety(parts, 1), logSafety(whole, 1));
      const larger = addAll([pair(100 * c, whole.candidate.bad, 100 * s, whole.stable.bad)]);
      near(logHarm(larger, 1), logHarm(whole, 1));
    }),
  );
});

test('a burst that hits both tracks alike is no evidence of harm, whatever the share', () => {
  for (const [candidate, stable] of [[100, 9_900] as const, [500, 9_500] as const, [5_000, 5_000] as const]) {
    const quiet = [pair(candidate, candidate / 100, stable, stable / 100)];
    const burst = pair(candidate, candidate / 10, stable, stable / 10);
    assert.ok(logHarm(addAll([...quiet, burst]), 1) < logHarm(addAll(quiet), 1) + 1e-9);
  }
});

test('an interval in which only one track had units, or nothing happened, says nothing of the ratio', () => {
  const before = addAll([pair(100, 3, 900, 4)]);
  for (const silent of [pair(0, 0, 500, 9), pair(500, 9, 0, 0), pair(500, 0, 500, 0)]) {
    const after = addInterval(before, silent);
    assert.deepEqual(after.logTerms, before.logTerms);
    assert.equal(after.logAtMargin, before.logAtMargin);
    assert.deepEqual(after.weighed, before.weighed);
  }
});

test('the ratio is compared within intervals: a share that moves while the base rate does is no harm', () => {
  // At 1 % of a bad hour, then at 50 % of a good one; the ratio is 1 in both. The rates of all hours together differ.
  const state = addAll([pair(1_000, 100, 99_000, 9_900), pair(50_000, 50, 50_000, 50)]);
  near(estimatedRatio(state) ?? 0, 1);
  const together = state.candidate.bad / state.candidate.units / (state.stable.bad / state.stable.units);
  assert.ok(together < 0.05);
  near(estimatedRatio(addAll([pair(100, 6, 100, 3)])) ?? 0, 2);
  assert.equal(estimatedRatio(addAll([pair(100, 6, 100, 0)])), null);
});

test('the bounds hold every ratio that the evidence does not reject, and little more', () => {
  fc.assert(
    fc.property(fc.array(anyPair, { minLength: 1, maxLength: 6 }), fc.constantFrom(1, 8), (some, times) => {
      const pairs = Array.from({ length: times }, () => some).flat();
      const bounds = ratioBounds(addAll(pairs), NEEDED, 1);
      const wide = naiveMean(pairs, ALL) / 20;
      // Multiplied out, more than this is beyond what a number holds.
      if (wide > 1e280) return;
      const least = Math.max(naiveMean(pairs, HARMFUL), wide) / NEEDED.harm;
      const most = Math.max(naiveMean(pairs, NEAR_ONE), wide) / NEEDED.safety;
      for (let step = -300; step <= 300; step += 1) {
        const ratio = 20 ** (step / 300);
        const likelihood = naiveLikelihood(pairs, ratio);
        // Smaller numbers have no digits left to compare.
        if (likelihood < 1e-290) continue;
        // Likelihood falls to both sides of its peak: what is rejected below is left of it, what above right.
        const rises = naiveLikelihood(pairs, ratio * 1.000_1) > likelihood;
        if (ratio < bounds.from * 0.999) assert.ok(rises && likelihood <= least * 1.000_001, `${ratio} below`);
        if (ratio > (bounds.to ?? Infinity) * 1.001)
          assert.ok(!rises && likelihood <= most * 1.000_001, `${ratio} above`);
        if (ratio > bounds.from * 1.05 && rises && bounds.from > 0.05)
          assert.ok(likelihood > least, `${ratio} is inside`);
        // At the margin it may be held back, for safety is proven by what is near only.
        const isHeld = bounds.to !== null && Math.abs(bounds.to / MARGIN - 1) < 1e-6;
        if (bounds.to !== null && !isHeld && ratio < bounds.to / 1.05 && !rises)
          assert.ok(likelihood > most, `${ratio} is inside`);
      }
    }),
    { numRuns: 60 },
  );
});

test('with very many events the bounds close in on the truth, and do not pass it', () => {
  for (const ratio of [0.3, 1, 1.06, 20 ** (2 / 24), 4]) {
    const { from, to } = ratioBounds(addAll([pair(1e8, 1e5 * ratio, 1e8, 1e5)]), NEEDED, 1);
    assert.ok(from < ratio && from > ratio / 1.2, `${from} for ${ratio}`);
    assert.ok(to !== null && to > ratio && to < ratio * 1.2, `${to} for ${ratio}`);
  }
});

test('the bounds leave 1 exactly when harm is proven, and the margin exactly when safety is', () => {
  fc.assert(
    fc.property(
      anyPairs,
      fc.integer({ min: 1, max: 30 }),
      fc.oneof(fc.double({ min: 1.05, max: 19, noNaN: true }), fc.constantFrom(...HARMFUL.slice(1))),
      (pairs, times, margin) => {
        const state = addAll(Array.from({ length: times }, () => pairs).flat(), margin);
        const { from, to } = ratioBounds(state, NEEDED, 1);
        assert.equal(from >= 1, logHarm(state, 1) >= Math.log(NEEDED.harm));
        assert.equal(to !== null && to <= margin * (1 + 1e-9), logSafety(state, 1) >= Math.log(NEEDED.safety));
      },
    ),
    { numRuns: 300 },
  );
});

test('the truth lies within the bounds at every look, in all but α+β of rollouts', () => {
  const chance = seedRandom(3);
  const runs = 250;
  let missed = 0;
  for (let run = 0; run < runs; run += 1) {
    const ratio = [0.5, 1, 1.5, 3][run % 4] ?? 1;
    let state = noEvidence(MARGIN);
    let isMissed = false;
    for (let index = 0; index < 25 && !isMissed; index += 1) {
      state = addInterval(state, minute(index, { units: 20_000, share: 0.2, rate: 0.002, ratio }, chance));
      const { from, to } = ratioBounds(state, NEEDED, 1);
      isMissed = ratio < from || ratio > (to ?? Infinity);
    }
    if (isMissed) missed += 1;
  }
  assert.ok(missed <= runs * 0.075 + 2 * Math.sqrt(runs * 0.075), `${missed} of ${runs}`);
});
