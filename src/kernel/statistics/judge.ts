import { fold, type GuardrailState, type Newest } from './fold.ts';
import type { GuardrailSpec, JudgeContext } from './guardrail.ts';
import { judgeBurnRate } from './judge-burn-rate.ts';
import type { Judgement } from './judgement.ts';
import { judgeRiskRatio } from './judge-risk-ratio.ts';
import { judgeThreshold } from './judge-threshold.ts';
import { count, percent, span } from './phrases.ts';
import type { SourceAnswer } from './source-answer.ts';
import { judgeVersion, type Figures, type Outcome, type Verdict } from './verdict.ts';

/** Intervals after which the newest data is stale. */
const STALE_INTERVALS = 2;

/**
 * Judges a guardrail by the answer of its source. The same answer and context always give the same verdict, however often and after
 * whichever intervals it was judged before.
 *
 * Without data there is no success: a fault of the source comes before the numbers. The one exception is a source without data
 * while the router counted requests: then nothing measures the candidate, which fails.
 */
export function judge(spec: GuardrailSpec, reading: SourceAnswer, context: JudgeContext): Verdict {
  return { ...judgement(spec, reading, context), judgeVersion };
}

function judgement(spec: GuardrailSpec, reading: SourceAnswer, context: JudgeContext): Judgement {
  switch (reading.at) {
    case 'down':
      return nothing('providerDown', `${spec.name} cannot be read: ${reading.because}.`);
    case 'empty':
      return judgeEmpty(spec, reading);
    case 'intervals': {
      const folded = fold(spec, reading.folded, reading.intervals);
      if (folded.newest === null) return judgeEmpty(spec, { at: 'empty' });
      return judgeFolded(spec, folded, folded.newest, context);
    }
  }
}

function judgeEmpty(
  { name }: GuardrailSpec,
  { requests, because: lack }: Extract<SourceAnswer, { readonly at: 'empty' }>,
): Judgement {
  if (lack !== undefined) return nothing('noData', `${name}: ${lack}.`);
  if (requests === undefined) return nothing('noData', `${name}: the source has no data.`);
  if (!(requests >= 0)) return nothing('notANumber', `${name}: the number of requests is not a number.`);
  if (requests === 0) return nothing('zeroTraffic', `${name}: the candidate had no request, so there is no data.`);
  const because = `${name}: the candidate had ${count(requests)} requests, but the source has no data of it: it is not measured.`;
  return nothing('fail', because);
}

function judgeFolded(spec: GuardrailSpec, folded: GuardrailState, newest: Newest, context: JudgeContext): Judgement {
  const judged = judgeTally(spec, folded, newest, context);
  const { figures } = judged;
  if (newest.fault !== null) {
    return nothing('notANumber', `${spec.name}: the newest interval cannot be counted, for ${newest.fault}.`, figures);
  }
  const ageMs = context.nowMs - newest.toMs;
  if (ageMs > STALE_INTERVALS * (newest.toMs - newest.fromMs)) {
    return nothing('stale', `${spec.name}: the newest data is ${span(ageMs)} old.`, figures);
  }
  const isOpen = judged.outcome === 'pass' || judged.outcome === 'undecided';
  if (isOpen && newest.candidateUnits === 0 && needsUnits(spec)) {
    return nothing('zeroTraffic', `${spec.name}: the candidate has no traffic.`, figures);
  }
  if (isOpen && newest.usualShare !== null) {
    const { candidateUnits, stableUnits, usualShare } = newest;
    const because = `${spec.name}: the candidate got ${percent(candidateUnits / (candidateUnits + stableUnits))} of ${count(candidateUnits + stableUnits)} units where ${percent(usualShare)} are usual: a load test, or another split; the window is left out.`;
    return { outcome: 'invalid', because, figures };
  }
  return judged;
}

function judgeTally(spec: GuardrailSpec, folded: GuardrailState, newest: Newest, context: JudgeContext): Judgement {
  const { tally } = folded;
  if (spec.type === 'riskRatio' && tally.of === 'riskRatio') {
    return judgeRiskRatio(spec, { ...folded, tally, newest }, context);
  }
  if (spec.type === 'burnRate' && tally.of === 'burnRate') return judgeBurnRate(spec, folded, tally, context);
  if (spec.type === 'threshold' && (tally.of === 'rate' || tally.of === 'gauge')) {
    return judgeThreshold(spec, folded, tally, context);
  }
  throw new Error(`the state of a ${tally.of} cannot continue as a ${spec.type}`);
}

/** A gauge shows a value without traffic too. */
function needsUnits(spec: GuardrailSpec): boolean {
  return !(spec.type === 'threshold' && spec.unitsMin === 0);
}

function nothing(outcome: Outcome, because: string, figures: Figures = { of: 'nothing' }): Judgement {
  return { outcome, because, figures };
}
