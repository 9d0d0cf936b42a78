import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addInterval, logHarm, noEvidence } from './risk-ratio-evidence.ts';
import { seedRandom } from '#kernel/base/chance.ts';
import { poisson } from './testing/draws.ts';
import { expectedCounts, unitsUntil } from './sample-size.ts';

test('so many units, at most a hundredth more, until the evidence is enough', () => {
  const units = unitsUntil((units) => units / 1_000, 12.3456);
  assert.ok(units !== null && units >= 12_346 && units <= 12_470, String(units));
  const guessed = unitsUntil((units) => units / 1_000, 12.3456, 50_000);
  assert.ok(guessed !== null && guessed >= 12_346 && guessed <= 12_740, String(guessed));
  assert.equal(
    unitsUntil((units) => units + 5, 5),
    0,
  );
  assert.equal(
    unitsUntil((units) => units, 0.2),
    1,
  );
  assert.equal(
    unitsUntil(() => 1, 2),
    null,
  );
});

test('the estimate is the median of simulated releases, within a third', () => {
  const rates = { candidate: 0.002, stable: 0.001 };
  const needed = Math.log(20);
  const estimate = unitsUntil(
    (units) => logHarm(addInterval(noEvidence(1.5), expectedCounts(units, 0.05, rates)), 1),
    needed,
  );
  const chance = seedRandom(5);
  const taken = Array.from({ length: 201 }, () => {
    let state = noEvidence(1.5);
    while (logHarm(state, 1) < needed) {
      const { candidate, stable } = expectedCounts(500, 0.05, rates);
      state = addInterval(state, {
        candidate: { ...candidate, bad: poisson(candidate.bad, chance) },
        stable: { ...stable, bad: poisson(stable.bad, chance) },
      });
    }
    return state.candidate.units;
  }).sort((a, b) => a - b);
  const median = taken[100] ?? 0;
  assert.ok(
    estimate !== null && median > estimate * 0.67 && median < estimate * 1.33,
    `estimate ${estimate}, took ${median}`,
  );
});
