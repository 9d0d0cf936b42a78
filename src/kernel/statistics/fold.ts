import { addObservation, type Observation } from './burn-rate.ts';
import type { Clustering } from './cells.ts';
import { rateBeside } from './dominance.ts';
import { GAUGE_POINTS, gaugeTerms } from './gauge.ts';
import type { GuardrailSpec, RiskRatioSpec, ThresholdSpec } from './guardrail.ts';
import { countsOf, faultOf, NOTHING, sumOf, type Counts, type Interval, type Pair } from './interval.ts';
import { addLate, noLateEvidence, type LateEvidence } from './late-evidence.ts';
import { addMoment, NO_MOMENTS, type Moments } from './moments.ts';
import { addOdds, NO_ODDS, unusualShare, type Odds } from './odds.ts';
import { RATE_POINTS, rateTerms } from './rate-evidence.ts';
import {
  addInterval,
  addTimes,
  HARM_POINTS,
  harmTerms,
  noEvidence,
  type RiskRatioEvidence,
} from './risk-ratio-evidence.ts';
import { addSample, noSample, type SampleRatio } from './sample-ratio.ts';
import { addSources, NO_SOURCES, type Sources } from './sources.ts';
import { addBlock, NO_BLOCKS, type TimeBlocks } from './time-blocks.ts';
import type { TimeHistory } from './time-history.ts';

const MARGIN = 1.5;
/** A tenth of the odds: correlated connections or listeners move the split more than chance does. */
const SPLIT_TOLERANCE = 0.1;
/** Signs of a gauge that are stored: enough to see how long its deviations last. */
const SIGNS_MAX = 500;

/** State of a guardrail after the intervals so far. Plain data: folding in parts equals folding at once. */
export interface GuardrailState {
  readonly newest: Newest | null;
  /** Intervals that could not be counted, or whose split differs from that of the others of the stage. */
  readonly leftOut: number;
  readonly odds: Odds;
  readonly blocks: TimeBlocks;
  readonly clustering: { readonly release: Clustering; readonly scope: Clustering } | null;
  readonly history: TimeHistory | null;
  /** Where and when the excess occurred. */
  readonly sources: Sources;
  readonly moments: Moments;
  readonly tally: Tally;
}

export interface Newest {
  readonly fromMs: number;
  readonly toMs: number;
  readonly candidateUnits: number;
  readonly stableUnits: number;
  /** Why it could not be counted; null when it was. */
  readonly fault: string | null;
  /** The usual share of the candidate, where the share of the window is far from it; null when the window was counted. */
  readonly usualShare: number | null;
}

type Tally = RiskRatioTally | BurnRateTally | RateTally | GaugeTally;

/** Evidence that counts for safety: since the release has had this audience. */
interface Scope<Evidence> {
  readonly index: number | null;
  readonly evidence: Evidence;
}

export interface RiskRatioTally {
  readonly of: 'riskRatio';
  readonly evidence: RiskRatioEvidence;
  readonly late: LateEvidence;
  /** Evidence that the candidate's rate exceeds the harmless rate; null where none is declared. */
  readonly unharmless: LateEvidence | null;
  readonly scope: Scope<RiskRatioEvidence>;
  readonly split: SampleRatio;
}

export interface BurnRateTally {
  readonly of: 'burnRate';
  readonly observed: readonly Observation[];
}

/** Of rates and means. */
export interface RateTally {
  readonly of: 'rate';
  /** `total` is the sum of the measured values. */
  readonly counts: Counts & { readonly total: number };
  readonly late: LateEvidence;
  readonly scope: Scope<Counts & { readonly total: number }>;
}

/** Windows that showed a value, and how many of them showed one beyond the limit. */
interface GaugeWindows {
  readonly shown: number;
  readonly beyond: number;
}

export interface GaugeTally {
  readonly of: 'gauge';
  readonly value: number | null;
  readonly late: LateEvidence;
  /** The last windows: 1 beyond the limit, −1 within it. */
  readonly signs: readonly number[];
  readonly scope: Scope<GaugeWindows>;
}

/**
 * Adds intervals in the order of time. Skips intervals that end no later than the newest, so that a repeated interval counts once.
 */
export function fold(
  spec: GuardrailSpec,
  before: GuardrailState | undefined,
  intervals: readonly Interval[],
): GuardrailState {
  return intervals.reduce(
    (folded, interval) => foldOne(spec, folded, interval),
    before ?? {
      newest: null,
      leftOut: 0,
      odds: NO_ODDS,
      blocks: NO_BLOCKS,
      clustering: null,
      history: null,
      sources: NO_SOURCES,
      moments: NO_MOMENTS,
      tally: emptyTally(spec),
    },
  );
}

const NO_COUNTS = { ...NOTHING, total: 0 };
const NO_WINDOWS: GaugeWindows = { shown: 0, beyond: 0 };

function emptyTally(spec: GuardrailSpec): Tally {
  switch (spec.type) {
    case 'riskRatio': {
      const none = noEvidence(spec.margin ?? MARGIN);
      return {
        of: 'riskRatio',
        evidence: none,
        late: noLateEvidence(HARM_POINTS),
        unharmless: harmlessRateOf(spec) === undefined ? null : noLateEvidence(RATE_POINTS),
        scope: { index: null, evidence: none },
        split: noSample(spec.splitTolerance ?? SPLIT_TOLERANCE),
      };
    }
    case 'burnRate':
      return { of: 'burnRate', observed: [] };
    case 'threshold':
      return spec.measure === 'value'
        ? {
            of: 'gauge',
            value: null,
            late: noLateEvidence(GAUGE_POINTS),
            signs: [],
            scope: { index: null, evidence: NO_WINDOWS },
          }
        : {
            of: 'rate',
            counts: NO_COUNTS,
            late: noLateEvidence(RATE_POINTS),
            scope: { index: null, evidence: NO_COUNTS },
          };
  }
}

function foldOne(spec: GuardrailSpec, folded: GuardrailState, interval: Interval): GuardrailState {
  const { newest } = folded;
  if (newest !== null && interval.toMs <= newest.toMs) return folded;
  const overlaps = newest !== null && interval.fromMs < newest.toMs;
  const fault = faultOf(interval) ?? (overlaps ? 'it begins before the one before it ends' : undefined);
  const { fromMs, toMs, candidate, stable, stage = null } = interval;
  if (fault !== undefined) {
    const times = Number.isFinite(toMs) && fromMs < toMs ? { fromMs, toMs } : { fromMs: 0, toMs: newest?.toMs ?? 0 };
    return {
      ...folded,
      newest: { ...times, candidateUnits: 0, stableUnits: 0, fault, usualShare: null },
      leftOut: folded.leftOut + 1,
    };
  }
  const usualShare = unusualShare(folded.odds, interval, stage) ?? null;
  const units = { candidateUnits: candidate.units, stableUnits: stable.units };
  const seen = {
    ...folded,
    newest: { fromMs, toMs, ...units, fault: null, usualShare },
    odds: addOdds(folded.odds, interval, stage),
    clustering: interval.clustering ?? folded.clustering,
    history: interval.history ?? folded.history,
  };
  if (usualShare !== null) return { ...seen, leftOut: folded.leftOut + 1 };
  const counted = { candidate: countsOf(candidate), stable: countsOf(stable) };
  const pair = spec.type === 'riskRatio' ? suspectFirst(spec, counted) : counted;
  const independentMs = spec.type === 'riskRatio' ? spec.independentMs : undefined;
  return {
    ...seen,
    sources: addSources(folded.sources, interval, moreIsBetter(spec) ? 'more' : 'fewer'),
    moments: addMomentOf(spec, folded.moments, pair),
    blocks: addBlock(folded.blocks, pair, interval, independentMs),
    tally: addToTally(spec, folded.tally, interval),
  };
}

function moreIsBetter(spec: GuardrailSpec): boolean {
  return spec.type === 'riskRatio' ? spec.better === 'more' : spec.type === 'threshold' && spec.max === undefined;
}

/** With a limit, the excess is over the limit; otherwise it is over the other track. Means and gauges have none. */
function addMomentOf(spec: GuardrailSpec, moments: Moments, window: Pair): Moments {
  if (spec.type !== 'threshold') return addMoment(moments, window, rateBeside(window));
  if (spec.measure !== 'rate') return moments;
  const { limit, side } = limitOf(spec);
  if (side === 'above') return addMoment(moments, window, limit);
  const { units, bad } = window.candidate;
  return addMoment(moments, { ...window, candidate: { units, bad: units - bad } }, 1 - limit);
}

function addToTally(spec: GuardrailSpec, tally: Tally, interval: Interval): Tally {
  if (spec.type === 'riskRatio' && tally.of === 'riskRatio') return addToRiskRatio(spec, tally, interval);
  if (spec.type === 'burnRate' && tally.of === 'burnRate') {
    const { fromMs, toMs } = interval;
    const pair = { fromMs, toMs, candidate: countsOf(interval.candidate), stable: countsOf(interval.stable) };
    return { of: 'burnRate', observed: addObservation(tally.observed, pair) };
  }
  if (spec.type === 'threshold' && tally.of === 'rate') return addToRate(spec, tally, interval);
  if (spec.type === 'threshold' && tally.of === 'gauge') return addToGauge(spec, tally, interval);
  throw new Error(`the state of a ${tally.of} cannot continue as a ${spec.type}`);
}

function addToRiskRatio(spec: RiskRatioSpec, tally: RiskRatioTally, interval: Interval): RiskRatioTally {
  const part = addInterval(noEvidence(tally.evidence.margin), suspectFirst(spec, interval));
  return {
    of: 'riskRatio',
    evidence: addTimes(tally.evidence, part, 1),
    late: addLate(tally.late, harmTerms(part), part.candidate.bad + part.stable.bad, interval.toMs),
    unharmless:
      tally.unharmless &&
      addLate(
        tally.unharmless,
        rateTerms(part.candidate, harmlessRateOf(spec) ?? 0, 'above'),
        part.candidate.bad,
        interval.toMs,
      ),
    scope: {
      index: interval.scope ?? null,
      evidence: addTimes(
        isNewScope(tally.scope, interval.scope) ? noEvidence(part.margin) : tally.scope.evidence,
        part,
        1,
      ),
    },
    split: addSample(tally.split, interval),
  };
}

function addToRate(spec: ThresholdSpec, tally: RateTally, { candidate, scope, toMs }: Interval): RateTally {
  const counts = { ...countsOf(candidate), total: candidate.units === 0 ? 0 : (candidate.total ?? 0) };
  const add = (a: RateTally['counts']) => ({ ...sumOf(a, counts), total: a.total + counts.total });
  const { limit, side } = limitOf(spec);
  return {
    of: 'rate',
    counts: add(tally.counts),
    late: spec.measure === 'rate' ? addLate(tally.late, rateTerms(counts, limit, side), counts.bad, toMs) : tally.late,
    scope: { index: scope ?? null, evidence: add(isNewScope(tally.scope, scope) ? NO_COUNTS : tally.scope.evidence) },
  };
}

function addToGauge(
  spec: ThresholdSpec,
  tally: GaugeTally,
  { candidate: { value }, scope, toMs }: Interval,
): GaugeTally {
  if (value === undefined) return tally;
  const is = isBeyond(spec, value);
  const { shown, beyond } = isNewScope(tally.scope, scope) ? NO_WINDOWS : tally.scope.evidence;
  return {
    of: 'gauge',
    value,
    late: addLate(tally.late, gaugeTerms(is), 1, toMs),
    signs: [...tally.signs, is ? 1 : -1].slice(-SIGNS_MAX),
    scope: { index: scope ?? null, evidence: { shown: shown + 1, beyond: beyond + (is ? 1 : 0) } },
  };
}

function isNewScope({ index }: Scope<unknown>, scope: number | undefined): boolean {
  return index !== (scope ?? null);
}

export function limitOf({ max, min }: ThresholdSpec): { readonly limit: number; readonly side: 'above' | 'below' } {
  return max === undefined ? { limit: min ?? 0, side: 'below' } : { limit: max, side: 'above' };
}

/** An absent value is not beyond. */
export function isBeyond(spec: ThresholdSpec, value: number | null): boolean {
  const { limit, side } = limitOf(spec);
  return value !== null && (side === 'above' ? value > limit : value < limit);
}

/**
 * Where fewer events are better, the suspect is the candidate. Where more are better, harm means that stable has more: the same
 * comparison with the tracks exchanged, and the inverse ratio.
 */
export function suspectFirst({ better }: RiskRatioSpec, pair: Pair): Pair {
  const candidate = countsOf(pair.candidate);
  const stable = countsOf(pair.stable);
  return better === 'fewer' ? { candidate, stable } : { candidate: stable, stable: candidate };
}

/** The candidate's rate that is harmless at any rate of stable. */
export function harmlessRateOf({ better, harmlessRate }: RiskRatioSpec): number | undefined {
  return better === 'fewer' ? harmlessRate : undefined;
}
