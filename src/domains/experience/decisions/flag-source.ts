import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { flagKey, flagSpec, type FlagSpec } from '../kinds/flag-spec.ts';
import { outcome } from './outcome.ts';
import type { Evaluation, CompiledFlag, Outcome } from './table.ts';

/** The other inputs of a flag's compilation, read now: the world may change later. */
export interface Beside {
  /** Running experiments on the flag, in evaluation order. */
  readonly running: readonly LiveObject[];
  readonly holdouts: ReadonlyMap<string, LiveObject>;
  /** Keys of required flags, by object name. */
  readonly keys: ReadonlyMap<string, string>;
  readonly audiences: AudienceTable;
}

/** Inputs of the compilation of one flag's parts. */
export interface FlagSource extends Beside {
  readonly name: string;
  readonly spec: FlagSpec;
  readonly key: string;
  /** Makes an outcome of this flag. */
  readonly make: (
    parts: Omit<Parameters<typeof outcome>[0], 'flag' | 'revision'> & { readonly revision?: string },
  ) => Outcome;
  readonly valueOf: (variant: string | undefined) => unknown;
}

export function flagSource(object: LiveObject, beside: Beside): FlagSource {
  const spec = flagSpec(object);
  const { name, revision } = object;
  const key = flagKey(name, spec);
  const values = new Map(spec.variants.map((variant) => [variant.name, variant.value]));
  return {
    ...beside,
    name,
    spec,
    key,
    make: (parts) => outcome({ flag: key, revision, ...parts }),
    valueOf: (variant) => (variant === undefined ? undefined : values.get(variant)),
  };
}

export type Flags = ReadonlyMap<string, CompiledFlag>;

/** A rule or an experiment: decides, or passes the listener on. */
export interface Step {
  readonly name: string;
  readonly take: (evaluation: Evaluation, flags: Flags) => Outcome | undefined;
  /** Effect on matching listeners, as a sentence. */
  readonly says: string;
  /** Why it does not match this context, as a sentence. */
  readonly whyNot: (evaluation: Evaluation, flags: Flags) => string;
}
