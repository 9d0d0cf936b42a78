import type { PolicySpec, Stage } from './policy-spec.ts';

/** `1% → 10% → all`, `1% → all (bakes PT10M)`. */
export function stagesText({ stages, bake }: Pick<PolicySpec, 'stages' | 'bake'>): string {
  const one = ({ percent, audience, markets }: Stage) =>
    [
      `${percent}%`,
      ...(audience === undefined ? [] : [`of ${audience}`]),
      ...(markets === undefined ? [] : [`in ${markets.join('+')}`]),
    ].join(' ');
  const last = bake === undefined ? 'all' : `all (bakes ${bake})`;
  return [...stages.map(one), last].join(' → ');
}
