import { partsUpTo, stagesOf } from '../kinds/release-stages.ts';
import type { NamedPolicy } from '../kinds/release-spec.ts';
import type { Target } from '../kinds/target.ts';

/**
 * Why a policy cannot release several targets: in some stage a target starts before an earlier one is complete, so that users would
 * see the new form of the one and the old form of the other. undefined: no conflict.
 */
export function couplingProblem(
  { name: policy, spec }: NamedPolicy,
  order: readonly Pick<Target, 'name' | 'whole' | 'isWhole'>[],
): string | undefined {
  for (const [index, stage] of stagesOf(spec).entries()) {
    for (const [at, later] of order.entries()) {
      if (partsUpTo(spec, index, later).length === 0) continue;
      const short = order
        .slice(0, at)
        .find((one) => !partsUpTo(spec, index, one).some(({ where }) => one.isWhole(where)));
      if (short === undefined) continue;
      return (
        `policy ${policy}, stage ${stage.name}: ${later.name} start before ${short.name}, which go first, are complete:` +
        ` users would see the new form of one and the old form of the other. Complete ${short.name} in an earlier stage,` +
        ` set \`before\` so that ${later.name} go first, or apply them separately.`
      );
    }
  }
  return undefined;
}
