import type { Pair } from './interval.ts';
import { CORRELATION_MAX, lagCorrelation } from './lag-correlation.ts';
import type { TimeHistory } from './time-history.ts';

/** Windows of the same minute are one block: noise that lasts seconds has no length of its own. */
const MOMENT_MS = 60_000;
/** Blocks that are stored. Beyond, two neighbours are merged: longer correlation stays visible. */
const BLOCKS_MAX = 512;
/** Blocks that must precede a change of the rate: noise always has some moment from which it was worse. */
const CHANGE_BLOCKS_MIN = 20;
/** ln likelihood by which a jump of a rate must beat none: the best of some hundred places reaches 5 by chance. */
const JUMP = 8;
/** A ratio this large, to stable or to the time before, is no time noise. */
const OTHER_RATIO = 10;

/** Counts of both tracks in one stretch of time. Plain data. */
interface Block {
  /** Number of the stretch, counted from the epoch. */
  readonly number: number;
  readonly toMs: number;
  readonly windows: number;
  readonly ms: number;
  readonly units: number;
  readonly bad: number;
  readonly stableUnits: number;
  readonly stableBad: number;
}

/** How long the variation of a track in time has been observed. */
export interface ObservationTime {
  readonly windows: number;
  readonly ms: number;
  /** Number of blocks. */
  readonly stretches: number;
}

/** Counts by stretches of time, which show how events cluster in time. Plain data. */
export interface TimeBlocks {
  readonly blocks: readonly Block[];
}

interface Times {
  readonly fromMs: number;
  readonly toMs: number;
}

export const NO_BLOCKS: TimeBlocks = { blocks: [] };

/** Adds a window. Windows of one minute, or of one stretch of `independentMs`, are one block. */
export function addBlock(
  { blocks }: TimeBlocks,
  { candidate, stable }: Pair,
  { fromMs, toMs }: Times,
  independentMs: number | undefined,
): TimeBlocks {
  const last = blocks.at(-1);
  const block = blockOf({ candidate, stable }, { fromMs, toMs }, independentMs ?? MOMENT_MS);
  if (last?.number === block.number) return { blocks: [...blocks.slice(0, -1), mergeBlocks(last, block)] };
  const all = [...blocks, block];
  return { blocks: all.length <= BLOCKS_MAX ? all : mergePairs(all) };
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

/** Windows as they are, without a limit on their number. */
export function blocksOf(windows: readonly (Pair & Times)[]): TimeBlocks {
  return { blocks: windows.map((one) => blockOf(one, one, one.toMs - one.fromMs)) };
}

/** Blocks that ended after a time. */
export function blocksSince({ blocks }: TimeBlocks, sinceMs: number): TimeBlocks {
  return { blocks: blocks.filter(({ toMs }) => toMs > sinceMs) };
}

function mergePairs(blocks: readonly Block[]): readonly Block[] {
  return blocks.flatMap((block, index) => {
    if (index % 2 === 1) return [];
    const next = blocks[index + 1];
    return [next === undefined ? block : mergeBlocks(block, next)];
  });
}

function mergeBlocks(a: Block, b: Block): Block {
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

/** Deviation of one stretch from the expectation, and its variance if events were independent. */
export interface Deviation {
  readonly off: number;
  readonly variance: number;
}

/** Deviations in time, given that harm may have begun at a moment. */
export interface InTime {
  readonly deviations: readonly Deviation[];
  /**
   * Observation time of such harm: since it began, as for a release that begins; the whole time, where the same may have happened
   * before.
   */
  readonly known: ObservationTime;
}

/**
 * Deviations of the candidate's part of all events, given the ratio of the rates before a moment and from then on: harm that began
 * then is no noise. An incident on both tracks at once cancels. Stretches with nothing to compare are skipped. Where stable has
 * almost no events, the candidate's part is nearly all, however its events come: then its own rate is used, with a jump of its own.
 * Observation time counts from the jump of the candidate's rate.
 */
export function shareInTime({ blocks }: TimeBlocks, changeMs: number): InTime {
  const cut = cutShare(blocks, changeMs);
  const isOther = isChange(cut, isOtherShare);
  return {
    deviations: (isOther ? cut : [blocks]).flatMap(shareDeviations),
    known: observationTimeOf({ blocks: isOther ? sinceJump(cut[1]) : blocks }),
  };
}

/** Deviations of the candidate's events from its own rate before a moment and from then on, for the comparison with a limit. */
export function rateInTime({ blocks }: TimeBlocks, changeMs: number): InTime {
  const cut = cutRate(blocks, changeMs);
  const isOther = isChange(cut, isOtherRate);
  return {
    deviations: (isOther ? cut : [blocks]).flatMap(ownDeviations),
    known: observationTimeOf({ blocks: isOther ? cut[1] : blocks }),
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

export function observationTimeOf({ blocks }: TimeBlocks): ObservationTime {
  const { windows, ms } = sumOfBlocks(blocks);
  return { windows, ms, stretches: blocks.length };
}

/** A jump of the candidate's rate is accepted only where chance does not explain it. */
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

/** Where a jump may lie: block indexes, and the log likelihood that it must exceed. */
interface JumpBounds {
  readonly from?: number;
  readonly to?: number;
  readonly least?: number;
}

/** Index of the block from which the candidate most likely has another rate, given the expected events of each block. */
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
    // A difference within rounding is no jump.
    if (index >= from && index <= to && log > bestLog + 1e-9 * badAll) [best, bestLog] = [index, log];
    expected += expectedOf(block);
    bad += block.bad;
  }
  return best;
}

function unitsOf({ units }: Block): number {
  return units;
}

/** Expected events of the candidate if both tracks had the same rate. */
function partOf({ units, bad, stableUnits, stableBad }: Block): number {
  return units === 0 ? 0 : ((bad + stableBad) * units) / (units + stableUnits);
}

/** ln likelihood of events at their own rate, without the terms that are the same for every rate. */
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

/** Whether harm that began at a moment is no noise: the rate was different for long before, or noise does not move as far. */
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

/** The time of a change is less exact the longer it is past: the search reaches half as far around as the change is old. */
function changeAt(blocks: readonly Block[], changeMs: number, expectedOf: (block: Block) => number): number {
  const at = blocks.filter(({ toMs }) => toMs <= changeMs).length;
  const reach = at === 0 ? 0 : Math.floor((blocks.length - at) / 2);
  return reach === 0 ? at : jumpOf(blocks, expectedOf, { from: Math.max(1, at - reach), to: at + reach });
}

/**
 * The candidate's rate over that of stable, within stretches (Mantel and Haenszel), with one extra event that is split as the units
 * are: a track without events gets a low rate, and not that of the other.
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

/** Ratio of the variance over a long time to that of independent events, at least 1. */
export function timeDispersion(
  deviations: readonly Deviation[],
  {
    isBlocked,
    history,
  }: {
    /** Whether stretches are declared independent of each other. */
    readonly isBlocked: boolean;
    readonly history?: TimeHistory | undefined;
  },
): number {
  const learned = history === undefined ? 1 : longRunDispersion(history);
  const seen = ownNoise(deviations);
  return Math.max(isBlocked ? 1 + seen.psi : longRunDispersion(seen), learned);
}

/**
 * Noise beyond that of counts, from the size of deviations and from the correlation of neighbours (an autoregression of the first
 * order under that noise).
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
  // The observed correlation is that of both kinds of noise together; the noise of counts has none.
  const seen = (lag * dispersion) / (psi + Math.SQRT2 * chance);
  // A short series underestimates its correlation (Kendall 1954).
  return { psi, rho: Math.min(CORRELATION_MAX, seen + chance + (1 + 4 * seen) / count) };
}

/** Dispersion over a long time, from the noise of a track in time. */
export function longRunDispersion({ psi, rho }: Pick<TimeHistory, 'psi' | 'rho'>): number {
  return 1 + (psi * (1 + rho)) / (1 - rho);
}
