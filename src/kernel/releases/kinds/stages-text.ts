import type { Stage } from './policy-spec.ts';

/** `1% → 10% → all`. */
export function stagesText(stages: readonly Stage[]): string {
  const one = ({ percent, audience, markets }: Stage) =>
    [
      `${percent}%`,
      ...(audience === undefined ? [] : [`of ${audience}`]),
      ...(markets === undefined ? [] : [`in ${markets.join('+')}`]),
    ].join(' ');
  return [...stages.map(one), 'all'].join(' → ');
}
