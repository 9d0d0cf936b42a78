import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logHarmless } from './harmless.ts';

test('at the harmless rate or above it the mean of the evidence is at most 1, also with one event a unit', () => {
  const units = 60;
  for (const [harmless, rate] of [
    [0.01, 0.01] as const,
    [0.01, 0.05] as const,
    [0.3, 0.3] as const,
    [0.5, 0.9] as const,
  ]) {
    let mean = 0;
    let weight = (1 - rate) ** units;
    for (let bad = 0; bad <= units; bad += 1) {
      mean += weight * Math.exp(logHarmless({ units, bad }, harmless, 1));
      weight *= ((units - bad) / (bad + 1)) * (rate / (1 - rate));
    }
    assert.ok(mean <= 1 + 1e-9, `${mean} at ${rate} of ${harmless}`);
  }
});

test('4,000 units without any event prove a rate below 1 in 1,000, by 20 to 1; 2,500 do not', () => {
  assert.ok(logHarmless({ units: 4_500, bad: 0 }, 0.001, 1) > Math.log(20));
  assert.ok(logHarmless({ units: 2_500, bad: 0 }, 0.001, 1) < Math.log(20));
  assert.ok(logHarmless({ units: 4_500, bad: 5 }, 0.001, 1) < Math.log(20));
});
