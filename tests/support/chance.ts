import type { TestContext } from 'node:test';

/** Chance that can be repeated: the seed is printed, and BACKLINE_TEST_SEED sets it. */
export function seededChance(t: TestContext): { readonly between: (least: number, most: number) => number } {
  let state = Number(process.env['BACKLINE_TEST_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
  t.diagnostic(`BACKLINE_TEST_SEED=${state}`);
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { between: (least, most) => least + Math.floor(next() * (most - least + 1)) };
}
