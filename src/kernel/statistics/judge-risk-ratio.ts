import { effectiveCells, ratioDispersion, splitDispersion, unitsIn } from './dispersion.ts';
import { harmlessRateOf, suspectFirst, type GuardrailState, type Newest, type RiskRatioTally } from './fold.ts';
import type { JudgeContext, RiskRatioSpec } from './guardrail.ts';
import type { Pair } from './interval.ts';
import type { Judgement } from './judgement.ts';
import { FIRST, likeliestStartMs, logLateEvidence, logLateAfter } from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { dominanceText, doubt, SAFE } from './patience.ts';
import { count, figure, odds, oddsOf, percent, rateOf } from './phrases.ts';
import { logWithin, rateTerms } from './rate-evidence.ts';
import {
  addInterval,
  addTimes,
  estimatedRatio,
  harmTerms,
  logHarm as logHarmInAll,
  logSafety,
  noEvidence,
  ratioBounds,
  type RatioBounds,
  type RiskRatioEvidence,
} from './risk-ratio-evidence.ts';
import { logSplit, pearson, type SampleRatio } from './sample-ratio.ts';
import { dominantOf } from './sources.ts';
import {
  observationTimeOf,
  blocksSince,
  shareInTime,
  timeDispersion,
  type Deviation,
  type ObservationTime,
} from './time-blocks.ts';
import { expectedCounts, unitsUntil } from './sample-size.ts';
import {
  evidence,
  type DispersionFigures,
  type RiskRatioFigures,
  type SplitFigures,
  type MissingUnits,
} from './verdict.ts';

/** A split this unlikely is a fault and no chance; the usual level for experiments that are monitored continuously. */
const SPLIT_ALPHA = 0.001;
/** The harm ratio that the estimated wait assumes. */
const HARM_TOLD = 2;

interface RequiredOdds {
  readonly harm: number;
  readonly safety: number;
}

/** Divisors of the log evidence. */
interface Dispersions {
  readonly harm: number;
  /** The divisor of harm, without the doubt of the first windows. */
  readonly known: number;
  readonly safety: number;
  readonly figures: DispersionFigures;
}

/** State of a risk ratio with at least one interval. */
interface RiskRatioState extends GuardrailState {
  readonly tally: RiskRatioTally;
  readonly newest: Newest;
}

interface RiskRatioWeights {
  readonly needed: RequiredOdds;
  readonly dispersions: Dispersions;
  /** ln of the evidence of harm and of safety, divided by its dispersion. */
  readonly logs: { readonly harm: number; readonly safety: number };
}

/**
 * α is divided by the number of guardrails, because any one of them may roll back: together they do so wrongly with a chance of at
 * most α. For promotion all must pass, so a release with one bad metric is promoted with a chance of at most the undivided β of
 * that metric. β is divided as well, so that every verdict on a single metric, which people quote, holds with 1 − β.
 */
export function judgeRiskRatio(spec: RiskRatioSpec, folded: RiskRatioState, context: JudgeContext): Judgement {
  const { tally } = folded;
  const needed = { harm: context.metrics / context.alpha, safety: context.metrics / context.beta };
  const startMs = likeliestStartMs(tally.late);
  const { known: seen, deviations } = shareInTime(folded.blocks, startMs);
  const dispersions = dispersionsOf(spec, folded, deviations, seen);
  const logs = {
    harm: logHarm(tally, dispersions.harm),
    safety: logSafe(spec, tally.scope.evidence, dispersions.safety),
  };
  const weighed = { needed, dispersions, logs };
  const figures = figuresOf(spec, folded, weighed);
  const compared = comparison(spec, figures);
  const { harm, safety, split } = figures;
  if (split !== null && split.evidence.value >= split.evidence.needed) {
    return {
      outcome: 'invalid',
      because: `The candidate got ${percent(split.observed / split.units)} of ${count(split.units)} units where ${percent(split.expected / split.units)} were meant: what is compared is not alike; ${odds(split.evidence)}.`,
      figures,
    };
  }
  if (logs.harm >= Math.log(needed.harm)) {
    const alone = dominanceOf(spec, folded, startMs, seen);
    if (alone !== undefined) {
      const because = `${compared}, but ${alone}: waits for more.`;
      return { outcome: 'undecided', because, figures, blocked: 'oneSource' };
    }
    const isLate = logHarmInAll(tally.evidence, dispersions.harm) < Math.log(needed.harm);
    const lately = isLate ? `, lately ${spec.better === 'fewer' ? 'more' : 'fewer'}` : '';
    return {
      outcome: 'fail',
      because: `${compared}${lately}: rolls back; ${odds(harm)}${clumpWords(dispersions.figures)}.`,
      figures,
    };
  }
  const isProven = logs.safety >= Math.log(needed.safety);
  // Recent harm is doubted; but while the last windows alone show harm, promotion waits too.
  if (isProven && logHarm(tally, dispersions.known) >= Math.log(needed.harm)) {
    const more = spec.better === 'fewer' ? 'more' : 'fewer';
    const because = `${compared}, but lately ${more}: waits to see whether that lasts${clumpWords(dispersions.figures)}.`;
    return { outcome: 'undecided', because, figures };
  }
  const missing = missingOf(spec, folded, tally);
  const tooFew = isProven ? missing.because : undefined;
  if (isProven && tooFew === undefined) {
    return { outcome: 'pass', because: `${compared}: ${safeWords(spec, tally.evidence)}; ${odds(safety)}.`, figures };
  }
  if (figures.stable.units === 0) {
    return {
      outcome: 'undecided',
      because: `${spec.name} cannot be compared: stable has no traffic.`,
      figures,
      blocked: 'noStable',
    };
  }
  const unitsNeeded = missingUnitsOf(spec, folded, weighed, missing.units);
  if (tooFew !== undefined) {
    const because = `${compared}: ${safeWords(spec, tally.evidence)}, but ${tooFew}.`;
    return { outcome: 'undecided', because, figures, unitsNeeded };
  }
  return {
    outcome: 'undecided',
    because: `${compared}: cannot tell yet; evidence of harm ${oddsOf(harm.value)} of ${count(harm.needed)}, of safety ${oddsOf(safety.value)} of ${count(safety.needed)}${waitWords(unitsNeeded)}${clumpWords(dispersions.figures)}.`,
    figures,
    unitsNeeded,
  };
}

/**
 * The larger of the dispersion between units and that in time. Doubt reduces evidence of harm while little is known of time noise,
 * and evidence of safety where units are unknown.
 */
function dispersionsOf(
  { independentMs }: RiskRatioSpec,
  folded: GuardrailState,
  deviations: readonly Deviation[],
  seen: ObservationTime,
): Dispersions {
  const { blocks, clustering } = folded;
  const time = timeDispersion(deviations, {
    isBlocked: independentMs !== undefined,
    history: folded.history ?? undefined,
  });
  const units = clustering === null ? null : ratioDispersion(clustering.release);
  const known = Math.max(time, units ?? 1);
  const doubted = { hasUnits: clustering !== null, independentMs };
  const harm = Math.max(known, doubt(seen, doubted));
  return {
    harm,
    known,
    safety: Math.max(
      time,
      clustering === null ? doubt(observationTimeOf(blocks), doubted) : ratioDispersion(clustering.scope),
    ),
    figures: { units, time, harm },
  };
}

/** Why the harm may be due to one moment, one source or one unit alone; undefined when it is the candidate's. */
function dominanceOf(
  { better }: RiskRatioSpec,
  folded: GuardrailState,
  startMs: number,
  seen: ObservationTime,
): string | undefined {
  const { blocks, clustering } = folded;
  const windows = Math.min(observationTimeOf(blocksSince(blocks, startMs)).windows, seen.windows);
  const { candidate, stable } = clustering?.release ?? {};
  const suspect = better === 'fewer' ? candidate : stable;
  return dominanceText(windows, folded, candidate && suspect && { candidate, suspect });
}

/** Units of the candidate that safety still lacks beside evidence, and why. */
function missingOf(
  spec: RiskRatioSpec,
  { clustering }: GuardrailState,
  { scope: { evidence } }: RiskRatioTally,
): { readonly units: number; readonly because?: string } {
  if (clustering === null) return { units: 0 };
  const { candidate } = clustering.scope;
  const units = unitsIn(candidate);
  if (units < SAFE.units) {
    return { units: SAFE.units - units, because: `of about ${count(units)} units of ${SAFE.units} that it takes` };
  }
  const effective = effectiveCells(candidate);
  const { bad, units: counted } = evidence.candidate;
  if (effective >= SAFE.effectiveCells || bad <= (harmlessRateOf(spec) ?? -1) * counted) return { units: 0 };
  return { units: 0, because: `nearly all that happened was that of some ${count(effective)} units` };
}

/** Safe: not worse than stable by the margin, or a harmless rate. The mean of two e-processes is one. */
function logSafe(spec: RiskRatioSpec, state: RiskRatioEvidence, dispersion: number): number {
  const harmlessRate = harmlessRateOf(spec);
  const byRatio = logSafety(state, dispersion);
  if (harmlessRate === undefined) return byRatio;
  return logMeanExp([byRatio, logWithin(state.candidate, harmlessRate, 'above', dispersion)]);
}

/** Harm: worse than stable and, where a harmless rate is declared, beyond that rate too. */
function logHarm({ late, unharmless }: RiskRatioTally, dispersion: number): number {
  const ofRatio = logLateEvidence(late, dispersion);
  return unharmless === null ? ofRatio : Math.min(ofRatio, logLateEvidence(unharmless, dispersion));
}

function figuresOf(
  spec: RiskRatioSpec,
  { leftOut, clustering, sources, tally }: RiskRatioState,
  { needed, dispersions: { harm, safety, figures }, logs }: RiskRatioWeights,
): RiskRatioFigures {
  const { evidence: state, scope, split } = tally;
  const isTurned = spec.better === 'more';
  const ratio = estimatedRatio(isTurned ? exchange(state) : state);
  // Late starts cost a part of the evidence of the first. The bound needs the same part, or it could leave 1 without a failure.
  const asked = { ...needed, harm: needed.harm / FIRST };
  const bounds = {
    from: ratioBounds(state, asked, harm).from,
    to: ratioBounds(scope.evidence, asked, safety).to,
  };
  return {
    of: 'riskRatio',
    candidate: isTurned ? state.stable : state.candidate,
    stable: isTurned ? state.candidate : state.stable,
    ratio,
    bounds: isTurned ? inverse(bounds) : bounds,
    harm: evidence(logs.harm, needed.harm),
    safety: evidence(logs.safety, needed.safety),
    dispersion: figures,
    split: splitFigures(split, clustering),
    dominant: dominantOf(sources) ?? null,
    leftOut,
  };
}

function splitFigures(split: SampleRatio, clustering: GuardrailState['clustering']): SplitFigures | null {
  if (split.units === 0) return null;
  const { observed, expected, units } = split;
  const logEvidence = logSplit(split, clustering === null ? 1 : splitDispersion(clustering.release));
  return { observed, expected, units, evidence: evidence(logEvidence, 1 / SPLIT_ALPHA), p: pearson(split) };
}

function exchange(state: RiskRatioEvidence): RiskRatioEvidence {
  return { ...state, weighed: { candidate: state.weighed.stable, stable: state.weighed.candidate } };
}

function inverse({ from, to }: RatioBounds): RatioBounds {
  return { from: to === null ? 0 : 1 / to, to: from === 0 ? null : 1 / from };
}

/**
 * "Errors 2.1× those of stable (0.21 % of 4,310 against 0.10 % of 81,900)". Tracks are compared within each window. Where the
 * totals have another ratio, the sentence states both.
 */
function comparison({ name }: RiskRatioSpec, { ratio, candidate, stable }: RiskRatioFigures): string {
  const rates = `${rateOf(candidate)} against ${rateOf(stable)}`;
  if (ratio === null) return `${name} (${rates})`;
  const inAll = candidate.bad / candidate.units / (stable.bad / stable.units);
  const isOther = Math.abs(inAll / ratio - 1) > RATIO_TOLERANCE;
  const times = `${figure(ratio)}× those of stable`;
  return isOther ? `${name} ${times} window by window (in all ${rates})` : `${name} ${times} (${rates})`;
}

/** Rates of two digits do not separate closer ratios. */
const RATIO_TOLERANCE = 0.1;

function safeWords(spec: RiskRatioSpec, state: RiskRatioEvidence): string {
  if (spec.better === 'more') return `not below ${figure(1 / state.margin)}×`;
  const harmless = spec.harmlessRate === undefined ? '' : `, or below the harmless ${percent(spec.harmlessRate)}`;
  return `below ${figure(state.margin)}×${harmless}`;
}

/** Assumes the newest share, the rate of stable so far, and the present dispersion. */
function missingUnitsOf(
  spec: RiskRatioSpec,
  { tally, newest: { candidateUnits, stableUnits } }: RiskRatioState,
  { needed, dispersions }: RiskRatioWeights,
  unitsMissing: number,
): MissingUnits {
  const { evidence: state, late, unharmless, scope } = tally;
  const share = candidateUnits / (candidateUnits + stableUnits);
  const stable = spec.better === 'fewer' ? state.stable : state.candidate;
  const all = { units: state.candidate.units + state.stable.units, bad: state.candidate.bad + state.stable.bad };
  const { units, bad } = stable.bad > 0 ? stable : all;
  if (!(share > 0 && share < 1) || bad === 0) {
    return { toPass: null, toFail: null };
  }
  const rate = bad / units;
  const ofOneUnit = (ratio: number): Pair =>
    suspectFirst(spec, expectedCounts(1, share, { candidate: rate * ratio, stable: rate }));
  const evidenceOf = (pair: Pair): RiskRatioEvidence => addInterval(noEvidence(state.margin), pair);
  const alike = evidenceOf(ofOneUnit(1));
  const harmed = ofOneUnit(spec.better === 'fewer' ? HARM_TOLD : 1 / HARM_TOLD);
  const [worse, beyond] = [
    harmTerms(evidenceOf(harmed)),
    rateTerms(harmed.candidate, harmlessRateOf(spec) ?? 0, 'above'),
  ];
  const harmAt = (units: number): number =>
    Math.min(
      logLateAfter(late, worse, units, dispersions.harm),
      unharmless === null ? Infinity : logLateAfter(unharmless, beyond, units, dispersions.harm),
    );
  const safeAt = (units: number): number => logSafe(spec, addTimes(scope.evidence, alike, units), dispersions.safety);
  const guess = (spec.better === 'fewer' ? state.candidate : state.stable).units / 2;
  const toPass = unitsUntil(safeAt, Math.log(needed.safety), guess);
  return {
    // Each new unit brings at least one count.
    toPass: toPass === null ? null : Math.max(toPass, Math.ceil(unitsMissing)),
    toFail: unitsUntil(harmAt, Math.log(needed.harm), guess),
  };
}

function waitWords({ toPass, toFail }: MissingUnits): string {
  const words = [
    ...(toPass === null ? [] : [`about ${roughly(toPass)} more units pass it if it is as stable`]),
    ...(toFail === null ? [] : [`${roughly(toFail)} find twofold harm`]),
  ];
  return words.length === 0 ? '' : `; ${words.join(', ')}`;
}

/** Cost of clustering: the factor by which more units are needed. */
function clumpWords({ units, time, harm }: DispersionFigures): string {
  if (harm < CLUMPS_TOLD) return '';
  const times = `${figure(harm)}×`;
  if (units !== null && units >= harm) return `; units differ, which takes ${times} as many of them`;
  if (time >= harm) return `; the rate moves by itself, which takes ${times} as many units`;
  return `; after so few windows ${times} as much is asked`;
}

/** A smaller factor is not shown. */
const CLUMPS_TOLD = 1.5;

/** "53,000": two digits; the estimate is no better. */
function roughly(units: number): string {
  return count(Number(units.toPrecision(2)));
}
