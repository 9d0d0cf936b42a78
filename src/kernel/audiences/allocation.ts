import { BUCKETS } from './bucketing/buckets.ts';
import { murmur3x86 } from './bucketing/murmur3.ts';

/**
 * The million buckets are allocated in blocks of 0.01 %: fine enough for shares, and a set of blocks is a short text.
 */
const BLOCKS = 10_000;
export const BLOCK_BUCKETS = BUCKETS / BLOCKS;
const BYTES = BLOCKS / 8;

/** A set of blocks, one bit each, the first in the lowest bit of the first byte. Never altered. */
export type Blocks = Uint8Array;

/** True when the set has the block; a block number is a bucket divided by `BLOCK_BUCKETS`. */
export function has(blocks: Blocks, block: number): boolean {
  return (((blocks[block >>> 3] ?? 0) >>> (block & 7)) & 1) === 1;
}

/** A set of blocks as base64url, 1,667 characters: stored beside a live object. */
export function blocksText(blocks: Blocks): string {
  return btoa(String.fromCharCode(...blocks))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** Reads the text of `blocksText`. Throws for any other text: only this program writes it. */
export function blocksFrom(text: string): Blocks {
  const blocks = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  if (blocks.length !== BYTES) throw new Error(`a set of blocks has ${BYTES} bytes, not ${blocks.length}`);
  return blocks;
}

/** Layers that are kept apart, 1.7 KB each; beyond it the two oldest merge. */
const LAYERS_MAX = 8;

/** The blocks of an experiment, and its later blocks in the order of their arrival. */
export interface Allotment {
  readonly blocks: Blocks;
  readonly later: readonly Blocks[];
}

/**
 * Blocks for an experiment; or the number that it already shares with others; or the numbers wanted and free. In
 * blocks.
 */
export type Allocation = Allotment | { readonly overlap: number } | { readonly wanted: number; readonly free: number };

/**
 * Samples free blocks in an order that follows from the seed alone. A ramp adds blocks, and a cut removes the last
 * added first: no unit moves out and in again, and the first units stay longest. A share that shrinks and grows again
 * gets the same blocks while they are free.
 *
 * Source of the idea: Schultzberg, Kjellin, Rydberg (2020), "Statistical Properties of Exclusive and Non-exclusive
 * Online Randomized Experiments using Bucket Reuse".
 */
export function allocate(wish: {
  /** Of all units, rounded to 0.01. */
  readonly percent: number;
  readonly seed: string;
  /** Sets of the experiments that it may share no unit with. */
  readonly taken: readonly Blocks[];
  /** Its blocks until now. */
  readonly previous?: Allotment;
}): Allocation {
  const { percent, seed, taken, previous } = wish;
  const isTaken = (block: number) => taken.some((blocks) => has(blocks, block));
  const all = Array.from({ length: BLOCKS }, (_, block) => block);
  const kept = previous === undefined ? [] : all.filter((block) => has(previous.blocks, block));
  const overlap = kept.filter(isTaken).length;
  if (overlap > 0) return { overlap };

  const wanted = Math.round((percent * BLOCKS) / 100);
  const free = all.filter((block) => !isTaken(block) && (previous === undefined || !has(previous.blocks, block)));
  if (wanted > kept.length + free.length) return { wanted, free: kept.length + free.length };

  const rank = Uint32Array.from(all, (block) => murmur3x86(`${seed}|${block}`, 0, 0xff));
  const inOrder = (blocks: readonly number[]) => blocks.toSorted((a, b) => (rank[a] ?? 0) - (rank[b] ?? 0) || a - b);
  const layers = [...layersOf(kept, previous?.later ?? []).map(inOrder), inOrder(free)];
  let left = wanted;
  const chosen: (readonly number[])[] = [];
  for (const layer of layers) {
    chosen.push(layer.slice(0, left));
    left -= chosen.at(-1)?.length ?? 0;
  }
  const [, ...later] = mergeLayers(chosen, (block) => rank[block] ?? 0);
  return { blocks: setOf(chosen.flat()), later: later.map(setOf) };
}

/** The first blocks, then each later layer. */
function layersOf(kept: readonly number[], later: readonly Blocks[]): (readonly number[])[] {
  const isLater = (block: number) => later.some((layer) => has(layer, block));
  return [kept.filter((block) => !isLater(block)), ...later.map((layer) => kept.filter((block) => has(layer, block)))];
}

/** Merges consecutive layers in the order of ranks: sorted by rank, the merged layer has the same order. */
function mergeLayers(layers: readonly (readonly number[])[], rankOf: (block: number) => number): number[][] {
  const result: number[][] = [];
  for (const layer of layers) {
    const [first] = layer;
    if (first === undefined) continue;
    const last = result.at(-1);
    const lastBlock = last?.at(-1);
    if (last !== undefined && lastBlock !== undefined && rankOf(lastBlock) < rankOf(first)) last.push(...layer);
    else result.push([...layer]);
  }
  while (result.length > LAYERS_MAX) {
    const [first = [], second = [], ...others] = result;
    result.splice(0, result.length, [...first, ...second], ...others);
  }
  return result;
}

function setOf(blocks: readonly number[]): Blocks {
  const set = new Uint8Array(BYTES);
  for (const block of blocks) set[block >>> 3] = (set[block >>> 3] ?? 0) | (1 << (block & 7));
  return set;
}

/** The exclusivity that an experiment declares. */
export interface Exclusivity {
  readonly exclusivityTags?: readonly string[];
  /** Tags of experiments that it shares no unit with. */
  readonly exclusiveTo?: readonly string[];
}

/** True when two may share no unit: a tag of one is among the `exclusiveTo` tags of the other, either way. */
export function conflicts(a: Exclusivity, b: Exclusivity): boolean {
  return meets(a.exclusivityTags, b.exclusiveTo) || meets(b.exclusivityTags, a.exclusiveTo);
}

function meets(tags: readonly string[] = [], others: readonly string[] = []): boolean {
  return tags.some((tag) => others.includes(tag));
}
