import type { PolicySpec } from './policy-spec.ts';
import { partsUpTo } from './release-stages.ts';
import type { Split } from './target.ts';
import type { Targets } from './targets.ts';

/** The split of units in a stage; undefined until a stage splits any. */
export function splitIn(
  policy: Pick<PolicySpec, 'stages' | 'bake'>,
  stage: number,
  targets: Targets,
): Split | undefined {
  for (const target of targets) {
    const last = partsUpTo(policy, stage, target).at(-1);
    if (last !== undefined && target.split !== undefined) return target.split(last.where);
  }
  return undefined;
}
