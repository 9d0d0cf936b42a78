import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amount } from '#tests/support/amount.ts';
import { askedSeed, keptSeeds } from '#tests/support/kept-seeds.ts';
import { simulate } from './testing/simulate.ts';

const SCHEDULES = amount({ usual: 2_000, long: 50_000 });

test('no schedule of crashes, lost and repeated answers, dead nodes and wrong clocks takes a unit too many or loses one', (t) => {
  const [first = 1] = askedSeed();
  const total = { decided: 0, granted: 0, denied: 0, replayed: 0, lost: 0, settled: 0 };
  const seeds = Array.from({ length: SCHEDULES }, (_, index) => first + index);
  for (const seed of [...keptSeeds('quotas'), ...seeds]) {
    try {
      const counts = simulate(seed);
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += counts[name];
    } catch (error) {
      t.diagnostic(`BACKLINE_TEST_SEED=${seed} BACKLINE_TEST_AMOUNT=1`);
      throw error;
    }
  }
  t.diagnostic(JSON.stringify(total));
  // A simulation without events proves nothing.
  for (const [name, count] of Object.entries(total)) assert.ok(count > SCHEDULES / 2, name);
});
