import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { amount } from '#tests/support/amount.ts';
import { askedSeed, keptSeeds } from '#tests/support/kept-seeds.ts';
import { playRecords } from './model.ts';
import { stageOfDesks, stageOfProcesses, type Stage } from './stage.ts';

const STEPS = amount({ usual: 200, long: 2_000 });
/** A step without processes and HTTP costs a tenth. */
const STEPS_OF_DESKS = 10 * STEPS;
const CLERK = 'whatever is asked of records and use, repeated, raced and killed, is answered as by one clerk';

for (const seed of [...askedSeed(), ...keptSeeds('records')]) {
  test(`${CLERK}: two processes`, { timeout: Math.max(240_000, STEPS * 500) }, async (t) => {
    const counts = await play(t, await stageOfProcesses(t), { seed, steps: STEPS, towns: 6 });
    for (const what of ['killed', 'repeated', 'asked again']) assert.ok(counts.has(what), `${what} never happened`);
  });

  test(`${CLERK}: two nodes in one process`, { timeout: Math.max(240_000, STEPS_OF_DESKS * 100) }, async (t) => {
    const counts = await play(t, await stageOfDesks(t), { seed, steps: STEPS_OF_DESKS, towns: 12 });
    for (const what of ['killed', 'repeated', 'asked again', 'refund', 'commit', 'return', 'extend', 'part', 'end']) {
      assert.ok(counts.has(what), `${what} never happened`);
    }
  });
}

async function play(
  t: TestContext,
  stage: Stage,
  { seed, steps, towns }: { readonly seed: number; readonly steps: number; readonly towns: number },
): Promise<ReadonlyMap<string, number>> {
  t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
  const begun = performance.now();
  const counts = await playRecords(stage, { seed, steps, towns, kills: Math.ceil(steps / 400) });
  t.diagnostic(`${steps} steps in ${Math.round((performance.now() - begun) / 1_000)} s`);
  t.diagnostic(JSON.stringify(Object.fromEntries([...counts].sort())));
  return counts;
}
