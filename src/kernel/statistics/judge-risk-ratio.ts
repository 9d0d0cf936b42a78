import { dominantOf } from './clusters.ts';
import { isHarmless, suspectFirst, type Newest, type RiskRatioTally } from './fold.ts';
import type { JudgeContext, RiskRatioSpec } from './guardrail.ts';
import { logHarmless } from './harmless.ts';
import { logLateHarm, logLateHarmAfter } from './late-harm.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { count, figure, odds, oddsOf, percent, rateOf } from './phrases.ts';
import {
  addInterval,
  addTimes,
  estimatedRatio,
  logHarm,
  logSafety,
  noEvidence,
  ratioBounds,
  type RatioBounds,
  type RiskRatioEvidence,
} from './risk-ratio-evidence.ts';
import { pearson, type SampleRatio } from './sample-ratio.ts';
import { expected, unitsUntil } from './units-needed.ts';
import { evidence, type RiskRatioFigures, type SplitFigures, type UnitsNeeded } from './verdict.ts';
import type { Judgement } from './judgement.ts';

/** A split this unlikely is a fault and no chance; what is usual for experiments that are looked at all the time. */
const SPLIT_ALPHA = 0.001;
/** The harm that the wait is told for. */
const HARM_TOLD = 2;

/**
 * α is divided by the number of guardrails, because any one of them may roll back: together they do so wrongly with a
 * chance of at most α. To promote, all must pass, so that a release with one bad metric is promoted with a chance of at most
 * the β of that one, undivided. β is divided all the same: so that with 1 − β everything holds that the verdicts say of
 * single metrics, which people keep and quote.
 */
export function judgeRiskRatio(
  spec: RiskRatioSpec,
  tally: RiskRatioTally,
  newest: Newest,
  leftOut: number,
  context: JudgeContext,
): Judgement {
  const needed = { harm: context.metrics / context.alpha, safety: context.metrics / context.beta };
  const figures = figuresOf(spec, tally, needed, leftOut);
  const said = comparison(spec, figures);
  const { harm, safety, split, dominant } = figures;
  const told = dominant === null ? '' : `; ${percent(dominant.badPart)} of them come from ${dominant.source}`;
  if (split !== null && split.evidence.value >= split.evidence.needed) {
    return {
      outcome: 'invalid',
      because: `The candidate got ${percent(split.observed / split.units)} of ${count(split.units)} units where ${percent(split.expected / split.units)} were meant: what is compared is not alike; ${odds(split.evidence)}.`,
      figures,
    };
  }
  if (tally.logHarmMax >= Math.log(needed.harm)) {
    const isLate = logHarm(tally.evidence, spec.dispersion ?? 1) < Math.log(needed.harm);
    const lately = isLate ? `, lately ${spec.better === 'fewer' ? 'more' : 'fewer'}` : '';
    return { outcome: 'fail', because: `${said}${lately}: rolls back; ${odds(harm)}${told}.`, figures };
  }
  if (logLateHarm(tally.late) >= Math.log(needed.harm) && !isHarmless(spec, tally.evidence)) {
    return {
      outcome: 'undecided',
      because: `${said}, but only in one place or a moment or two: waits for more${told}.`,
      figures,
      blocked: 'oneSource',
    };
  }
  if (logSafe(spec, tally.evidence) >= Math.log(needed.safety)) {
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
  const unitsNeeded = waits(spec, tally, newest, needed);
  return {
    outcome: 'undecided',
    because: `${said}: cannot tell yet; evidence of harm ${oddsOf(harm.value)} of ${count(harm.needed)}, of safety ${oddsOf(safety.value)} of ${count(safety.needed)}${waitWords(unitsNeeded)}.`,
    figures,
    unitsNeeded,
  };
}

/** Safe is what is not worse than stable by the margin, or has a harmless rate: the mean of two e-processes is one. */
function logSafe(spec: RiskRatioSpec, state: RiskRatioEvidence): number {
  const { better, harmlessRate, dispersion = 1 } = spec;
  const byRatio = logSafety(state, dispersion);
  if (better === 'more' || harmlessRate === undefined) return byRatio;
  return logMeanExp([byRatio, logHarmless(state.candidate, harmlessRate, dispersion)]);
}

function figuresOf(
  spec: RiskRatioSpec,
  { evidence: state, logHarmMax, clusters, split }: RiskRatioTally,
  needed: { readonly harm: number; readonly safety: number },
  leftOut: number,
): RiskRatioFigures {
  const isTurned = spec.better === 'more';
  const ratio = estimatedRatio(isTurned ? turned(state) : state);
  // Late starts cost half of the evidence of the first: so much is asked of the bound too, or it could leave 1 without failure.
  const bounds = ratioBounds(state, { ...needed, harm: 2 * needed.harm }, spec.dispersion ?? 1);
  return {
    of: 'riskRatio',
    candidate: isTurned ? state.stable : state.candidate,
    stable: isTurned ? state.candidate : state.stable,
    ratio,
    bounds: isTurned ? inverse(bounds) : bounds,
    harm: evidence(logHarmMax, needed.harm),
    safety: evidence(logSafe(spec, state), needed.safety),
    split: splitFigures(split),
    dominant: dominantOf(clusters) ?? null,
    leftOut,
  };
}

function splitFigures(split: SampleRatio): SplitFigures | null {
  if (split.units === 0) return null;
  const { observed, expected, units, logEvidenceMax } = split;
  return { observed, expected, units, evidence: evidence(logEvidenceMax, 1 / SPLIT_ALPHA), p: pearson(split) };
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

/** With the newest share, and the rate of stable so far. */
function waits(
  spec: RiskRatioSpec,
  { evidence: state, late }: RiskRatioTally,
  { candidateUnits, stableUnits }: Newest,
  needed: { readonly harm: number; readonly safety: number },
): UnitsNeeded {
  const share = candidateUnits / (candidateUnits + stableUnits);
  const stable = spec.better === 'fewer' ? state.stable : state.candidate;
  const all = { units: state.candidate.units + state.stable.units, bad: state.candidate.bad + state.stable.bad };
  const { units, bad } = stable.bad > 0 ? stable : all;
  if (!(share > 0 && share < 1) || bad === 0) {
    return { toPass: null, toFail: null };
  }
  const rate = bad / units;
  const ofOneUnit = (ratio: number): RiskRatioEvidence =>
    addInterval(
      noEvidence(state.margin),
      suspectFirst(spec, expected(1, share, { candidate: rate * ratio, stable: rate })),
    );
  const alike = ofOneUnit(1);
  const harmful = ofOneUnit(spec.better === 'fewer' ? HARM_TOLD : 1 / HARM_TOLD);
  const harmAt = (units: number): number => logLateHarmAfter(late, harmful, units, spec.dispersion ?? 1);
  return {
    toPass: unitsUntil((units) => logSafe(spec, addTimes(state, alike, units)), Math.log(needed.safety)),
    toFail: unitsUntil(harmAt, Math.log(needed.harm)),
  };
}

function waitWords({ toPass, toFail }: UnitsNeeded): string {
  const words = [
    ...(toPass === null ? [] : [`about ${roughly(toPass)} more units pass it if it is as stable`]),
    ...(toFail === null ? [] : [`${roughly(toFail)} find twofold harm`]),
  ];
  return words.length === 0 ? '' : `; ${words.join(', ')}`;
}

/** "53,000": nobody knows it better. */
function roughly(units: number): string {
  return count(Number(units.toPrecision(2)));
}
