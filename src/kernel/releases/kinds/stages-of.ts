import type { PolicySpec, Stage } from './policy-spec.ts';

/** What the stage of a bake is called. */
export const BAKE = 'bake';

type Staged = Pick<PolicySpec, 'stages' | 'bake'>;

/**
 * The stages that a release goes through: those of its policy and, with a bake, a last one in which everybody has the
 * change. Nothing has to pass there, and what fails takes it back all the same.
 */
export function stagesOf({ stages, bake }: Staged): readonly Stage[] {
  if (bake === undefined || stages.length === 0) return stages;
  return [...stages, { name: BAKE, percent: 100, soak: bake, promote: 'auto' }];
}

export function isBake({ stages }: Staged, stage: number): boolean {
  return stage >= stages.length;
}
