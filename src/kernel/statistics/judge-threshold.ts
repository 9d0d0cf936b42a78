import type { Clustering, TrackClustering } from './cells.ts';
import { trackDispersion, unitsIn } from './dispersion.ts';
import { limitOf, type Folded, type GaugeTally, type RateTally } from './fold.ts';
import { gaugeDispersion, GAUGE_POINTS, gaugeTerms } from './gauge.ts';
import type { JudgeContext, ThresholdSpec } from './guardrail.ts';
import type { Judgement } from './judgement.ts';
import { likeliestStartMs, logLate } from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { logMeanBeyond } from './mean-evidence.ts';
import { doubt, isOfMany, isOneUnit, SAFE, WINDOWS_MIN } from './patience.ts';
import { count, figure, odds, oddsOf, percent } from './phrases.ts';
import { logWithin } from './rate-evidence.ts';
import { rateDeviations, timeDispersion } from './time-blocks.ts';
import { evidence, type ThresholdFigures } from './verdict.ts';

/** What is measured against a limit comes to: ln of the evidence for both sides, and how clumped it is. */
interface Weighed {
  readonly value: number | null;
  readonly logBeyond: number;
  readonly logWithin: number;
  readonly dispersion: number;
}

/**
 * A rate or a mean fails on evidence that it is beyond its limit, and passes on evidence that it is within it; a gauge as its
 * windows are beyond it, or within it, more often than by halves.
 */
export function judgeThreshold(
  spec: ThresholdSpec,
  folded: Folded,
  tally: RateTally | GaugeTally,
  context: JudgeContext,
): Judgement {
  const { value, logBeyond, logWithin, dispersion } =
    tally.of === 'gauge'
      ? weighGauge(tally)
      : spec.measure === 'mean'
        ? weighMean(spec, folded, tally)
        : weighRate(spec, folded, tally);
  const needed = { harm: context.metrics / context.alpha, safety: context.metrics / context.beta };
  const units = tally.of === 'gauge' ? folded.windows.count : tally.counts.units;
  const figures: ThresholdFigures = {
    of: 'threshold',
    value,
    units,
    windows: folded.windows.count,
    beyond: evidence(logBeyond, needed.harm),
    within: evidence(logWithin, needed.safety),
    dispersion,
    leftOut: folded.leftOut,
  };
  const said = `${spec.name} ${value === null ? 'not measured yet' : shown(spec, value)} (limit ${limitText(spec)})`;
  if (units < spec.unitsMin) {
    const missing = spec.unitsMin - units;
    const because = `${said}: ${count(units)} of ${count(spec.unitsMin)} units so far.`;
    return { outcome: 'undecided', because, figures, unitsNeeded: { toPass: missing, toFail: missing } };
  }
  if (logBeyond >= Math.log(needed.harm)) {
    const alone = tally.of === 'gauge' ? undefined : aloneText(folded);
    if (alone === undefined) {
      return { outcome: 'fail', because: `${said}: beyond it, rolls back; ${odds(figures.beyond)}.`, figures };
    }
    const because = `${said}: beyond it, but ${alone}: waits for more.`;
    return { outcome: 'undecided', because, figures, blocked: 'oneSource' };
  }
  if (logWithin >= Math.log(needed.safety)) {
    const seen = unitsSeen(folded);
    if (tally.of === 'gauge' || seen >= SAFE.units) {
      return { outcome: 'pass', because: `${said}: within it; ${odds(figures.within)}.`, figures };
    }
    const because = `${said}: within it, but of about ${count(seen)} units of ${SAFE.units} that it takes.`;
    return { outcome: 'undecided', because, figures };
  }
  return {
    outcome: 'undecided',
    because: `${said}: cannot tell yet; evidence that it is beyond ${oddsOf(figures.beyond.value)} of ${count(needed.harm)}, within ${oddsOf(figures.within.value)} of ${count(needed.safety)}.`,
    figures,
  };
}

function weighRate(spec: ThresholdSpec, folded: Folded, { counts, late, scope }: RateTally): Weighed {
  const { limit, side } = limitOf(spec);
  const time = timeDispersion(rateDeviations(folded.blocks, likeliestStartMs(late)), {
    isBlocked: false,
    history: folded.history ?? undefined,
  });
  const of = (clustering: Clustering | undefined): number =>
    Math.max(1, time, clustering === undefined ? 1 : (trackDispersion(clustering.candidate) ?? 1));
  const known = of(folded.clustering?.release);
  const doubted = Math.max(known, doubt(folded, undefined));
  const safety = folded.clustering === null ? doubted : of(folded.clustering.scope);
  return {
    value: counts.units === 0 ? null : counts.bad / counts.units,
    logBeyond: logLate(late, doubted),
    logWithin: logWithin(scope.evidence, limit, side, safety),
    dispersion: doubted,
  };
}

/** By cells alone: without them nothing is known of how much what was measured varies. */
function weighMean(spec: ThresholdSpec, { clustering }: Folded, { counts }: RateTally): Weighed {
  const { limit, side } = limitOf(spec);
  const value = counts.units === 0 ? null : counts.total / counts.units;
  const off = (track: TrackClustering | undefined, sign: 1 | -1): number =>
    track === undefined || !isOfMany(track) ? 0 : logMeanBeyond(track, limit, side === 'above' ? sign : -sign);
  return {
    value,
    logBeyond: off(clustering?.release.candidate, 1),
    logWithin: off(clustering?.scope.candidate, -1),
    dispersion: 1,
  };
}

function weighGauge({ value, late, signs }: GaugeTally): Weighed {
  const dispersion = signs.length === 0 ? 1 : gaugeDispersion(signs);
  const [beyond, within] = [gaugeTerms(true), gaugeTerms(false)];
  const isBeyond = signs.filter((sign) => sign === 1).length;
  const terms = Array.from({ length: GAUGE_POINTS }, (_, index) => {
    const same = (signs.length - isBeyond) * (beyond[index] ?? 0);
    return (same + isBeyond * (within[index] ?? 0)) / dispersion;
  });
  return { value, logBeyond: logLate(late, dispersion), logWithin: logMeanExp(terms), dispersion };
}

function aloneText({ windows, clustering }: Folded): string | undefined {
  if (windows.count < WINDOWS_MIN) return `only in ${windows.count === 1 ? 'one window' : `${windows.count} windows`}`;
  const candidate = clustering?.release.candidate;
  if (candidate === undefined) return undefined;
  if (!isOfMany(candidate)) return `it is that of some ${count(unitsIn(candidate))} units alone`;
  return isAlone(candidate) ? 'most of it comes from one unit, or a few: one unit dominates' : undefined;
}

/** Beside a limit there is no other track to have more than: one cell has most of what there is. */
function isAlone(candidate: TrackClustering): boolean {
  return isOneUnit({ ...candidate, excess: candidate.bad, excessMax: candidate.badMax, badOfMax: candidate.badMax });
}

function unitsSeen({ clustering }: Folded): number {
  return clustering === null ? Infinity : unitsIn(clustering.scope.candidate);
}

function shown({ measure }: ThresholdSpec, value: number): string {
  return measure === 'rate' ? percent(value) : figure(value);
}

function limitText(spec: ThresholdSpec): string {
  const { limit, side } = limitOf(spec);
  return `${side === 'above' ? '' : 'at least '}${shown(spec, limit)}`;
}
