import type { Pair } from './interval.ts';
import type { TimeHistory } from './time-history.ts';

/** Shorter windows of one such moment are one: what is noise for seconds only has no length of its own. */
const MOMENT_MS = 60_000;
/** Blocks that are kept. Beyond, two neighbours become one: what hangs together for longer is seen all the same. */
const BLOCKS_MAX = 512;
/** So many blocks must lie before and after a change of the rate. */
const CHANGE_BLOCKS_MIN = 20;
/** Of fewer events nothing is told of when they come. */
const FEW = 5;
/** Moments that hang together more than this tell nothing of how they do. */
const CORRELATION_MAX = 0.97;

/** What both tracks did in one stretch of time. Plain data. */
interface Block {
  /** Which stretch of time it is, counted from the epoch. */
  readonly number: number;
  readonly toMs: number;
  readonly units: number;
  readonly bad: number;
  readonly stableUnits: number;
  readonly stableBad: number;
}

/** How events hang together in time, for which tracks are cut into stretches. Plain data. */
export interface TimeBlocks {
  readonly blocks: readonly Block[];
}

interface Times {
  readonly fromMs: number;
  readonly toMs: number;
}

export const NO_BLOCKS: TimeBlocks = { blocks: [] };

/** Adds a window: those of one minute, or of one stretch of `independentMs`, are one block. */
export function addBlock(
  { blocks }: TimeBlocks,
  { candidate, stable }: Pair,
  { fromMs, toMs }: Times,
  independentMs: number | undefined,
): TimeBlocks {
  const last = blocks.at(-1);
  const block = blockOf({ candidate, stable }, { fromMs, toMs }, independentMs ?? MOMENT_MS);
  if (last?.number === block.number) return { blocks: [...blocks.slice(0, -1), joined(last, block)] };
  const all = [...blocks, block];
  return { blocks: all.length <= BLOCKS_MAX ? all : halved(all) };
}

function blockOf({ candidate, stable }: Pair, { fromMs, toMs }: Times, lengthMs: number): Block {
  return {
    number: Math.floor(fromMs / lengthMs),
    toMs,
    units: candidate.units,
    bad: candidate.bad,
    stableUnits: stable.units,
    stableBad: stable.bad,
  };
}

/** Windows as they are, whatever their length and number. */
export function blocksOf(windows: readonly (Pair & Times)[]): TimeBlocks {
  return { blocks: windows.map((one) => blockOf(one, one, one.toMs - one.fromMs)) };
}

/** Those that ended after a time. */
export function blocksSince({ blocks }: TimeBlocks, sinceMs: number): TimeBlocks {
  return { blocks: blocks.filter(({ toMs }) => toMs > sinceMs) };
}

function halved(blocks: readonly Block[]): readonly Block[] {
  return blocks.flatMap((block, index) => {
    if (index % 2 === 1) return [];
    const next = blocks[index + 1];
    return [next === undefined ? block : joined(block, next)];
  });
}

function joined(a: Block, b: Block): Block {
  return {
    number: b.number,
    toMs: b.toMs,
    units: a.units + b.units,
    bad: a.bad + b.bad,
    stableUnits: a.stableUnits + b.stableUnits,
    stableBad: a.stableBad + b.stableBad,
  };
}

/** One stretch as a deviation from what is expected, and the variance of that if events were independent. */
export interface Deviation {
  readonly off: number;
  readonly variance: number;
}

/**
 * Of the candidate's part of all events, given the ratio of the rates before a moment and from then on: harm that began then
 * is no noise. What hits both tracks at once is gone. Stretches with nothing to compare are left out; where stable has next to
 * nothing, all of them are the candidate's, and only its own rate tells whether they come in bursts.
 */
export function shareDeviations({ blocks }: TimeBlocks, changeMs: number): readonly Deviation[] {
  return parted(blocks, changeMs).flatMap((part) => {
    if (part.reduce((sum, { stableBad }) => sum + stableBad, 0) < FEW) return offRate(part);
    const ratio = ratioOf(part);
    return part.flatMap(({ units, bad, stableUnits, stableBad }) => {
      const both = bad + stableBad;
      if (units === 0 || stableUnits === 0 || both === 0) return [];
      const share = (ratio * units) / (ratio * units + stableUnits);
      return [{ off: bad - share * both, variance: both * share * (1 - share) }];
    });
  });
}

/** Of the candidate's events from its own rate before a moment and from then on, where it is held against a number. */
export function rateDeviations({ blocks }: TimeBlocks, changeMs: number): readonly Deviation[] {
  return parted(blocks, changeMs).flatMap(offRate);
}

function offRate(blocks: readonly Block[]): readonly Deviation[] {
  const units = blocks.reduce((sum, block) => sum + block.units, 0);
  const bad = blocks.reduce((sum, block) => sum + block.bad, 0);
  return blocks.flatMap((block) => {
    if (block.units === 0 || bad === 0) return [];
    const expected = (bad / units) * block.units;
    return [{ off: block.bad - expected, variance: expected }];
  });
}

function parted(blocks: readonly Block[], changeMs: number): readonly (readonly Block[])[] {
  const before = blocks.filter(({ toMs }) => toMs <= changeMs).length;
  // What moves by itself always moved lately: a change is one when it lasts.
  if (Math.min(before, blocks.length - before) < CHANGE_BLOCKS_MIN) return [blocks];
  return [blocks.slice(0, before), blocks.slice(before)];
}

/**
 * The candidate's rate over that of stable, within stretches (Mantel and Haenszel), with one event more that fell as the units
 * did: a track without any has a low rate, and not that of the other.
 */
function ratioOf(blocks: readonly Block[]): number {
  let [candidate, stable, candidateUnits, stableUnits] = [0, 0, 0, 0];
  for (const block of blocks) {
    const units = block.units + block.stableUnits;
    if (block.units === 0 || block.stableUnits === 0) continue;
    candidate += (block.bad * block.stableUnits) / units;
    stable += (block.stableBad * block.units) / units;
    candidateUnits += block.units;
    stableUnits += block.stableUnits;
  }
  const one = (candidateUnits * stableUnits) / (candidateUnits + stableUnits) ** 2;
  return one > 0 ? (candidate + one) / (stable + one) : 1;
}

/** By how much the variance over a long time exceeds that of independent events, at least 1. */
export function timeDispersion(
  deviations: readonly Deviation[],
  {
    isBlocked,
    history,
  }: {
    /** Whether stretches were declared to be independent of each other. */
    readonly isBlocked: boolean;
    readonly history?: TimeHistory | undefined;
  },
): number {
  const learned = history === undefined ? 1 : lasting(history);
  const seen = ownNoise(deviations);
  return Math.max(isBlocked ? 1 + seen.psi : lasting(seen), learned);
}

/**
 * What there is beyond the noise of counts, from how far stretches are off, and from how neighbours are off together (an
 * autoregression of the first order under that noise).
 */
export function ownNoise(deviations: readonly Deviation[]): Pick<TimeHistory, 'psi' | 'rho'> {
  const count = deviations.length;
  const variance = deviations.reduce((sum, one) => sum + one.variance, 0);
  const squares = deviations.reduce((sum, one) => sum + one.off ** 2, 0);
  if (count < 2 || variance === 0 || squares <= variance) return { psi: 0, rho: 0 };
  const dispersion = squares / variance;
  const psi = dispersion - 1;
  const lag = lagCorrelation(deviations);
  const chance = 1 / Math.sqrt(count);
  if (lag <= chance) return { psi, rho: 0 };
  // What is seen is the correlation of both kinds of noise together; that of counts has none.
  const seen = (lag * dispersion) / (psi + Math.SQRT2 * chance);
  // A short series shows less of how it hangs together than there is (Kendall 1954).
  return { psi, rho: Math.min(CORRELATION_MAX, seen + chance + (1 + 4 * seen) / count) };
}

/** What a track's own moments come to over a long time. */
export function lasting({ psi, rho }: Pick<TimeHistory, 'psi' | 'rho'>): number {
  return 1 + (psi * (1 + rho)) / (1 - rho);
}

function lagCorrelation(deviations: readonly Deviation[]): number {
  const scores = deviations.flatMap(({ off, variance }) => (variance > 0 ? [off / Math.sqrt(variance)] : []));
  const squares = scores.reduce((sum, score) => sum + score ** 2, 0);
  const products = scores.reduce((sum, score, index) => sum + score * (scores[index + 1] ?? 0), 0);
  return squares === 0 ? 0 : products / squares;
}
