import type { TSchema } from 'typebox';
import type { Clock } from '#kernel/base/clock.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import type { ControllerParts, LocalRuntime, ModuleController } from '#kernel/controllers/module-controller.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { PlaceRequests } from './request-counts.ts';
import type { ReleaseItem, ReleaseSpec } from './release-spec.ts';

export interface PlannedRelease {
  readonly name: string;
  readonly spec: ReleaseSpec;
}

/** A release with the stored object from which a step was decided: Heads are written only while it is unchanged. */
export interface StoredRelease extends PlannedRelease {
  readonly object: ResourceObject;
}

/** The objects of a release that belong to one target. */
interface TargetRelease {
  readonly name: string;
  readonly objects: readonly ReleaseItem[];
}

/** The part of one stage for a target. */
export interface StagePart<Where> {
  readonly stage: number;
  /** Name of the stage. */
  readonly name: string;
  readonly where: Where;
}

/** A problem of the part of a stage; the path begins in the part. */
export interface PartProblem extends Problem {
  readonly stage: number;
}

/** An object that the part of a stage names, at its path in the part. */
export interface PartRef {
  readonly path: Path;
  readonly kind: string;
  readonly name: string;
  /** Whether it decides who gets the change: then it cannot change while a cohort has the release. */
  readonly decides: boolean;
}

/** How a stage splits units into candidate and stable, which guardrails compare. */
export interface Split {
  /** Name of the unit. */
  readonly unit: string;
  /** From 0 to 1. */
  readonly share: number;
  /** Equal for stages that split the same units. */
  readonly scope: string;
}

export type PlaceState = 'healthy' | 'progressing' | 'failed' | 'unknown';

/** State of one place of a target: a cluster, a project, the decision plane. */
export interface PlaceObservation {
  readonly name: string;
  /** The desired state by the Heads, and the last observed state. */
  readonly wanted: string;
  readonly observed?: string;
  /**
   * `healthy` only where the observed state is the desired one; `failed` where the observed state does not work, or the desired one
   * cannot come; `unknown` where the last observation is too old.
   */
  readonly state: PlaceState;
  readonly message?: string;
  /** Last observation of its informer; absent: never. */
  readonly observedAtMs?: number;
}

/** Whether a rollback undoes the effect on an object, keeps the created object, or cannot undo it. */
export type Undo = 'exact' | 'keep' | 'none';

interface PlannedAction {
  readonly kind: string;
  readonly name: string;
  readonly undo: Undo;
  /** The remainder, in a sentence; for all but `exact`. */
  readonly remains?: string;
}

interface TargetPlan {
  /** Reasons that block the release there, in sentences. */
  readonly problems: readonly string[];
  /** One for each of the objects. */
  readonly actions: readonly PlannedAction[];
}

interface TargetParts {
  /** The store of the writing process: informers and followers write their observations there. */
  readonly store: Pick<Store<never>, 'get' | 'find' | 'list'>;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
}

/** The requests of a release by place, of windows that begin in an interval. An exception counts as down. */
export type CountRequests = (
  release: TargetRelease,
  interval: { readonly fromMs: number; readonly toMs: number },
) => Promise<readonly PlaceRequests[]>;

/**
 * Where changes of some kinds go live: the decision plane, clusters, projects. The engine writes the desired revisions into Heads;
 * the target defines the meaning of `where` and observes its places. `testing/target-contract.ts` holds the contract.
 */
export interface Target<Where = unknown> {
  readonly name: string;
  /** Schema of its part of a stage: an object. */
  readonly where: TSchema;
  /** The part that covers all units and places. */
  readonly whole: Where;
  readonly isWhole: (where: Where) => boolean;
  /** The kinds (`Kind.id`) that it carries; absent: any. */
  readonly carries?: readonly string[];
  /** A part for the reference. */
  readonly example: Where;
  /** Problems of the parts of a policy's stages, beyond the schema. */
  readonly check?: (parts: readonly StagePart<Where>[]) => readonly PartProblem[];
  readonly refs?: (where: Where) => readonly PartRef[];
  /** Absent: it splits no units, and there is no comparison. */
  readonly split?: (where: Where) => Split;
  /** Number of units of a part, from the units on record by the values of a fact. */
  readonly unitsIn?: (where: Where, known: ReadonlyMap<string, number>) => number;
  /** Starts observation, in the process that writes. */
  readonly open: (parts: TargetParts) => OpenTarget<Where>;
  /** Counts the requests to both tracks, in the process that writes; absent: its places count none. */
  readonly countRequests?: (
    parts: TargetParts & { readonly localRuntime: Pick<LocalRuntime, 'directory'> | undefined },
  ) => CountRequests;
  /** Controllers that bring places to the state of the Heads; they run where controllers run. Absent: Heads suffice. */
  readonly follow?: (parts: ControllerParts) => readonly ModuleController[];
}

export interface OpenTarget<Where = unknown> {
  /**
   * The content of Heads for a stage, from its part and the earlier ones. `before` is their present content: a place that joined
   * since gets no part in stages that were reached.
   */
  readonly aim: (release: string, parts: readonly Where[], before: unknown) => object;
  readonly plan: (release: TargetRelease) => Promise<TargetPlan>;
  /** The last observation of every place, at once and without I/O. A place without observation is unknown. */
  readonly observe: (release: TargetRelease) => readonly PlaceObservation[];
}

/** A target with matching types: its functions take what its schema accepts. */
export function defineTarget<Where>(target: Target<Where>): Target {
  return target as unknown as Target;
}
