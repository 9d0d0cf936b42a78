import { burnByRule, unitsToSeeBurn, type BurnDispersion, type RuleBurn } from './burn-rate.ts';
import { ratioDispersion, trackDispersion } from './dispersion.ts';
import type { BurnRateTally, GuardrailState } from './fold.ts';
import type { BurnRateSpec, JudgeContext } from './guardrail.ts';
import type { Judgement } from './judgement.ts';
import { dominanceText, doubt } from './patience.ts';
import { count, figure, odds, span } from './phrases.ts';
import {
  observationTimeOf,
  blocksSince,
  rateInTime,
  shareInTime,
  timeDispersion,
  type InTime,
  type TimeBlocks,
} from './time-blocks.ts';
import { evidence, type BurnRateFigures } from './verdict.ts';

/**
 * Fails when the candidate burns the budget, on evidence that it does and that it is worse than stable: α over the number of
 * guardrails, within the window of the rule. When the service burns otherwise, promotion waits and the candidate is not blamed.
 */
export function judgeBurnRate(
  spec: BurnRateSpec,
  folded: GuardrailState,
  { observed }: BurnRateTally,
  context: JudgeContext,
): Judgement {
  const needed = context.metrics / context.alpha;
  const rules = burnByRule(observed, spec.objective, context.nowMs, (long, short) =>
    dispersionsOf(folded, long, short),
  );
  const blamed = rules.find(({ logHarm }) => logHarm >= Math.log(needed));
  if (blamed !== undefined) {
    const figures = figuresOf(blamed, needed);
    const candidate = folded.clustering?.release.candidate;
    const alone = dominanceText(
      observationTimeOf(folded.blocks).windows,
      folded,
      candidate && { candidate, suspect: candidate },
    );
    if (alone !== undefined) {
      const because = `${burnWords(spec, blamed)}, but ${alone}: waits for more.`;
      return { outcome: 'undecided', because, figures, blocked: 'oneSource' };
    }
    return { outcome: 'fail', because: `${burnWords(spec, blamed)}: rolls back; ${odds(figures.harm)}.`, figures };
  }
  const fires = rules.find(({ fires }) => fires);
  if (fires !== undefined) {
    return {
      outcome: 'undecided',
      because: `${burnWords(spec, fires)}: the candidate is not to blame, but nothing is promoted meanwhile.`,
      figures: figuresOf(fires, needed),
      blocked: 'serviceBurns',
    };
  }
  const early = rules.find(({ isEarly }) => isEarly);
  if (early !== undefined) {
    const because = `${burnWords(spec, early)}: cannot tell yet, for that takes ${span(early.rule.shortMs)}.`;
    return { outcome: 'undecided', because, figures: figuresOf(early, needed) };
  }
  const [strictest] = rules;
  if (strictest === undefined) throw new Error('there are no rules of burn rates');
  const figures = figuresOf(strictest, needed);
  const units = observed
    .filter(({ toMs }) => toMs > context.nowMs - strictest.rule.longMs)
    .reduce((sum, { candidate }) => sum + candidate.units, 0);
  const missing = unitsToSeeBurn(spec.objective) - units;
  if (missing > 0) {
    return {
      outcome: 'undecided',
      because: `${spec.name}: ${count(units)} units of the candidate within ${span(strictest.rule.longMs)} are too few to see a burn; ${count(missing)} more are needed.`,
      figures,
      unitsNeeded: { toPass: missing, toFail: null },
    };
  }
  return { outcome: 'pass', because: `${burnWords(spec, strictest)}: within every limit.`, figures };
}

/**
 * Dispersion of the ratio to stable, and of the candidate's own rate: the larger of that between units and that in time. A burn
 * that began with the short window is no noise of the long one.
 */
function dispersionsOf(folded: GuardrailState, longSinceMs: number, shortSinceMs: number): BurnDispersion {
  const { clustering } = folded;
  const history = folded.history ?? undefined;
  const blocks = blocksSince(folded.blocks, longSinceMs);
  const least = doubt(observationTimeOf(folded.blocks), { hasUnits: clustering !== null });
  const dispersion = (inTime: (blocks: TimeBlocks, changeMs: number) => InTime) =>
    Math.min(
      ...[longSinceMs, shortSinceMs].map((changeMs) =>
        timeDispersion(inTime(blocks, changeMs).deviations, { isBlocked: false, history }),
      ),
    );
  const release = clustering?.release;
  const candidate = release === undefined ? undefined : trackDispersion(release.candidate);
  return {
    ratio: Math.max(least, dispersion(shareInTime), release === undefined ? 1 : ratioDispersion(release)),
    rate: Math.max(least, dispersion(rateInTime), candidate ?? 1),
  };
}

function figuresOf({ rule, candidate, stable, logHarm }: RuleBurn, needed: number): BurnRateFigures {
  return { of: 'burnRate', rule, candidate, stable, harm: evidence(logHarm, needed) };
}

/** "Errors burn the budget of 99.9 % 15× as fast as planned over 1 h (stable 1.1×; limit 14.4×)". */
function burnWords(spec: BurnRateSpec, { rule, candidate, stable }: RuleBurn): string {
  return `${spec.name} burn the budget of ${Number((spec.objective * 100).toFixed(4))} % ${figure(candidate.long)}× as fast as planned over ${span(rule.longMs)} (stable ${figure(stable.long)}×; limit ${rule.factor}×)`;
}
