import type { Target } from './target.ts';
import type { PolicySpec, Stage } from './policy-spec.ts';

/** What the stage of a bake is called. */
export const BAKE = 'bake';

type Staged = Pick<PolicySpec, 'stages' | 'bake'>;

/** A stage that a release goes through. That of a bake is for everybody and every place, of each target. */
export interface ReleaseStage extends Stage {
  readonly isForAll?: true;
}

/**
 * The stages that a release goes through: those of its policy and, with a bake, a last one in which everybody has the
 * change. Nothing has to pass there, and what fails takes it back all the same.
 */
export function stagesOf({ stages, bake }: Staged): readonly ReleaseStage[] {
  if (bake === undefined || stages.length === 0) return stages;
  const { maxUnknown = 0 } = stages.at(-1) ?? {};
  return [...stages, { name: BAKE, soak: bake, promote: 'auto', maxUnknown, isForAll: true }];
}

export function isBake({ stages }: Staged, stage: number): boolean {
  return stage >= stages.length;
}

/** Whether a stage says something of a target. */
export function hasPart(stage: ReleaseStage, target: string): boolean {
  return stage.isForAll === true || stage[target] !== undefined;
}

/** The parts that a target has in the stages up to one, each with its stage. Behind the last stage it has all there is. */
export function partsUpTo(
  policy: Staged | undefined,
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
