import type { ResourceObject } from '#kernel/resources/kind.ts';
import type { Exposure } from './engine/advance.ts';
import type { ReleaseSpec } from './kinds/release-spec.ts';

export interface PlannedRelease {
  readonly name: string;
  readonly spec: ReleaseSpec;
}

/** A release as a target gets it. */
export interface CarriedRelease extends PlannedRelease {
  /**
   * The Release object from which the step was decided. A target that writes to the store writes only while the object
   * is still that one; others use `name` and the step as the key of what they ask for, so that asking twice is once.
   */
  readonly object: ResourceObject;
}

/**
 * Where changes are shown: the decision plane, clusters, projects. Every call may be repeated, and may have had its effect
 * although it failed; what it came to is what `observe` says. The contract is held by `testing/target-contract.ts`.
 */
export interface Target {
  /**
   * What keeps the release from being shown to anybody, in sentences; none when nothing does. With `beside`, also when
   * what those releases show is shown to the same people.
   */
  readonly plan: (release: PlannedRelease, beside: readonly PlannedRelease[]) => Promise<readonly string[]>;
  /** Shows it to the cohort of a stage and of those before it, or to everybody for good. */
  readonly expose: (release: CarriedRelease, to: { readonly stage: number } | 'everybody') => Promise<void>;
  readonly observe: (release: PlannedRelease) => Exposure;
  /** Takes it back from everybody: what was live before is live again. */
  readonly retract: (release: CarriedRelease) => Promise<void>;
}
