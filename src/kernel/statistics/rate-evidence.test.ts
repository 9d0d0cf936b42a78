import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logMeanExp } from './log-mean-exp.ts';
import { logWithin, rateTerms, type Side } from './rate-evidence.ts';

/** The mean of some evidence over all that so many units with this rate may do, of one event each at most. */
function meanOf(units: number, rate: number, logEvidence: (bad: number) => number): number {
  let mean = 0;
  let weight = (1 - rate) ** units;
  for (let bad = 0; bad <= units; bad += 1) {
    mean += weight * Math.exp(logEvidence(bad));
    weight *= ((units - bad) / (bad + 1)) * (rate / (1 - rate));
  }
  return mean;
}

test('on the wrong side of the limit the mean of the evidence to be within it is at most 1', () => {
  for (const [limit, rate, side] of [
    [0.01, 0.01, 'above'],
    [0.01, 0.05, 'above'],
    [0.3, 0.3, 'above'],
    [0.5, 0.9, 'above'],
    [0.2, 0.2, 'below'],
    [0.2, 0.05, 'below'],
  ] as const) {
    const mean = meanOf(60, rate, (bad) => logWithin({ units: 60, bad }, limit, side, 1));
    assert.ok(mean <= 1 + 1e-9, `${mean} at ${rate} of ${side} ${limit}`);
  }
});

test('on the right side of it, or at it, the mean of the evidence to be beyond it is at most 1', () => {
  for (const [limit, rate, side] of [
    [0.02, 0.02, 'above'],
    [0.02, 0.001, 'above'],
    [0.3, 0.3, 'above'],
    [0.3, 0.3, 'below'],
    [0.3, 0.6, 'below'],
  ] as const) {
    const mean = meanOf(60, rate, (bad) => logMeanExp(rateTerms({ units: 60, bad }, limit, side)));
    assert.ok(mean <= 1 + 1e-9, `${mean} at ${rate} of ${side} ${limit}`);
  }
});

test('beyond the limit evidence grows, on either side', () => {
  const beyond = (units: number, bad: number, side: Side) => logMeanExp(rateTerms({ units, bad }, 0.02, side));
  assert.ok(beyond(1_000, 60, 'above') > Math.log(1_000));
  assert.ok(beyond(1_000, 20, 'above') < 0);
  assert.ok(beyond(1_000, 2, 'below') > Math.log(20));
  assert.ok(beyond(1_000, 20, 'below') < 0);
});

test('4,500 units without any event prove a rate below 1 in 1,000, by 20 to 1; 2,500 do not', () => {
  assert.ok(logWithin({ units: 4_500, bad: 0 }, 0.001, 'above', 1) > Math.log(20));
  assert.ok(logWithin({ units: 2_500, bad: 0 }, 0.001, 'above', 1) < Math.log(20));
  assert.ok(logWithin({ units: 4_500, bad: 5 }, 0.001, 'above', 1) < Math.log(20));
  assert.ok(logWithin({ units: 4_500, bad: 0 }, 0.001, 'above', 2) < Math.log(20), 'clumped');
});
