import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { amount } from '#tests/support/amount.ts';
import { startWorld } from '#tests/support/backline.ts';
import { askedSeed, keptSeeds } from '#tests/support/kept-seeds.ts';
import { TOKENS, playFourEyes } from './four-eyes-model.ts';

const STEPS = amount({ usual: 250, long: 20_000 });

/** Events that a run must contain; without them its steps prove nothing. */
const MUST_HAPPEN = [
  'approval refused',
  'with a minted token',
  'two at once',
  'relabelled',
  'role changed',
  'policy changed',
];

test('nobody’s change reaches anybody without the approvals of its policies by others', async (t) => {
  const [seed = Math.floor(Math.random() * 1_000_000)] = askedSeed();
  for (const one of [...keptSeeds('four-eyes'), seed]) await play(t, one);
});

async function play(t: TestContext, seed: number): Promise<void> {
  t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
  const directory = await mkdtemp(join(tmpdir(), 'backline-four-eyes-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(tokenFile, TOKENS);
  let now = Temporal.Now.instant();
  await using world = await startWorld(t, { clock: () => now, access: { tokenFile } });
  const counts = await playFourEyes(world, seed, STEPS, (ms) => (now = now.add({ milliseconds: ms })));
  t.diagnostic(JSON.stringify(Object.fromEntries([...counts].sort())));
  const rare = STEPS >= 1_000 ? ['reached somebody', 'with approvals', 'of several authors', 'deleted'] : [];
  for (const what of [...MUST_HAPPEN, ...rare]) assert.ok((counts.get(what) ?? 0) > 0, `${what} never happened`);
}
