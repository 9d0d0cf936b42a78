import { effectiveCells, ratioDispersion, splitDispersion, unitsIn } from './dispersion.ts';
import { harmlessRateOf, suspectFirst, type Folded, type Newest, type RiskRatioTally } from './fold.ts';
import type { JudgeContext, RiskRatioSpec } from './guardrail.ts';
import type { Pair } from './interval.ts';
import type { Judgement } from './judgement.ts';
import { FIRST, likeliestStartMs, logLate, logLateAfter } from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { aloneText, doubt, SAFE } from './patience.ts';
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
import { allKnown, blocksSince, shareInTime, timeDispersion, type Deviation, type Known } from './time-blocks.ts';
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
  /** That of harm, without the doubt. */
  readonly known: number;
  readonly safety: number;
  readonly figures: DispersionFigures;
}

/** What was folded of a risk ratio, with an interval at least. */
interface RiskRatioFolded extends Folded {
  readonly tally: RiskRatioTally;
  readonly newest: Newest;
}

interface WeighedEvidence {
  readonly needed: Needed;
  readonly dispersions: Dispersions;
  /** ln of the evidence of harm and of safety, divided by its dispersion. */
  readonly logs: { readonly harm: number; readonly safety: number };
}

/**
 * α is divided by the number of guardrails, because any one of them may roll back: together they do so wrongly with a
 * chance of at most α. To promote, all must pass, so that a release with one bad metric is promoted with a chance of at most
 * the β of that one, undivided. β is divided all the same: so that with 1 − β everything holds that the verdicts say of
 * single metrics, which people keep and quote.
 */
export function judgeRiskRatio(spec: RiskRatioSpec, folded: RiskRatioFolded, context: JudgeContext): Judgement {
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
  const said = comparison(spec, figures);
  const { harm, safety, split } = figures;
  if (split !== null && split.evidence.value >= split.evidence.needed) {
    return {
      outcome: 'invalid',
      because: `The candidate got ${percent(split.observed / split.units)} of ${count(split.units)} units where ${percent(split.expected / split.units)} were meant: what is compared is not alike; ${odds(split.evidence)}.`,
      figures,
    };
  }
  if (logs.harm >= Math.log(needed.harm)) {
    const alone = aloneOf(spec, folded, startMs, seen);
    if (alone !== undefined) {
      const because = `${said}, but ${alone}: waits for more.`;
      return { outcome: 'undecided', because, figures, blocked: 'oneSource' };
    }
    const isLate = logHarmInAll(tally.evidence, dispersions.harm) < Math.log(needed.harm);
    const lately = isLate ? `, lately ${spec.better === 'fewer' ? 'more' : 'fewer'}` : '';
    return {
      outcome: 'fail',
      because: `${said}${lately}: rolls back; ${odds(harm)}${clumpWords(dispersions.figures)}.`,
      figures,
    };
  }
  const isProven = logs.safety >= Math.log(needed.safety);
  // What began lately is doubted; but while the last windows alone speak of harm, nothing goes on either.
  if (isProven && logHarm(tally, dispersions.known) >= Math.log(needed.harm)) {
    const more = spec.better === 'fewer' ? 'more' : 'fewer';
    const because = `${said}, but lately ${more}: waits to see whether that lasts${clumpWords(dispersions.figures)}.`;
    return { outcome: 'undecided', because, figures };
  }
  const missing = missingOf(spec, folded, tally);
  const tooFew = isProven ? missing.because : undefined;
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
  const unitsNeeded = waits(spec, folded, weighed, missing.units);
  if (tooFew !== undefined) {
    const because = `${said}: ${safeWords(spec, tally.evidence)}, but ${tooFew}.`;
    return { outcome: 'undecided', because, figures, unitsNeeded };
  }
  return {
    outcome: 'undecided',
    because: `${said}: cannot tell yet; evidence of harm ${oddsOf(harm.value)} of ${count(harm.needed)}, of safety ${oddsOf(safety.value)} of ${count(safety.needed)}${waitWords(unitsNeeded)}${clumpWords(dispersions.figures)}.`,
    figures,
    unitsNeeded,
  };
}

/**
 * The larger of what units and what moments say. Evidence of harm is held back as long as little is known of moments; that of
 * safety too, where nothing is known of units.
 */
function dispersionsOf(
  { independentMs }: RiskRatioSpec,
  folded: Folded,
  deviations: readonly Deviation[],
  seen: Known,
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
    safety: Math.max(time, clustering === null ? doubt(allKnown(blocks), doubted) : ratioDispersion(clustering.scope)),
    figures: { units, time, harm },
  };
}

/** Why the harm may be that of one moment, one place or one unit alone; undefined when it is the candidate's. */
function aloneOf({ better }: RiskRatioSpec, folded: Folded, startMs: number, seen: Known): string | undefined {
  const { blocks, clustering } = folded;
  const windows = Math.min(allKnown(blocksSince(blocks, startMs)).windows, seen.windows);
  const { candidate, stable } = clustering?.release ?? {};
  const suspect = better === 'fewer' ? candidate : stable;
  return aloneText(windows, folded, candidate && suspect && { candidate, suspect });
}

/** What safety lacks beside evidence: units of the candidate, and why. */
function missingOf(
  spec: RiskRatioSpec,
  { clustering }: Folded,
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

/** Safe is what is not worse than stable by the margin, or has a harmless rate: the mean of two e-processes is one. */
function logSafe(spec: RiskRatioSpec, state: RiskRatioEvidence, dispersion: number): number {
  const harmlessRate = harmlessRateOf(spec);
  const byRatio = logSafety(state, dispersion);
  if (harmlessRate === undefined) return byRatio;
  return logMeanExp([byRatio, logWithin(state.candidate, harmlessRate, 'above', dispersion)]);
}

/** Harm is to be worse than stable; and, where a rate is declared harmless, to be beyond that too. */
function logHarm({ late, unharmless }: RiskRatioTally, dispersion: number): number {
  const ofRatio = logLate(late, dispersion);
  return unharmless === null ? ofRatio : Math.min(ofRatio, logLate(unharmless, dispersion));
}

function figuresOf(
  spec: RiskRatioSpec,
  { leftOut, clustering, sources, tally }: RiskRatioFolded,
  { needed, dispersions: { harm, safety, figures }, logs }: WeighedEvidence,
): RiskRatioFigures {
  const { evidence: state, scope, split } = tally;
  const isTurned = spec.better === 'more';
  const ratio = estimatedRatio(isTurned ? turned(state) : state);
  // Late starts cost a part of the evidence of the first: so much is asked of the bound too, or it could leave 1 without failure.
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
  { tally, newest: { candidateUnits, stableUnits } }: RiskRatioFolded,
  { needed, dispersions }: WeighedEvidence,
  unitsMissing: number,
): UnitsNeeded {
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
    suspectFirst(spec, expected(1, share, { candidate: rate * ratio, stable: rate }));
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
    // Units that were not seen before come with at least one each.
    toPass: toPass === null ? null : Math.max(toPass, Math.ceil(unitsMissing)),
    toFail: unitsUntil(harmAt, Math.log(needed.harm), guess),
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
