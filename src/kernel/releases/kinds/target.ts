import type { TSchema } from 'typebox';
import type { Clock } from '#kernel/base/clock.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import type { ControllerParts, ModuleController } from '#kernel/controllers/module-controller.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Carried, ReleaseSpec } from './release-spec.ts';

export interface PlannedRelease {
  readonly name: string;
  readonly spec: ReleaseSpec;
}

/** A release with the object from which a step was decided: Heads are written only while it is still that one. */
export interface CarriedRelease extends PlannedRelease {
  readonly object: ResourceObject;
}

/** As much of a release as one target carries: the objects of its kinds. */
interface TargetRelease {
  readonly name: string;
  readonly objects: readonly Carried[];
}

/** The part that one stage of a policy has for a target. */
export interface StagePart<Where> {
  readonly stage: number;
  /** What the stage is called. */
  readonly name: string;
  readonly where: Where;
}

/** What is wrong with the part of a stage; the path begins in the part. */
export interface PartProblem extends Problem {
  readonly stage: number;
}

/** An object that the part of a stage names, at its path in the part. */
export interface PartRef {
  readonly path: Path;
  readonly kind: string;
  readonly name: string;
  /** Whether it decides who gets the change: then it stays as it is while somebody has the release. */
  readonly decides: boolean;
}

/** How a stage splits units into those who get the change and those who do not: what guardrails compare. */
export interface Split {
  /** What is split, by its name. */
  readonly unit: string;
  /** From 0 to 1. */
  readonly share: number;
  /** The same for stages that split the same units. */
  readonly scope: string;
}

export type PlaceState = 'healthy' | 'progressing' | 'failed' | 'unknown';

/** How one place of a target stands: a cluster, a project, the decision plane. */
export interface PlaceObservation {
  readonly name: string;
  /** What the Heads say it should have, and what it was last seen to have. */
  readonly wanted: string;
  readonly observed?: string;
  /**
   * `healthy` only where what is observed is what is wanted; `failed` where what is observed does not work, or what is wanted
   * cannot come; `unknown` where it was not heard of for too long.
   */
  readonly state: PlaceState;
  readonly message?: string;
  /** When its informer last saw it; absent: never. */
  readonly observedAtMs?: number;
}

/** Whether taking a release back undoes what it did to an object, keeps what it made, or cannot undo it. */
export type Undo = 'exact' | 'keep' | 'none';

interface PlannedAction {
  readonly kind: string;
  readonly name: string;
  readonly undo: Undo;
  /** What stays behind, in a sentence; for all but `exact`. */
  readonly remains?: string;
}

interface TargetPlan {
  /** What keeps the release from being shown there, in sentences. */
  readonly problems: readonly string[];
  /** One for each of the objects. */
  readonly actions: readonly PlannedAction[];
}

interface TargetParts {
  /** What is stored, as the process that writes has it: informers and followers write there what they saw. */
  readonly store: Pick<Store<never>, 'get' | 'find' | 'list'>;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
}

/**
 * Where changes of some kinds are shown: the decision plane, clusters, projects. The engine writes into Heads which revision
 * is wanted where; the target says what `where` means, and how far its places have come. The contract is held by
 * `testing/target-contract.ts`.
 */
export interface Target<Where = unknown> {
  readonly name: string;
  /** Of its part of a stage: an object. */
  readonly where: TSchema;
  /** The part that leaves nobody and no place out. */
  readonly whole: Where;
  readonly isWhole: (where: Where) => boolean;
  /** A part for docs. */
  readonly example: Where;
  /** What is wrong with the parts of a policy's stages, beyond the schema. */
  readonly check?: (parts: readonly StagePart<Where>[]) => readonly PartProblem[];
  readonly refs?: (where: Where) => readonly PartRef[];
  /** Absent: it splits no units, and there is nothing to compare. */
  readonly split?: (where: Where) => Split;
  /** How many units a part is about, of those that are on record by the values of a fact. */
  readonly unitsIn?: (where: Where, known: ReadonlyMap<string, number>) => number;
  /** Begins to observe, in the process that writes. */
  readonly open: (parts: TargetParts) => OpenTarget<Where>;
  /** Controllers that bring places to what Heads say, run where controllers run. Absent: Heads are all there is. */
  readonly follow?: (parts: ControllerParts) => readonly ModuleController[];
}

export interface OpenTarget<Where = unknown> {
  /**
   * What Heads say of a stage, from the parts of it and of those before. `before` is what they say so far: a place that has
   * come since gets no part in stages that were reached.
   */
  readonly aim: (release: string, parts: readonly Where[], before: unknown) => object;
  readonly plan: (release: TargetRelease) => Promise<TargetPlan>;
  /** Every place there is, as it was last seen: at once, and without asking anybody. One that was never seen is unknown. */
  readonly observe: (release: TargetRelease) => readonly PlaceObservation[];
}

/** A target whose parts fit each other: what its schema takes is what its functions are given. */
export function defineTarget<Where>(target: Target<Where>): Target {
  return target as unknown as Target;
}
