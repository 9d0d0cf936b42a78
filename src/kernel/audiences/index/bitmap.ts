import type { Numbers } from '#kernel/base/numbers.ts';

/** A set of small numbers, 32 to a word. */
export type Bitmap = Int32Array;

export function setBit(bitmap: Bitmap, position: number): void {
  const word = position >>> 5;
  bitmap[word] = (bitmap[word] ?? 0) | (1 << (position & 31));
}

export function clearBit(bitmap: Bitmap, position: number): void {
  const word = position >>> 5;
  bitmap[word] = (bitmap[word] ?? 0) & ~(1 << (position & 31));
}

export function wordsOf(count: number): number {
  return (count + 31) >>> 5;
}

/** The set of all numbers below `count` but these. */
export function allBut(members: Numbers<Int32Array>, count: number): Bitmap {
  const bitmap = new Int32Array(wordsOf(count)).fill(-1);
  if (count % 32 !== 0) bitmap[bitmap.length - 1] = (1 << (count % 32)) - 1;
  for (let at = 0; at < members.length; at += 1) clearBit(bitmap, members.at(at));
  return bitmap;
}

export function countBits(bitmap: Bitmap): number {
  let count = 0;
  for (const word of bitmap) {
    let bits = word - ((word >>> 1) & 0x55555555);
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    count += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/** Members of a set: a bitmap, or, where that is smaller, an ascending list with the position of the search. */
export type Members = { readonly bits: Bitmap } | { readonly sorted: Int32Array; at: number };

/** The smaller form of a set whose members are given in ascending order. */
export function toMembers(ascending: readonly number[], words: number): Members {
  if (ascending.length <= words) return { sorted: Int32Array.from(ascending), at: 0 };
  const bits = new Int32Array(words);
  for (const member of ascending) setBit(bits, member);
  return { bits };
}
