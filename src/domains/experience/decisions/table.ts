import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { WorldDigest } from '#kernel/snapshots/world-digest.ts';

/** Why a flag has its value, in the words of OpenFeature that OFREP knows. */
export type Reason = 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'ERROR';

/** One way in which a flag can turn out. Made when the table is compiled, and shared by all who get it. */
export interface Outcome {
  readonly flag: string;
  /** Content hash of the spec that decided: the flag's, or the experiment's. */
  readonly revision: string;
  readonly reason: Reason;
  /** Absent: the default in the code. */
  readonly variant: string | undefined;
  /** Frozen, through and through: all who get it share it. */
  readonly value: unknown;
  /** The rule that decided. */
  readonly rule: string | undefined;
  readonly experiment: Participation | undefined;
  /** The holdout that keeps the unit out of the experiment of the flag. */
  readonly holdout: string | undefined;
  /** Attributes of which the first that is there was put into buckets; undefined where nothing was. */
  readonly unit: readonly string[] | undefined;
  readonly error:
    | { readonly code: 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT' | 'GENERAL'; readonly message: string }
    | undefined;
  /** The answer as OFREP has it. */
  readonly json: string;
  /** Digest of `json`. */
  readonly digest: number;
}

/** A part in an experiment. */
export interface Participation {
  readonly name: string;
  readonly iteration: number;
  /** Names the assignment in exposures: experiment, iteration, variant and revision. */
  readonly assignmentId: string;
  /** Under which name, and for how long, the variant is to be put on record; undefined when it is not, or is already. */
  readonly keep: { readonly record: string; readonly days: number } | undefined;
}

/** A question about flags. */
export interface Asked {
  readonly context: Context;
  readonly nowMs: number;
  /** Attributes whose value is of the wrong type, and what is wrong: see `wrongValues`. */
  readonly wrong?: ReadonlyMap<string, string>;
  /** A number in [0, 1): for flags that split at random. */
  readonly random: () => number;
  /** Variants to serve whatever the rules say, by flag: for developers and tests. */
  readonly forced?: Readonly<Record<string, string>>;
  /** Variants that are on record for the unit, by the name of the record; undefined when the record cannot be read. */
  readonly kept?: ReadonlyMap<string, string>;
}

/** What one look at a rule or an experiment said. */
export interface Look {
  readonly step: string;
  readonly says: string;
}

export interface CompiledFlag {
  /** The name of the object. */
  readonly name: string;
  /** What it is compiled from. */
  readonly object: LiveObject;
  /** The name that the code asks for. */
  readonly key: string;
  readonly revision: string;
  readonly decide: (asked: Asked, flags: ReadonlyMap<string, CompiledFlag>) => Outcome;
  /** What is looked at for a question, in order, up to what decides. */
  readonly looks: (asked: Asked, flags: ReadonlyMap<string, CompiledFlag>) => readonly Look[];
  /** The outcome for each variant when it is forced. */
  readonly forced: ReadonlyMap<string, Outcome>;
  /** The experiments that run on it, in the order in which they are asked. */
  readonly experiments: readonly string[];
  /** Records that its experiments must know, and the unit that they are of. */
  readonly sticky: readonly { readonly record: string; readonly unitOf: (context: Context) => string | undefined }[];
  /** Whether it depends on other flags. */
  readonly requires: boolean;
}

export interface ExperienceTable {
  /** By key. */
  readonly flags: ReadonlyMap<string, CompiledFlag>;
  /** All of them, ordered by key; put in order when they are first asked for. */
  readonly inOrder: () => readonly CompiledFlag[];
  /** Those with experiments that keep variants on record. */
  readonly sticky: readonly CompiledFlag[];
  readonly audiences: AudienceTable;
  /** Changes when anything changes that flags are decided by. */
  readonly tag: string;
  /** What the tag is made of: the flags, and everything else. */
  readonly digests: { readonly flags: WorldDigest; readonly others: WorldDigest };
}
