import { partsUpTo, stagesOf } from '../kinds/stages-of.ts';
import type { NamedPolicy } from '../kinds/release-spec.ts';
import type { Target } from '../kinds/target.ts';

/**
 * Why a release over several targets cannot go by a policy: in some stage a target begins before one that goes first has all
 * of it, so that somebody would meet the new form of the one and the old form of the other. Undefined where none does.
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
        `policy ${policy}, stage ${stage.name}: ${later.name} begin before ${short.name}, which go first, have all of it:` +
        ` somebody would meet the one as it becomes and the other as it was. Let a stage give ${short.name} all of it before,` +
        ` say by \`before\` that ${later.name} go first, or apply them apart.`
      );
    }
  }
  return undefined;
}
