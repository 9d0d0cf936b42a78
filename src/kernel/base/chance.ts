/**
 * Numbers in [0, 1) that look random, always the same for a seed: mulberry32 by Tommy Ettinger, public domain. Small, fast,
 * and good enough for what is made up; never for secrets.
 */
export function seedRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
