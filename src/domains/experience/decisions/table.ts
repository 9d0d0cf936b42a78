import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { WorldDigest } from '#kernel/snapshots/world-digest.ts';

/** Why a flag has its value: OpenFeature reasons that OFREP knows. */
export type Reason = 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'ERROR';

/** One possible outcome of a flag, prepared at compile time and shared by all answers. */
export interface Outcome {
  readonly flag: string;
  /** Content hash of the spec that decided: of the flag or the experiment. */
  readonly revision: string;
  readonly reason: Reason;
  /** Absent: the default in the code. */
  readonly variant: string | undefined;
  /** Deep-frozen, as all answers share it. */
  readonly value: unknown;
  /** The decisive rule. */
  readonly rule: string | undefined;
  readonly experiment: Participation | undefined;
  /** The holdout that excludes the unit from the experiment. */
  readonly holdout: string | undefined;
  /** Unit attributes in order of preference; undefined without bucketing. */
  readonly unit: readonly string[] | undefined;
  readonly error:
    | { readonly code: 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT' | 'GENERAL'; readonly message: string }
    | undefined;
  /** The OFREP answer. */
  readonly json: string;
  /** Digest of `json`. */
  readonly digest: number;
}

/** Participation in an experiment. */
export interface Participation {
  readonly name: string;
  readonly iteration: number;
  /** Assignment id in exposures: experiment, iteration, variant and revision. */
  readonly assignmentId: string;
  /** Record name and retention of the variant; undefined when it is not kept, or is on record already. */
  readonly keep: { readonly record: string; readonly days: number } | undefined;
}

/** An evaluation request. */
export interface Evaluation {
  readonly context: Context;
  readonly nowMs: number;
  /** Attributes with a value of the wrong type, and the type error: see `wrongValues`. */
  readonly wrong?: ReadonlyMap<string, string>;
  /** A number in [0, 1), for flags with a random split. */
  readonly random: () => number;
  /** Forced variants by flag, for developers and tests. */
  readonly forced?: Readonly<Record<string, string>>;
  /** Recorded variants of the unit, by record name; undefined when the record cannot be read. */
  readonly kept?: ReadonlyMap<string, string>;
}

/** One evaluation step: the result of a rule or an experiment. */
export interface EvaluationStep {
  readonly step: string;
  readonly says: string;
}

export interface CompiledFlag {
  /** The name of the object. */
  readonly name: string;
  /** The object that it compiles from. */
  readonly object: LiveObject;
  /** The key that code uses. */
  readonly key: string;
  readonly revision: string;
  readonly decide: (evaluation: Evaluation, flags: ReadonlyMap<string, CompiledFlag>) => Outcome;
  /** The evaluation steps, in order, up to the decisive one. */
  readonly stepsOf: (evaluation: Evaluation, flags: ReadonlyMap<string, CompiledFlag>) => readonly EvaluationStep[];
  /** The outcome for each variant when it is forced. */
  readonly forced: ReadonlyMap<string, Outcome>;
  /** Running experiments on the flag, in evaluation order. */
  readonly experiments: readonly string[];
  /** Records that its experiments read, with their unit. */
  readonly sticky: readonly { readonly record: string; readonly unitOf: (context: Context) => string | undefined }[];
  /** Whether it requires other flags. */
  readonly requires: boolean;
}

export interface ExperienceTable {
  /** By key. */
  readonly flags: ReadonlyMap<string, CompiledFlag>;
  /** All flags, ordered by key; sorted at first use. */
  readonly inOrder: () => readonly CompiledFlag[];
  /** Flags with experiments that keep variants on record. */
  readonly sticky: readonly CompiledFlag[];
  readonly audiences: AudienceTable;
  /** Changes whenever an input of flag decisions changes. */
  readonly tag: string;
  /** Inputs of the tag: flags, and everything else. */
  readonly digests: { readonly flags: WorldDigest; readonly others: WorldDigest };
}
