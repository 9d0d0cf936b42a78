import type { Clustering, TrackClustering } from './cells.ts';
import { isOfMany, trackDispersion, unitsIn } from './dispersion.ts';
import { isBeyond, limitOf, type Folded, type GaugeTally, type RateTally } from './fold.ts';
import { gaugeDispersion, gaugeTerms } from './gauge.ts';
import type { JudgeContext, ThresholdSpec } from './guardrail.ts';
import type { Judgement } from './judgement.ts';
import { likeliestStartMs, logLate } from './late-evidence.ts';
import { logMeanExp } from './log-mean-exp.ts';
import { logMeanBeyond } from './mean-evidence.ts';
import { aloneText, doubt, SAFE, withoutOther } from './patience.ts';
import { count, figure, odds, oddsOf, percent } from './phrases.ts';
import { logWithin } from './rate-evidence.ts';
import { allKnown, blocksSince, rateInTime, timeDispersion } from './time-blocks.ts';
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
  const startMs = tally.of === 'gauge' ? 0 : likeliestStartMs(tally.late);
  const { value, logBeyond, logWithin, dispersion } =
    tally.of === 'gauge'
      ? weighGauge(tally)
      : spec.measure === 'mean'
        ? weighMean(spec, folded, tally)
        : weighRate(spec, folded, tally, startMs);
  const needed = { harm: context.metrics / context.alpha, safety: context.metrics / context.beta };
  const { windows } = allKnown(folded.blocks);
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
  const said = `${spec.name} ${value === null ? 'not measured yet' : shown(spec, value)} (limit ${limitText(spec)})`;
  if (units < spec.unitsMin) {
    const missing = spec.unitsMin - units;
    const because = `${said}: ${count(units)} of ${count(spec.unitsMin)} units so far.`;
    return { outcome: 'undecided', because, figures, unitsNeeded: { toPass: missing, toFail: missing } };
  }
  if (logBeyond >= Math.log(needed.harm)) {
    const words = beyondWords(spec, tally, value);
    const alone = tally.of === 'gauge' ? undefined : aloneOf(folded, startMs);
    if (alone === undefined) {
      return { outcome: 'fail', because: `${said}: ${words}, rolls back; ${odds(figures.beyond)}.`, figures };
    }
    return {
      outcome: 'undecided',
      because: `${said}: ${words}, but ${alone}: waits for more.`,
      figures,
      blocked: 'oneSource',
    };
  }
  if (logWithin >= Math.log(needed.safety)) {
    const words = withinWords(spec, tally, value);
    const seen = unitsSeen(folded);
    if (tally.of === 'gauge' || seen >= SAFE.units) {
      return { outcome: 'pass', because: `${said}: ${words}; ${odds(figures.within)}.`, figures };
    }
    const because = `${said}: ${words}, but of about ${count(seen)} units of ${SAFE.units} that it takes.`;
    return { outcome: 'undecided', because, figures };
  }
  return {
    outcome: 'undecided',
    because: `${said}: cannot tell yet; evidence that it is beyond ${oddsOf(figures.beyond.value)} of ${count(needed.harm)}, within ${oddsOf(figures.within.value)} of ${count(needed.safety)}.`,
    figures,
  };
}

function weighRate(spec: ThresholdSpec, folded: Folded, { counts, late, scope }: RateTally, startMs: number): Weighed {
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
      ? Math.max(known, doubt(allKnown(folded.blocks), { hasUnits: false }))
      : of(folded.clustering.scope);
  return {
    value: counts.units === 0 ? null : counts.bad / counts.units,
    logBeyond: logLate(late, doubted),
    logWithin: logWithin(scope.evidence, limit, side, safety),
    dispersion: doubted,
  };
}

/** By cells alone: without them nothing is known of how much what was measured varies. */
function weighMean(spec: ThresholdSpec, { blocks, clustering }: Folded, { counts }: RateTally): Weighed {
  const { limit, side } = limitOf(spec);
  const value = counts.units === 0 ? null : counts.total / counts.units;
  const dispersion = doubt(allKnown(blocks), { hasUnits: clustering !== null });
  const off = (track: TrackClustering | undefined, sign: 1 | -1): number =>
    track === undefined || !isOfMany(track) ? 0 : logMeanBeyond(track, limit, side === 'above' ? sign : -sign);
  return {
    value,
    logBeyond: off(clustering?.release.candidate, 1) / dispersion,
    logWithin: off(clustering?.scope.candidate, -1),
    dispersion,
  };
}

function weighGauge({ value, late, signs, scope }: GaugeTally): Weighed {
  const dispersion = signs.length === 0 ? 1 : gaugeDispersion(signs);
  // To be within the limit is the mirror image of being beyond it.
  const [beyond, within] = [gaugeTerms(false), gaugeTerms(true)];
  const of = scope.evidence;
  const terms = within.map(
    (term, index) => ((of.shown - of.beyond) * term + of.beyond * (beyond[index] ?? 0)) / dispersion,
  );
  return { value, logBeyond: logLate(late, dispersion), logWithin: logMeanExp(terms), dispersion };
}

function aloneOf(folded: Folded, startMs: number): string | undefined {
  const candidate = folded.clustering?.release.candidate;
  return aloneText(
    allKnown(blocksSince(folded.blocks, startMs)).windows,
    folded,
    candidate && { candidate, suspect: withoutOther(candidate) },
  );
}

/** Evidence of harm may be of late, and that of safety of the newest audience, while the value is of all. */
function beyondWords(spec: ThresholdSpec, tally: RateTally | GaugeTally, value: number | null): string {
  if (tally.of === 'rate') return isBeyond(spec, value) ? 'beyond it' : 'lately beyond it';
  const isMostly = tally.signs.reduce<number>((sum, sign) => sum + sign, 0) > 0;
  return `${isMostly ? '' : 'lately '}beyond it more often than not`;
}

function withinWords(spec: ThresholdSpec, tally: RateTally | GaugeTally, value: number | null): string {
  if (tally.of === 'gauge') return 'within it more often than not';
  return isBeyond(spec, value) ? 'within it since the audience changed' : 'within it';
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
