import type { Pair } from './interval.ts';
import { CORRELATION_MAX, lagCorrelation } from './lag-correlation.ts';
import type { TimeHistory } from './time-history.ts';

/** Shorter windows of one such moment are one: what is noise for seconds only has no length of its own. */
const MOMENT_MS = 60_000;
/** Blocks that are kept. Beyond, two neighbours become one: what hangs together for longer is seen all the same. */
const BLOCKS_MAX = 512;
/** So many blocks must lie before a change of the rate: of what moves by itself there is always a moment from which it was worse. */
const CHANGE_BLOCKS_MIN = 20;
/** By how much likelier, as ln, a jump of a rate must be than none: of some hundred places the best is 5 by chance. */
const JUMP = 8;
/** So many times what stable has, or what was before, is no noise that moments have: it is something else. */
const OTHER_RATIO = 10;

/** What both tracks did in one stretch of time. Plain data. */
interface Block {
  /** Which stretch of time it is, counted from the epoch. */
  readonly number: number;
  readonly toMs: number;
  readonly windows: number;
  readonly ms: number;
  readonly units: number;
  readonly bad: number;
  readonly stableUnits: number;
  readonly stableBad: number;
}

/** How much was seen of how a track varies in time. */
export interface Known {
  readonly windows: number;
  readonly ms: number;
  /** Of the length that is joined. */
  readonly stretches: number;
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
    windows: 1,
    ms: toMs - fromMs,
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
    windows: a.windows + b.windows,
    ms: a.ms + b.ms,
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

/** How events came in time, given that harm may have begun at a moment. */
export interface InTime {
  readonly deviations: readonly Deviation[];
  /**
   * What was seen of harm that began then: what came since alone, as of a release that begins; all there is, where it may
   * have been such before.
   */
  readonly known: Known;
}

/**
 * Deviations of the candidate's part of all events, given the ratio of the rates before a moment and from then on: harm that
 * began then is no noise. What hits both tracks at once is gone. Stretches with nothing to compare are left out. Where stable
 * has nearly nothing, the candidate's part is nearly all, however its events come: then its own rate is taken, with a jump of
 * its own. What is known is counted from the jump of the candidate's rate.
 */
export function shareInTime({ blocks }: TimeBlocks, changeMs: number): InTime {
  const cut = cutShare(blocks, changeMs);
  const isOther = isChange(cut, isOtherShare);
  return {
    deviations: (isOther ? cut : [blocks]).flatMap(shareDeviations),
    known: allKnown({ blocks: isOther ? sinceJump(cut[1]) : blocks }),
  };
}

/** Deviations of the candidate's events from its own rate before a moment and from then on, where it is held against a number. */
export function rateInTime({ blocks }: TimeBlocks, changeMs: number): InTime {
  const cut = cutRate(blocks, changeMs);
  const isOther = isChange(cut, isOtherRate);
  return {
    deviations: (isOther ? cut : [blocks]).flatMap(ownDeviations),
    known: allKnown({ blocks: isOther ? cut[1] : blocks }),
  };
}

function shareDeviations(part: readonly Block[]): readonly Deviation[] {
  const ratio = ratioOf(part);
  if (ratio > OTHER_RATIO) return cutAt(part, jumpOf(part, unitsOf)).flatMap(ownDeviations);
  const deviations: Deviation[] = [];
  for (const { units, bad, stableUnits, stableBad } of part) {
    const both = bad + stableBad;
    const share = (ratio * units) / (ratio * units + stableUnits);
    const variance = both * share * (1 - share);
    if (variance > 0) deviations.push({ off: bad - share * both, variance });
  }
  return deviations;
}

function ownDeviations(part: readonly Block[]): readonly Deviation[] {
  const { units, bad } = sumOfBlocks(part);
  const rate = bad === 0 ? 0 : bad / units;
  return part
    .filter((block) => rate * block.units > 0)
    .map((block) => ({ off: block.bad - rate * block.units, variance: rate * block.units }));
}

export function allKnown({ blocks }: TimeBlocks): Known {
  const { windows, ms } = sumOfBlocks(blocks);
  return { windows, ms, stretches: blocks.length };
}

/** That there is no jump of the candidate's rate is given up only for one that chance does not make. */
function sinceJump(blocks: readonly Block[]): readonly Block[] {
  const { bad, units } = sumOfBlocks(blocks);
  return blocks.slice(jumpOf(blocks, unitsOf, { least: logOfRate(bad, units) + JUMP }));
}

function isOtherShare(before: readonly Block[], since: readonly Block[]): boolean {
  return ratioOf(since) > OTHER_RATIO * Math.min(1, ratioOf(before));
}

function isOtherRate(before: readonly Block[], since: readonly Block[]): boolean {
  const [was, is] = [sumOfBlocks(before), sumOfBlocks(since)];
  return is.bad * was.units > OTHER_RATIO * was.bad * is.units;
}

/** Where a jump is looked for: among blocks by their index, and above this log likelihood. */
interface JumpBounds {
  readonly from?: number;
  readonly to?: number;
  readonly least?: number;
}

/** From which of some blocks on the candidate most likely has another rate than before, by so many expected of each block. */
function jumpOf(
  blocks: readonly Block[],
  expectedOf: (block: Block) => number,
  { from = 0, to = blocks.length, least = -Infinity }: JumpBounds = {},
): number {
  const expectedAll = blocks.reduce((sum, block) => sum + expectedOf(block), 0);
  const badAll = blocks.reduce((sum, block) => sum + block.bad, 0);
  let [expected, bad, best, bestLog] = [0, 0, from, least];
  for (const [index, block] of blocks.entries()) {
    const log = logOfRate(bad, expected) + logOfRate(badAll - bad, expectedAll - expected);
    // What is no more than rounding is no jump.
    if (index >= from && index <= to && log > bestLog + 1e-9 * badAll) [best, bestLog] = [index, log];
    expected += expectedOf(block);
    bad += block.bad;
  }
  return best;
}

function unitsOf({ units }: Block): number {
  return units;
}

/** What the candidate would have if both tracks had the same rate. */
function partOf({ units, bad, stableUnits, stableBad }: Block): number {
  return units === 0 ? 0 : ((bad + stableBad) * units) / (units + stableUnits);
}

/** ln likelihood of events at their own rate, but for what is the same for every rate. */
function logOfRate(bad: number, units: number): number {
  return bad > 0 && units > 0 ? bad * Math.log(bad / units) : 0;
}

function sumOfBlocks(blocks: readonly Block[]): Pick<Block, 'windows' | 'ms' | 'units' | 'bad'> {
  let [windows, ms, units, bad] = [0, 0, 0, 0];
  for (const block of blocks) {
    windows += block.windows;
    ms += block.ms;
    units += block.units;
    bad += block.bad;
  }
  return { windows, ms, units, bad };
}

/** Whether harm began at a moment, and is no noise: it was otherwise for long before, or nothing moves so far by itself. */
function isChange([before, since]: Cut, isOther: typeof isOtherRate): boolean {
  return before.length >= CHANGE_BLOCKS_MIN || isOther(before, since);
}

/** Before a change and since. */
type Cut = readonly [readonly Block[], readonly Block[]];

function cutShare(blocks: readonly Block[], changeMs: number): Cut {
  return cutAt(blocks, changeAt(blocks, changeMs, partOf));
}

function cutRate(blocks: readonly Block[], changeMs: number): Cut {
  return cutAt(blocks, changeAt(blocks, changeMs, unitsOf));
}

function cutAt(blocks: readonly Block[], index: number): Cut {
  return [blocks.slice(0, index), blocks.slice(index)];
}

/** Moments of old are known as much less well as they are older: a change is looked for half as far around as it is old. */
function changeAt(blocks: readonly Block[], changeMs: number, expectedOf: (block: Block) => number): number {
  const at = blocks.filter(({ toMs }) => toMs <= changeMs).length;
  const reach = at === 0 ? 0 : Math.floor((blocks.length - at) / 2);
  return reach === 0 ? at : jumpOf(blocks, expectedOf, { from: Math.max(1, at - reach), to: at + reach });
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
  const lag = lagCorrelation(deviations.map((one) => one.off / Math.sqrt(one.variance)));
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
