import { relative } from 'node:path';
import type { TestContext } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';

/** Chance that can be repeated: BACKLINE_TEST_SEED sets the seed, and what a failure says begins with it. */
export function seededChance(t: TestContext): { readonly between: (least: number, most: number) => number } {
  const seed = Number(process.env['BACKLINE_TEST_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
  t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
  t.after(() => {
    const failure = t.error?.cause ?? t.error;
    if (!(failure instanceof Error)) return;
    const again = `BACKLINE_TEST_SEED=${seed} npm test -- ${relative(process.cwd(), t.filePath ?? '')}`;
    // The stack is what is printed, also at the end of a long run, where diagnostics are not.
    failure.stack = `The same choices again: ${again}\n${failure.stack ?? failure.message}`;
  });
  const next = seedRandom(seed);
  return { between: (least, most) => least + Math.floor(next() * (most - least + 1)) };
}
