import type { Clustering } from './cells.ts';
import { effectiveCells, ratioDispersion, splitDispersion, unitsIn } from './dispersion.ts';
import { isHarmless, suspectFirst, type Folded, type Newest, type RiskRatioTally } from './fold.ts';
import type { JudgeContext, RiskRatioSpec } from './guardrail.ts';
import type { Judgement } from './judgement.ts';
import { FIRST, likeliestStartMs, logLate, logLateAfter } from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { doubt, isOfMany, isOneUnit, SAFE, WINDOWS_MIN } from './patience.ts';
import { count, figure, odds, oddsOf, percent, rateOf } from './phrases.ts';
import { logWithin } from './rate-evidence.ts';
import {
  addInterval,
  addTimes,
  estimatedRatio,
  harmTerms,
  logSafety,
  noEvidence,
  ratioBounds,
  type RatioBounds,
  type RiskRatioEvidence,
} from './risk-ratio-evidence.ts';
import { logSplit, pearson, type SampleRatio } from './sample-ratio.ts';
import { dominantOf } from './sources.ts';
import { shareDeviations, timeDispersion } from './time-blocks.ts';
import { expected, unitsUntil } from './units-needed.ts';
import {
  evidence,
  type DispersionFigures,
  type RiskRatioFigures,
  type SplitFigures,
  type UnitsNeeded,
} from './verdict.ts';

/** A split this unlikely is a fault and no chance; what is usual for experiments that are looked at all the time. */
const SPLIT_ALPHA = 0.001;
/** The harm that the wait is told for. */
const HARM_TOLD = 2;
interface Needed {
  readonly harm: number;
  readonly safety: number;
}

/** By how many times evidence is to be divided. */
interface Dispersions {
  readonly harm: number;
  readonly safety: number;
  readonly figures: DispersionFigures;
}

/**
 * α is divided by the number of guardrails, because any one of them may roll back: together they do so wrongly with a
 * chance of at most α. To promote, all must pass, so that a release with one bad metric is promoted with a chance of at most
 * the β of that one, undivided. β is divided all the same: so that with 1 − β everything holds that the verdicts say of
 * single metrics, which people keep and quote.
 */
export function judgeRiskRatio(
  spec: RiskRatioSpec,
  folded: Folded,
  tally: RiskRatioTally,
  newest: Newest,
  context: JudgeContext,
): Judgement {
  const needed = { harm: context.metrics / context.alpha, safety: context.metrics / context.beta };
  const clustering = suspectClustering(spec, folded.clustering);
  const dispersions = dispersionsOf(spec, folded, tally, clustering);
  const figures = figuresOf(spec, folded, tally, needed, dispersions);
  const said = comparison(spec, figures);
  const { harm, safety, split, dominant } = figures;
  if (split !== null && split.evidence.value >= split.evidence.needed) {
    return {
      outcome: 'invalid',
      because: `The candidate got ${percent(split.observed / split.units)} of ${count(split.units)} units where ${percent(split.expected / split.units)} were meant: what is compared is not alike; ${odds(split.evidence)}.`,
      figures,
    };
  }
  const logHarm = logLate(tally.late, dispersions.harm);
  if (logHarm >= Math.log(needed.harm) && !isHarmless(spec, tally.evidence)) {
    const alone = aloneText(folded, clustering?.release.candidate, dominant);
    if (alone !== undefined) {
      const because = `${said}, but ${alone}: waits for more.`;
      return { outcome: 'undecided', because, figures, blocked: 'oneSource' };
    }
    const isLate = ratioLogHarm(tally.evidence, dispersions.harm) < Math.log(needed.harm);
    const lately = isLate ? `, lately ${spec.better === 'fewer' ? 'more' : 'fewer'}` : '';
    return {
      outcome: 'fail',
      because: `${said}${lately}: rolls back; ${odds(harm)}${clumpWords(dispersions.figures)}.`,
      figures,
    };
  }
  const isProven = logSafe(spec, tally.scope.evidence, dispersions.safety) >= Math.log(needed.safety);
  const tooFew = isProven ? tooFewText(spec, clustering?.scope, tally.scope.evidence) : undefined;
  if (isProven && tooFew === undefined) {
    return { outcome: 'pass', because: `${said}: ${safeWords(spec, tally.evidence)}; ${odds(safety)}.`, figures };
  }
  if (figures.stable.units === 0) {
    return {
      outcome: 'undecided',
      because: `${spec.name} cannot be compared: stable has no traffic.`,
      figures,
      blocked: 'noStable',
    };
  }
  if (tooFew !== undefined) {
    return { outcome: 'undecided', because: `${said}: ${safeWords(spec, tally.evidence)}, but ${tooFew}.`, figures };
  }
  const unitsNeeded = waits(spec, tally, newest, needed, dispersions);
  return {
    outcome: 'undecided',
    because: `${said}: cannot tell yet; evidence of harm ${oddsOf(harm.value)} of ${count(harm.needed)}, of safety ${oddsOf(safety.value)} of ${count(safety.needed)}${waitWords(unitsNeeded)}${clumpWords(dispersions.figures)}.`,
    figures,
    unitsNeeded,
  };
}

function suspectClustering({ better }: RiskRatioSpec, clustering: Folded['clustering']): Folded['clustering'] {
  if (clustering === null || better === 'fewer') return clustering;
  const turned = ({ candidate, stable }: Clustering): Clustering => ({ candidate: stable, stable: candidate });
  return { release: turned(clustering.release), scope: turned(clustering.scope) };
}

/**
 * The larger of what units and what moments say. Evidence of harm is held back as long as little is known of moments; that of
 * safety too, where nothing is known of units.
 */
function dispersionsOf(
  { independentMs }: RiskRatioSpec,
  folded: Folded,
  { late }: RiskRatioTally,
  clustering: Folded['clustering'],
): Dispersions {
  const time = timeDispersion(shareDeviations(folded.blocks, likeliestStartMs(late)), {
    isBlocked: independentMs !== undefined,
    history: folded.history ?? undefined,
  });
  const units = clustering === null ? null : ratioDispersion(clustering.release);
  const known = Math.max(1, time, units ?? 1);
  const doubted = Math.max(known, doubt(folded, independentMs));
  return {
    harm: doubted,
    safety: clustering === null ? doubted : Math.max(time, ratioDispersion(clustering.scope)),
    figures: { units, time, harm: doubted },
  };
}

/** Why the harm may be that of one unit, one place or one moment alone; undefined when it is the candidate's. */
function aloneText(
  { windows }: Folded,
  candidate: Clustering['candidate'] | undefined,
  dominant: RiskRatioFigures['dominant'],
): string | undefined {
  if (windows.count < WINDOWS_MIN) return `only in ${windows.count === 1 ? 'one window' : `${windows.count} windows`}`;
  if (dominant !== null)
    return `${percent(dominant.badPart)} of what is more comes from ${dominant.source}, which has ${percent(dominant.unitsPart)} of the units: one source dominates`;
  if (candidate === undefined) return undefined;
  if (!isOfMany(candidate)) return `it is that of some ${count(unitsIn(candidate))} units alone`;
  if (isOneUnit(candidate))
    return `${percent(Math.min(1, candidate.excessMax / candidate.excess))} of what is more comes from one unit, or a few: one unit dominates`;
  return undefined;
}

/** What is missing although the evidence is there; undefined where nothing is. */
function tooFewText(
  { harmlessRate }: RiskRatioSpec,
  scope: Clustering | undefined,
  { candidate }: RiskRatioEvidence,
): string | undefined {
  if (scope === undefined) return undefined;
  const units = unitsIn(scope.candidate);
  if (units < SAFE.units) return `of about ${count(units)} units of ${SAFE.units} that it takes`;
  const effective = effectiveCells(scope.candidate);
  const isRare = harmlessRate !== undefined && candidate.bad <= harmlessRate * candidate.units;
  if (effective >= SAFE.effectiveCells || isRare) return undefined;
  return `nearly all that happened was that of some ${count(effective)} units`;
}

/** Safe is what is not worse than stable by the margin, or has a harmless rate: the mean of two e-processes is one. */
function logSafe(spec: RiskRatioSpec, state: RiskRatioEvidence, dispersion: number): number {
  const { better, harmlessRate } = spec;
  const byRatio = logSafety(state, dispersion);
  if (better === 'more' || harmlessRate === undefined) return byRatio;
  return logMeanExp([byRatio, logWithin(state.candidate, harmlessRate, 'above', dispersion)]);
}

function ratioLogHarm(state: RiskRatioEvidence, dispersion: number): number {
  return logMeanExp(harmTerms(state).map((term) => term / dispersion));
}

function figuresOf(
  spec: RiskRatioSpec,
  { leftOut, clustering }: Folded,
  { evidence: state, late, scope, sources, split }: RiskRatioTally,
  needed: Needed,
  { harm, safety, figures }: Dispersions,
): RiskRatioFigures {
  const isTurned = spec.better === 'more';
  const ratio = estimatedRatio(isTurned ? turned(state) : state);
  // Late starts cost a part of the evidence of the first: so much is asked of the bound too, or it could leave 1 without failure.
  const asked = { ...needed, harm: needed.harm / FIRST };
  const bounds = {
    from: ratioBounds(state, asked, harm).from,
    to: ratioBounds(state, asked, safety).to,
  };
  return {
    of: 'riskRatio',
    candidate: isTurned ? state.stable : state.candidate,
    stable: isTurned ? state.candidate : state.stable,
    ratio,
    bounds: isTurned ? inverse(bounds) : bounds,
    harm: evidence(isHarmless(spec, state) ? 0 : logLate(late, harm), needed.harm),
    safety: evidence(logSafe(spec, scope.evidence, safety), needed.safety),
    dispersion: figures,
    split: splitFigures(split, clustering),
    dominant: dominantOf(sources) ?? null,
    leftOut,
  };
}

function splitFigures(split: SampleRatio, clustering: Folded['clustering']): SplitFigures | null {
  if (split.units === 0) return null;
  const { observed, expected, units } = split;
  const logEvidence = logSplit(split, clustering === null ? 1 : splitDispersion(clustering.release));
  return { observed, expected, units, evidence: evidence(logEvidence, 1 / SPLIT_ALPHA), p: pearson(split) };
}

function turned(state: RiskRatioEvidence): RiskRatioEvidence {
  return { ...state, weighed: { candidate: state.weighed.stable, stable: state.weighed.candidate } };
}

function inverse({ from, to }: RatioBounds): RatioBounds {
  return { from: to === null ? 0 : 1 / to, to: from === 0 ? null : 1 / from };
}

/**
 * "Errors 2.1× those of stable (0.21 % of 4,310 against 0.10 % of 81,900)". Tracks are compared within each window: where
 * the rates of all windows together have another ratio, the sentence says so.
 */
function comparison({ name }: RiskRatioSpec, { ratio, candidate, stable }: RiskRatioFigures): string {
  const rates = `${rateOf(candidate)} against ${rateOf(stable)}`;
  if (ratio === null) return `${name} (${rates})`;
  const inAll = candidate.bad / candidate.units / (stable.bad / stable.units);
  const isOther = Math.abs(inAll / ratio - 1) > RATIO_TOLERANCE;
  const times = `${figure(ratio)}× those of stable`;
  return isOther ? `${name} ${times} window by window (in all ${rates})` : `${name} ${times} (${rates})`;
}

/** Rates of two digits cannot tell ratios apart that are closer. */
const RATIO_TOLERANCE = 0.1;

function safeWords(spec: RiskRatioSpec, state: RiskRatioEvidence): string {
  if (spec.better === 'more') return `not below ${figure(1 / state.margin)}×`;
  const harmless = spec.harmlessRate === undefined ? '' : `, or below the harmless ${percent(spec.harmlessRate)}`;
  return `below ${figure(state.margin)}×${harmless}`;
}

/** With the newest share, the rate of stable so far, and what is known now of how units hang together. */
function waits(
  spec: RiskRatioSpec,
  { evidence: state, late, scope }: RiskRatioTally,
  { candidateUnits, stableUnits }: Newest,
  needed: Needed,
  dispersions: Dispersions,
): UnitsNeeded {
  const share = candidateUnits / (candidateUnits + stableUnits);
  const stable = spec.better === 'fewer' ? state.stable : state.candidate;
  const all = { units: state.candidate.units + state.stable.units, bad: state.candidate.bad + state.stable.bad };
  const { units, bad } = stable.bad > 0 ? stable : all;
  if (!(share > 0 && share < 1) || bad === 0) {
    return { toPass: null, toFail: null };
  }
  const rate = bad / units;
  const candidate = spec.better === 'fewer' ? state.candidate : state.stable;
  const ofOneUnit = (ratio: number): RiskRatioEvidence =>
    addInterval(
      noEvidence(state.margin),
      suspectFirst(spec, expected(1, share, { candidate: rate * ratio, stable: rate })),
    );
  const alike = ofOneUnit(1);
  const harmful = harmTerms(ofOneUnit(spec.better === 'fewer' ? HARM_TOLD : 1 / HARM_TOLD));
  const harmAt = (units: number): number => logLateAfter(late, harmful, units, dispersions.harm);
  const safeAt = (units: number): number => logSafe(spec, addTimes(scope.evidence, alike, units), dispersions.safety);
  return {
    toPass: unitsUntil(safeAt, Math.log(needed.safety), candidate.units / 2),
    toFail: unitsUntil(harmAt, Math.log(needed.harm), candidate.units / 2),
  };
}

function waitWords({ toPass, toFail }: UnitsNeeded): string {
  const words = [
    ...(toPass === null ? [] : [`about ${roughly(toPass)} more units pass it if it is as stable`]),
    ...(toFail === null ? [] : [`${roughly(toFail)} find twofold harm`]),
  ];
  return words.length === 0 ? '' : `; ${words.join(', ')}`;
}

/** What clustering costs: how many times as many units it takes. */
function clumpWords({ units, time, harm }: DispersionFigures): string {
  if (harm < CLUMPS_TOLD) return '';
  const times = `${figure(harm)}×`;
  if (units !== null && units >= harm) return `; units differ, which takes ${times} as many of them`;
  if (time >= harm) return `; the rate moves by itself, which takes ${times} as many units`;
  return `; after so few windows ${times} as much is asked`;
}

/** Less is not worth a word. */
const CLUMPS_TOLD = 1.5;

/** "53,000": nobody knows it better. */
function roughly(units: number): string {
  return count(Number(units.toPrecision(2)));
}
