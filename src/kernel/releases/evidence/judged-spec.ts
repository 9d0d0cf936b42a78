import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { GuardrailSpec as JudgedSpec } from '#kernel/statistics/guardrail.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import type { MetricTraits } from './measure-source.ts';

/**
 * Allowed deviation of the odds of the split: by half or twice. Units fall into tracks, but their actions are counted: a few active
 * units move the split further than chance moves single requests.
 */
const SPLIT_TOLERANCE = 1;

/** Why a guardrail cannot judge such numbers, as the end of a sentence; undefined when it can. */
export function misfit({ noWorse, threshold, burnRate }: GuardrailSpec, measured: MetricTraits): string | undefined {
  const { of, better, called } = measured;
  if (threshold !== undefined) return undefined;
  const events = 'events of units (count, proportion)';
  if (noWorse !== undefined && of !== 'events') return `noWorse compares ${events}; ${called} needs a threshold`;
  if (burnRate !== undefined && (of !== 'events' || better === 'more')) {
    return `a burn rate needs ${events} where fewer are better; ${called} are not`;
  }
  return undefined;
}

/** The input of the judge for a guardrail, for numbers that fit. */
export function judgedSpec(guardrail: GuardrailSpec, measured: MetricTraits): JudgedSpec {
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
