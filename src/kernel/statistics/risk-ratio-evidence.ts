import { NOTHING, sumOf, type Counts, type Pair } from './interval.ts';
import { logMeanExp } from './log-mean-exp.ts';

/** The greatest alternative ratio; worse ratios are found as surely. */
const RATIO_MAX = 20;
/** Ratios from 1 to the greatest, evenly on a log scale; as many again, less one, below 1. */
export const HARM_POINTS = 25;
const STEP = Math.log(RATIO_MAX) / (HARM_POINTS - 1);
const ONE = HARM_POINTS - 1;
/** Points closer than this, as ln, are one. */
const SAME = 1e-9;
/** Factor by which evidence over all ratios must exceed that of harm or of safety to bound the ratio. */
const WIDE = 20;
const LOG_RATIOS: readonly number[] = Array.from({ length: 2 * HARM_POINTS - 1 }, (_, index) => (index - ONE) * STEP);
/** Ratios from 1 on. */
export const LOG_RATIOS_UP: readonly number[] = LOG_RATIOS.slice(ONE);
const RATIOS_LESS_ONE: readonly number[] = LOG_RATIOS.map(Math.expm1);

/**
 * Evidence about the ratio θ of the candidate's rate to the stable one. Given m events in an interval, x of them on the candidate
 * with a share w of the units, x is binomial with θw/(θw+1−w): the base rate, and anything that hits both tracks, cancels. The
 * likelihood against θ = 1 is therefore θ^x / (θw+1−w)^m. Plain data: adding intervals in any order, or in parts of the same share,
 * gives the same.
 */
export interface RiskRatioEvidence {
  /** The ratio from which a candidate is worse than allowed: above 1. */
  readonly margin: number;
  /** ln of the likelihood against θ = 1, for each of LOG_RATIOS. */
  readonly logTerms: readonly number[];
  readonly logAtMargin: number;
  readonly candidate: Counts;
  readonly stable: Counts;
  /** The two sums of Mantel and Haenszel. Their ratio compares within each interval only. */
  readonly weighed: { readonly candidate: number; readonly stable: number };
}

export function noEvidence(margin: number): RiskRatioEvidence {
  return {
    margin,
    logTerms: LOG_RATIOS.map(() => 0),
    logAtMargin: 0,
    candidate: NOTHING,
    stable: NOTHING,
    weighed: { candidate: 0, stable: 0 },
  };
}

export function addInterval(state: RiskRatioEvidence, pair: Pair): RiskRatioEvidence {
  const { candidate, stable } = pair;
  const units = candidate.units + stable.units;
  const counted = {
    ...state,
    candidate: sumOf(state.candidate, candidate),
    stable: sumOf(state.stable, stable),
  };
  const bad = candidate.bad + stable.bad;
  // With one track alone there is nothing to compare; without an event the likelihood is 1 for every ratio.
  if (candidate.units === 0 || stable.units === 0 || bad === 0) return counted;
  const share = candidate.units / units;
  const logTerm = (logRatio: number, ratioLessOne: number): number =>
    candidate.bad * logRatio - bad * Math.log1p(ratioLessOne * share);
  return {
    ...counted,
    logTerms: state.logTerms.map((term, index) => term + logTerm(LOG_RATIOS[index] ?? 0, RATIOS_LESS_ONE[index] ?? 0)),
    logAtMargin: state.logAtMargin + logTerm(Math.log(state.margin), state.margin - 1),
    weighed: {
      candidate: state.weighed.candidate + (candidate.bad * stable.units) / units,
      stable: state.weighed.stable + (stable.bad * candidate.units) / units,
    },
  };
}

/** The evidence after that of `part` is added this many times. */
export function addTimes(state: RiskRatioEvidence, part: RiskRatioEvidence, times: number): RiskRatioEvidence {
  const counts = (a: Counts, b: Counts): Counts => ({ units: a.units + times * b.units, bad: a.bad + times * b.bad });
  return {
    margin: state.margin,
    logTerms: state.logTerms.map((term, index) => term + times * (part.logTerms[index] ?? 0)),
    logAtMargin: state.logAtMargin + times * part.logAtMargin,
    candidate: counts(state.candidate, part.candidate),
    stable: counts(state.stable, part.stable),
    weighed: {
      candidate: state.weighed.candidate + times * part.weighed.candidate,
      stable: state.weighed.stable + times * part.weighed.stable,
    },
  };
}

/**
 * ln of the evidence against "the candidate is no worse" (θ ≤ 1): the mean likelihood over ratios from 1 up. If it is true, the
 * chance that this ever exceeds ln(1/α), under continuous monitoring, is at most α (Ville).
 *
 * That holds for units with one event at most too, however common it is: with rates p and q of the two tracks a likelihood's mean
 * is Π(1 + p·a)·Π(1 + q·b) ≤ exp(Σ p·a + Σ q·b), the mean that counts with these rates would have (Poisson). It grows more slowly
 * then: events of half of all units count as if they were half as many.
 *
 * `dispersion` above 1 is for events that come in clumps: the root of an e-process is one again (Jensen).
 */
export function logHarm(state: RiskRatioEvidence, dispersion: number): number {
  return logMeanExp(harmTerms(state).map((term) => term / dispersion));
}

/** ln likelihood of each ratio from 1 up. */
export function harmTerms({ logTerms }: RiskRatioEvidence): readonly number[] {
  return logTerms.slice(ONE);
}

/**
 * ln of the evidence against "the candidate is worse by the margin or more" (θ ≥ margin): the mean likelihood over the ratios
 * between 1/margin and margin, the alternatives, against that of the margin.
 */
export function logSafety({ logTerms, logAtMargin, margin }: RiskRatioEvidence, dispersion: number): number {
  return logMeanNearOne(logTerms, margin, dispersion) - logAtMargin / dispersion;
}

function logMeanNearOne(logTerms: readonly number[], margin: number, dispersion: number): number {
  const reach = Math.min(ONE, Math.ceil(Math.log(margin) / STEP - SAME) - 1);
  return logMeanExp(logTerms.slice(ONE - reach, ONE + reach + 1).map((term) => term / dispersion));
}

/** The ratio of rates, compared within intervals; null while the stable track has no event to compare with. */
export function estimatedRatio({ weighed }: RiskRatioEvidence): number | null {
  return weighed.stable === 0 ? null : weighed.candidate / weighed.stable;
}

export interface RatioBounds {
  readonly from: number;
  /** null: no bound yet. */
  readonly to: number | null;
}

/**
 * Bounds of the ratio that hold at all looks at once: the evidence rejects ratios below `from` (above `to`) with the strength that
 * is needed. `from` reaches 1 exactly when harm is proven, `to` the margin exactly when safety is.
 *
 * Evidence of harm is weak beside ratios below 1, and that of safety beside those far from it; there the mean likelihood over all
 * ratios bounds better. It needs WIDE times as much, which leaves the error rate nearly unchanged.
 */
export function ratioBounds(
  state: RiskRatioEvidence,
  needed: { readonly harm: number; readonly safety: number },
  dispersion: number,
): RatioBounds {
  const points = pointsOf(state, dispersion);
  const mirrored = points.map(({ at, height }) => ({ at: -at, height })).reverse();
  const logWide = logMeanExp(state.logTerms.map((term) => term / dispersion)) - Math.log(WIDE);
  const [logHarmNeeded, logSafetyNeeded] = [Math.log(needed.harm), Math.log(needed.safety)];
  const near = logMeanNearOne(state.logTerms, state.margin, dispersion);
  const from = furtherOf(
    crossing(points, logHarm(state, dispersion) - logHarmNeeded),
    crossing(points, logWide - logHarmNeeded),
    0,
  );
  const to = furtherOf(
    crossing(mirrored, near - logSafetyNeeded),
    crossing(mirrored, logWide - logSafetyNeeded),
    -Math.log(state.margin),
  );
  return { from: Math.exp(from), to: to === -Infinity ? null : Math.exp(-to) };
}

/** The further of two bounds. The second does not reach a proof that the first has not reached. */
function furtherOf(bound: number, wide: number, proof: number): number {
  return Math.max(bound, bound >= proof - SAME ? wide : Math.min(wide, proof - 2 * SAME));
}

function pointsOf(state: RiskRatioEvidence, dispersion: number): readonly Point[] {
  const points = LOG_RATIOS.map((at, index) => ({ at, height: (state.logTerms[index] ?? 0) / dispersion }));
  const atMargin = { at: Math.log(state.margin), height: state.logAtMargin / dispersion };
  // A chord between two coinciding points has no slope.
  if (points.every(({ at }) => Math.abs(at - atMargin.at) > SAME)) points.push(atMargin);
  return points.sort((a, b) => a.at - b.at);
}

interface Point {
  readonly at: number;
  readonly height: number;
}

/**
 * How far, from the left, a concave curve through the points surely lies at or below the height; -Infinity where it never does.
 * Between two points it lies below the prolonged chords of their neighbours: their crossing is at most a little short of the truth,
 * never beyond. (ln likelihood is concave over ln θ.)
 */
function crossing(points: readonly Point[], height: number): number {
  const above = points.findIndex((point) => point.height > height);
  const [before, left, right, after] = [points[above - 2], points[above - 1], points[above], points[above + 1]];
  if (left === undefined || right === undefined) return -Infinity;
  let at = left.at;
  if (before !== undefined) at = Math.max(at, pointAlong(before, left, height));
  if (after !== undefined && after.height > right.height) at = Math.max(at, pointAlong(right, after, height));
  return at;
}

function pointAlong(a: Point, b: Point, height: number): number {
  const slope = (b.height - a.height) / (b.at - a.at);
  return b.at + (height - b.height) / slope;
}
