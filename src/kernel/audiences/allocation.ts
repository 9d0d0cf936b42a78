import { BUCKETS } from './bucketing/buckets.ts';
import { murmur3x86 } from './bucketing/murmur3.ts';

/** The million buckets are handed out in blocks of 0.01 %: fine enough for shares, and a set of them is a short text. */
const BLOCKS = 10_000;
export const BLOCK_BUCKETS = BUCKETS / BLOCKS;
const BYTES = BLOCKS / 8;

/** A set of blocks, one bit each, the first in the lowest bit of the first byte. Never altered. */
export type Blocks = Uint8Array;

/** Whether a block, which is a bucket divided by `BLOCK_BUCKETS`, is in the set. */
export function has(blocks: Blocks, block: number): boolean {
  return (((blocks[block >>> 3] ?? 0) >>> (block & 7)) & 1) === 1;
}

/** A set of blocks as base64url, 1,667 characters: how it is kept beside a live object. */
export function blocksText(blocks: Blocks): string {
  return btoa(String.fromCharCode(...blocks))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** What `blocksText` wrote. Throws for any other text: it is written by us alone. */
export function blocksFrom(text: string): Blocks {
  const blocks = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  if (blocks.length !== BYTES) throw new Error(`a set of blocks has ${BYTES} bytes, not ${blocks.length}`);
  return blocks;
}

/** Sets that came one after another are told apart up to so many, 1.7 KB each; the oldest two then count as one. */
const LAYERS_MAX = 8;

/** What an experiment has: its blocks, and those of them that came later than the rest, in the order of their coming. */
export interface Allotted {
  readonly blocks: Blocks;
  readonly later: readonly Blocks[];
}

/** Blocks for an experiment; or how many it already shares with the others; or how many are too few. In blocks. */
export type Allocation = Allotted | { readonly overlap: number } | { readonly wanted: number; readonly free: number };

/**
 * Samples blocks that nobody else has, by an order that follows from the seed alone. What it has grows by blocks that
 * are added and shrinks by blocks that are taken away, last added first: a ramp moves no unit out and in again, who came
 * first stays longest, and a shrunken share that grows again gets the same blocks, if they are still free.
 *
 * Source of the idea: Schultzberg, Kjellin, Rydberg (2020), "Statistical Properties of Exclusive and Non-exclusive
 * Online Randomized Experiments using Bucket Reuse".
 */
export function allocate(wish: {
  /** Of all units, rounded to 0.01. */
  readonly percent: number;
  readonly seed: string;
  /** Sets of those that it may share nobody with. */
  readonly taken: readonly Blocks[];
  /** What it has had until now. */
  readonly previous?: Allotted;
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
  const [, ...later] = joined(chosen, (block) => rank[block] ?? 0);
  return { blocks: setOf(chosen.flat()), later: later.map(setOf) };
}

/** The blocks that came first, then those that came later. */
function layersOf(kept: readonly number[], later: readonly Blocks[]): (readonly number[])[] {
  const isLater = (block: number) => later.some((layer) => has(layer, block));
  return [kept.filter((block) => !isLater(block)), ...later.map((layer) => kept.filter((block) => has(layer, block)))];
}

/** Layers that follow each other in the order of ranks are one: sorted by rank, it has the same order. */
function joined(layers: readonly (readonly number[])[], rankOf: (block: number) => number): number[][] {
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

/** What an experiment says about who it shares no one with. */
export interface Exclusivity {
  readonly exclusivityTags?: readonly string[];
  /** Tags of those that it shares no one with. */
  readonly exclusiveTo?: readonly string[];
}

/** Whether two may share no one: the tags of one are among those that the other is exclusive to, either way. */
export function conflicts(a: Exclusivity, b: Exclusivity): boolean {
  return meets(a.exclusivityTags, b.exclusiveTo) || meets(b.exclusivityTags, a.exclusiveTo);
}

function meets(tags: readonly string[] = [], others: readonly string[] = []): boolean {
  return tags.some((tag) => others.includes(tag));
}
