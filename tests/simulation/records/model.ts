import { seedRandom } from '#kernel/base/chance.ts';
import type { Stage } from './stage.ts';
import { openTown } from './town.ts';

const PASSES_MS = [1, 1, 1, 1_000, 1_000, 60_000, 60_000, 600_000, 3_600_000, 5 * 3_600_000, 26 * 3_600_000];

/**
 * Two nodes on one database are asked at random, repeatedly, several at once, and killed meanwhile. Whatever they answer
 * is what one clerk with one ledger would have answered, in one order of what was asked together; a repetition is the first
 * answer; and what is left is what the clerk has left. Several towns, of which none knows another, go through it side by
 * side: the time is that of all.
 *
 * @param steps of all towns together
 * @param kills of one of the nodes, while it is asked
 */
export async function playRecords(
  stage: Stage,
  options: { readonly seed: number; readonly steps: number; readonly towns: number; readonly kills: number },
): Promise<ReadonlyMap<string, number>> {
  const { seed, steps, kills } = options;
  const chance = seedRandom(seed);
  const counts = new Map<string, number>();
  const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1);
  const towns = Array.from({ length: options.towns }, (_, index) =>
    openTown({ name: `t${index}-`, stage, chance: seedRandom(seed * 1_000 + index), count }),
  );
  let killed = 0;
  for (let step = 0; step < steps;) {
    await stage.travelTo(stage.nowMs() + (PASSES_MS[Math.floor(chance() * PASSES_MS.length)] ?? 0));
    const isKill = killed < kills && step >= ((killed + 1) * steps) / (kills + 1);
    const kill = isKill ? killOne(Math.floor(chance() * 15)) : undefined;
    const played = await Promise.all(towns.map((town) => town.play(kill)));
    step += played.reduce((sum, size) => sum + size, 0);
  }
  for (const town of towns) await town.verifyAll();
  return counts;

  async function killOne(afterMs: number): Promise<void> {
    killed += 1;
    count('killed');
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await stage.nodes[0]?.kill();
    await stage.nodes[0]?.restart();
  }
}
