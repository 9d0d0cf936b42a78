import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { GuardrailSpec as JudgedSpec } from '#kernel/statistics/guardrail.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import type { Measured } from './measure-source.ts';

/**
 * How far the odds of the split may be off: by half or twice. It is units that fall into tracks, and what is counted
 * is what they do: a few that do much move it further than chance would move single requests.
 */
const SPLIT_TOLERANCE = 1;

/** Why a guardrail cannot be judged by such numbers, as the end of a sentence; undefined when it can. */
export function misfit({ noWorse, threshold, burnRate }: GuardrailSpec, measured: Measured): string | undefined {
  const { of, better, called } = measured;
  if (threshold !== undefined) return undefined;
  const events = 'events of units (count, proportion)';
  if (noWorse !== undefined && of !== 'events')
    return `noWorse compares ${events}; ${called} can be held against a threshold`;
  if (burnRate !== undefined && (of !== 'events' || better === 'more')) {
    return `a burn rate is of ${events} of which fewer are better; ${called} are none`;
  }
  return undefined;
}

/** A guardrail as the judge takes it, for numbers that fit. */
export function judgedSpec(guardrail: GuardrailSpec, measured: Measured): JudgedSpec {
  const { noWorse, threshold, burnRate, independentEvery } = guardrail;
  const { called: name, better, of, harmlessRate } = measured;
  if (threshold !== undefined) {
    const { above, below, unitsMin } = threshold;
    const isValue = of === 'values';
    return {
      type: 'threshold',
      name,
      measure: isValue ? 'value' : of === 'totals' ? 'mean' : 'rate',
      ...(above === undefined ? {} : { max: above }),
      ...(below === undefined ? {} : { min: below }),
      unitsMin: isValue ? 0 : unitsMin,
    };
  }
  if (burnRate !== undefined) return { type: 'burnRate', name, objective: burnRate.objective };
  return {
    type: 'riskRatio',
    name,
    better,
    ...(noWorse === undefined ? {} : { margin: noWorse.margin }),
    ...(harmlessRate === undefined || better === 'more' ? {} : { harmlessRate }),
    splitTolerance: SPLIT_TOLERANCE,
    ...(independentEvery === undefined ? {} : { independentMs: durationMs(independentEvery) }),
  };
}
