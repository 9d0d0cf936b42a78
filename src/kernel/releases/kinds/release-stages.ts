import type { Target } from './target.ts';
import type { PolicySpec, Stage } from './policy-spec.ts';

/** Name of the stage of a bake. */
export const BAKE = 'bake';

type StagePlan = Pick<PolicySpec, 'stages' | 'bake'>;

/** A stage of a release. The stage of a bake covers all units and places of each target. */
export interface ReleaseStage extends Stage {
  readonly isForAll?: true;
}

/**
 * The stages of a release: those of its policy and, with a bake, a last one in which it is live for everyone. Promotion does not
 * wait there for evidence, but a failure still rolls back.
 */
export function stagesOf({ stages, bake }: StagePlan): readonly ReleaseStage[] {
  if (bake === undefined || stages.length === 0) return stages;
  const { maxUnknown = 0 } = stages.at(-1) ?? {};
  return [...stages, { name: BAKE, soak: bake, promote: 'auto', maxUnknown, isForAll: true }];
}

export function isBake({ stages }: StagePlan, stage: number): boolean {
  return stage >= stages.length;
}

/** Whether a stage has a part for a target. */
export function hasPart(stage: ReleaseStage, target: string): boolean {
  return stage.isForAll === true || stage[target] !== undefined;
}

/** The parts of a target in the stages up to one, each with its stage. After the last stage it is the whole. */
export function partsUpTo(
  policy: StagePlan | undefined,
  stage: number,
  { name, whole }: Pick<Target, 'name' | 'whole'>,
): readonly { readonly stage: number; readonly where: unknown }[] {
  const stages = policy === undefined ? [] : stagesOf(policy);
  const parts = stages.slice(0, stage + 1).flatMap((one, index) => {
    const where = one.isForAll === true ? whole : one[name];
    return where === undefined ? [] : [{ stage: index, where }];
  });
  return stage < stages.length ? parts : [...parts, { stage, where: whole }];
}
