import type { Clustering, TrackClustering } from './cells.ts';
import { isOfMany, trackDispersion, unitsIn } from './dispersion.ts';
import { isBeyond, limitOf, type GuardrailState, type GaugeTally, type RateTally } from './fold.ts';
import { gaugeDispersion, gaugeTerms } from './gauge.ts';
import type { JudgeContext, ThresholdSpec } from './guardrail.ts';
import type { Judgement } from './judgement.ts';
import { likeliestStartMs, logLateEvidence } from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { logMeanBeyond } from './mean-evidence.ts';
import { dominanceText, doubt, SAFE, withoutOther } from './patience.ts';
import { count, figure, odds, oddsOf, percent } from './phrases.ts';
import { logWithin } from './rate-evidence.ts';
import { observationTimeOf, blocksSince, rateInTime, timeDispersion } from './time-blocks.ts';
import { evidence, type ThresholdFigures } from './verdict.ts';

/** Evidence of a value against its limit: ln of that for both sides, already divided by the dispersion. */
interface LimitEvidence {
  readonly value: number | null;
  readonly logBeyond: number;
  readonly logWithin: number;
  readonly dispersion: number;
}

/**
 * A rate or a mean fails on evidence that it is beyond its limit, and passes on evidence that it is within it. A gauge does so when
 * more than half of its windows are beyond, or within.
 */
export function judgeThreshold(
  spec: ThresholdSpec,
  folded: GuardrailState,
  tally: RateTally | GaugeTally,
  context: JudgeContext,
): Judgement {
  const startMs = tally.of === 'gauge' ? 0 : likeliestStartMs(tally.late);
  const { value, logBeyond, logWithin, dispersion } =
    tally.of === 'gauge'
      ? weighGauge(tally)
      : spec.measure === 'mean'
        ? weighMean(spec, folded, tally)
        : weighRate(spec, folded, tally, startMs);
  const needed = { harm: context.metrics / context.alpha, safety: context.metrics / context.beta };
  const { windows } = observationTimeOf(folded.blocks);
  const units = tally.of === 'gauge' ? windows : tally.counts.units;
  const figures: ThresholdFigures = {
    of: 'threshold',
    value,
    units,
    windows,
    beyond: evidence(logBeyond, needed.harm),
    within: evidence(logWithin, needed.safety),
    dispersion,
    leftOut: folded.leftOut,
  };
  const measured = `${spec.name} ${value === null ? 'not measured yet' : showValue(spec, value)} (limit ${limitText(spec)})`;
  if (units < spec.unitsMin) {
    const missing = spec.unitsMin - units;
    const because = `${measured}: ${count(units)} of ${count(spec.unitsMin)} units so far.`;
    return { outcome: 'undecided', because, figures, unitsNeeded: { toPass: missing, toFail: missing } };
  }
  if (logBeyond >= Math.log(needed.harm)) {
    const words = beyondWords(spec, tally, value);
    const alone = tally.of === 'gauge' ? undefined : dominanceOf(folded, startMs);
    if (alone === undefined) {
      return { outcome: 'fail', because: `${measured}: ${words}, rolls back; ${odds(figures.beyond)}.`, figures };
    }
    return {
      outcome: 'undecided',
      because: `${measured}: ${words}, but ${alone}: waits for more.`,
      figures,
      blocked: 'oneSource',
    };
  }
  if (logWithin >= Math.log(needed.safety)) {
    const words = withinWords(spec, tally, value);
    const seen = unitsSeen(folded);
    if (tally.of === 'gauge' || seen >= SAFE.units) {
      return { outcome: 'pass', because: `${measured}: ${words}; ${odds(figures.within)}.`, figures };
    }
    const because = `${measured}: ${words}, but of about ${count(seen)} units of ${SAFE.units} that it takes.`;
    return { outcome: 'undecided', because, figures };
  }
  return {
    outcome: 'undecided',
    because: `${measured}: cannot tell yet; evidence that it is beyond ${oddsOf(figures.beyond.value)} of ${count(needed.harm)}, within ${oddsOf(figures.within.value)} of ${count(needed.safety)}.`,
    figures,
  };
}

function weighRate(
  spec: ThresholdSpec,
  folded: GuardrailState,
  { counts, late, scope }: RateTally,
  startMs: number,
): LimitEvidence {
  const { limit, side } = limitOf(spec);
  const { deviations, known: seen } = rateInTime(folded.blocks, startMs);
  const time = timeDispersion(deviations, {
    isBlocked: false,
    history: folded.history ?? undefined,
  });
  const of = (clustering: Clustering | undefined): number =>
    Math.max(1, time, clustering === undefined ? 1 : (trackDispersion(clustering.candidate) ?? 1));
  const known = of(folded.clustering?.release);
  const doubted = Math.max(known, doubt(seen, { hasUnits: folded.clustering !== null }));
  const safety =
    folded.clustering === null
      ? Math.max(known, doubt(observationTimeOf(folded.blocks), { hasUnits: false }))
      : of(folded.clustering.scope);
  return {
    value: counts.units === 0 ? null : counts.bad / counts.units,
    logBeyond: logLateEvidence(late, doubted),
    logWithin: logWithin(scope.evidence, limit, side, safety),
    dispersion: doubted,
  };
}

/** Uses cells alone: without them the variance of the measured values is unknown. */
function weighMean(spec: ThresholdSpec, { blocks, clustering }: GuardrailState, { counts }: RateTally): LimitEvidence {
  const { limit, side } = limitOf(spec);
  const value = counts.units === 0 ? null : counts.total / counts.units;
  const dispersion = doubt(observationTimeOf(blocks), { hasUnits: clustering !== null });
  const off = (track: TrackClustering | undefined, sign: 1 | -1): number =>
    track === undefined || !isOfMany(track) ? 0 : logMeanBeyond(track, limit, side === 'above' ? sign : -sign);
  return {
    value,
    logBeyond: off(clustering?.release.candidate, 1) / dispersion,
    logWithin: off(clustering?.scope.candidate, -1),
    dispersion,
  };
}

function weighGauge({ value, late, signs, scope }: GaugeTally): LimitEvidence {
  const dispersion = signs.length === 0 ? 1 : gaugeDispersion(signs);
  // "Within the limit" is the mirror image of "beyond it".
  const [beyond, within] = [gaugeTerms(false), gaugeTerms(true)];
  const of = scope.evidence;
  const terms = within.map(
    (term, index) => ((of.shown - of.beyond) * term + of.beyond * (beyond[index] ?? 0)) / dispersion,
  );
  return { value, logBeyond: logLateEvidence(late, dispersion), logWithin: logMeanExp(terms), dispersion };
}

function dominanceOf(folded: GuardrailState, startMs: number): string | undefined {
  const candidate = folded.clustering?.release.candidate;
  return dominanceText(
    observationTimeOf(blocksSince(folded.blocks, startMs)).windows,
    folded,
    candidate && { candidate, suspect: withoutOther(candidate) },
  );
}

/** The value is over all windows; evidence of harm may be recent, and that of safety is of the newest audience. */
function beyondWords(spec: ThresholdSpec, tally: RateTally | GaugeTally, value: number | null): string {
  if (tally.of === 'rate') return isBeyond(spec, value) ? 'beyond it' : 'lately beyond it';
  const isMostly = tally.signs.reduce<number>((sum, sign) => sum + sign, 0) > 0;
  return `${isMostly ? '' : 'lately '}beyond it more often than not`;
}

function withinWords(spec: ThresholdSpec, tally: RateTally | GaugeTally, value: number | null): string {
  if (tally.of === 'gauge') return 'within it more often than not';
  return isBeyond(spec, value) ? 'within it since the audience changed' : 'within it';
}

function unitsSeen({ clustering }: GuardrailState): number {
  return clustering === null ? Infinity : unitsIn(clustering.scope.candidate);
}

function showValue({ measure }: ThresholdSpec, value: number): string {
  return measure === 'rate' ? percent(value) : figure(value);
}

function limitText(spec: ThresholdSpec): string {
  const { limit, side } = limitOf(spec);
  return `${side === 'above' ? '' : 'at least '}${showValue(spec, limit)}`;
}
