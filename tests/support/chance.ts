import type { TestContext } from 'node:test';
import { seeded } from '#kernel/base/chance.ts';

/** Chance that can be repeated: the seed is printed, and BACKLINE_TEST_SEED sets it. */
export function seededChance(t: TestContext): { readonly between: (least: number, most: number) => number } {
  const seed = Number(process.env['BACKLINE_TEST_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
  t.diagnostic(`BACKLINE_TEST_SEED=${seed}`);
  const next = seeded(seed);
  return { between: (least, most) => least + Math.floor(next() * (most - least + 1)) };
}
