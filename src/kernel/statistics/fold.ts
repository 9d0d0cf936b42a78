import { BURN_WINDOW_MS_MAX, type Observed } from './burn-rate.ts';
import { addClusters, isSpread, NO_CLUSTERS, type Clusters } from './clusters.ts';
import type { GuardrailSpec, RiskRatioSpec } from './guardrail.ts';
import { countsOf, faultOf, type Interval, type Pair } from './interval.ts';
import { addLate, logLateHarm, NO_LATE_HARM, type LateHarm } from './late-harm.ts';
import { addInterval, addTimes, noEvidence, type RiskRatioEvidence } from './risk-ratio-evidence.ts';
import { addSample, noSample, type SampleRatio } from './sample-ratio.ts';
import { addToWindow, NO_WINDOWS, type Windows } from './threshold.ts';

const MARGIN = 1.5;
/** A tenth of the odds: whatever keeps connections or listeners together moves the split more than chance would. */
const SPLIT_TOLERANCE = 0.1;
/** From so many pods, or in so many intervals, must events come before the candidate itself is to blame. */
const SPREAD = { sources: 2, intervals: 3 };

/** All that a guardrail keeps of the intervals so far. Plain data: folding in parts is folding at once. */
export interface Folded {
  readonly newest: Newest | null;
  /** Intervals that could not be counted. */
  readonly leftOut: number;
  readonly tally: Tally;
}

export interface Newest {
  readonly fromMs: number;
  readonly toMs: number;
  readonly candidateUnits: number;
  readonly stableUnits: number;
  /** Why it could not be counted; null when it was. */
  readonly fault: string | null;
}

type Tally = RiskRatioTally | BurnRateTally | ThresholdTally;

export interface RiskRatioTally {
  readonly of: 'riskRatio';
  readonly evidence: RiskRatioEvidence;
  readonly late: LateHarm;
  /** ln evidence of harm at its greatest, while it was not that of one pod, or of a rate that nobody minds. */
  readonly logHarmMax: number;
  readonly clusters: Clusters;
  readonly split: SampleRatio;
}

export interface BurnRateTally {
  readonly of: 'burnRate';
  readonly observed: readonly Observed[];
}

export interface ThresholdTally {
  readonly of: 'threshold';
  readonly windows: Windows;
}

/**
 * Adds intervals in the order of time. What ends no later than the newest was seen before, and is passed over, so that an
 * interval given twice counts once.
 */
export function fold(spec: GuardrailSpec, before: Folded | undefined, intervals: readonly Interval[]): Folded {
  return intervals.reduce(
    (folded, interval) => foldOne(spec, folded, interval),
    before ?? { newest: null, leftOut: 0, tally: emptyTally(spec) },
  );
}

function emptyTally(spec: GuardrailSpec): Tally {
  switch (spec.type) {
    case 'riskRatio':
      return {
        of: 'riskRatio',
        evidence: noEvidence(spec.margin ?? MARGIN),
        late: NO_LATE_HARM,
        logHarmMax: 0,
        clusters: NO_CLUSTERS,
        split: noSample(spec.splitTolerance ?? SPLIT_TOLERANCE),
      };
    case 'burnRate':
      return { of: 'burnRate', observed: [] };
    case 'threshold':
      return { of: 'threshold', windows: NO_WINDOWS };
  }
}

function foldOne(spec: GuardrailSpec, folded: Folded, interval: Interval): Folded {
  const { newest } = folded;
  if (newest !== null && interval.toMs <= newest.toMs) return folded;
  const overlaps = newest !== null && interval.fromMs < newest.toMs;
  const fault = faultOf(interval) ?? (overlaps ? 'it begins before the one before it ends' : undefined);
  const { fromMs, toMs, candidate, stable } = interval;
  if (fault !== undefined) {
    const times = Number.isFinite(toMs) && fromMs < toMs ? { fromMs, toMs } : { fromMs: 0, toMs: newest?.toMs ?? 0 };
    return {
      ...folded,
      newest: { ...times, candidateUnits: 0, stableUnits: 0, fault },
      leftOut: folded.leftOut + 1,
    };
  }
  return {
    newest: { fromMs, toMs, candidateUnits: candidate.units, stableUnits: stable.units, fault: null },
    leftOut: folded.leftOut,
    tally: addToTally(spec, folded.tally, interval),
  };
}

function addToTally(spec: GuardrailSpec, tally: Tally, interval: Interval): Tally {
  if (spec.type === 'riskRatio' && tally.of === 'riskRatio') return addToRiskRatio(spec, tally, interval);
  if (spec.type === 'burnRate' && tally.of === 'burnRate') {
    const { fromMs, toMs } = interval;
    const pair = { fromMs, toMs, candidate: countsOf(interval.candidate), stable: countsOf(interval.stable) };
    const recent = tally.observed.filter((one) => one.toMs > toMs - BURN_WINDOW_MS_MAX);
    return { of: 'burnRate', observed: [...recent, pair] };
  }
  if (spec.type === 'threshold' && tally.of === 'threshold') {
    return { of: 'threshold', windows: addToWindow(tally.windows, interval, spec) };
  }
  throw new Error(`what was folded for a ${tally.of} is given to a ${spec.type}`);
}

function addToRiskRatio(spec: RiskRatioSpec, tally: RiskRatioTally, interval: Interval): RiskRatioTally {
  const part = addInterval(noEvidence(tally.evidence.margin), suspectFirst(spec, interval));
  const evidence = addTimes(tally.evidence, part, 1);
  const late = addLate(tally.late, part, spec.dispersion ?? 1);
  const clusters = addClusters(tally.clusters, interval, spec.better);
  const counts = isSpread(clusters, SPREAD) && !isHarmless(spec, evidence);
  const harm = counts ? logLateHarm(late) : 0;
  return {
    of: 'riskRatio',
    evidence,
    late,
    logHarmMax: Math.max(tally.logHarmMax, harm),
    clusters,
    split: addSample(tally.split, interval),
  };
}

/**
 * Where fewer events are better, the track that may have too many is the candidate. Where more are, harm is that stable has
 * more: the same comparison with the tracks exchanged, for then its ratio is the inverse.
 */
export function suspectFirst({ better }: RiskRatioSpec, pair: Pair): Pair {
  const candidate = countsOf(pair.candidate);
  const stable = countsOf(pair.stable);
  return better === 'fewer' ? { candidate, stable } : { candidate: stable, stable: candidate };
}

/** Whether the candidate has so few events that nobody minds, whatever stable has. */
export function isHarmless({ better, harmlessRate }: RiskRatioSpec, { candidate }: RiskRatioEvidence): boolean {
  return better === 'fewer' && harmlessRate !== undefined && candidate.bad <= harmlessRate * candidate.units;
}
