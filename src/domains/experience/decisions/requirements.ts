import type { FlagSpec } from '../kinds/flag-spec.ts';
import type { Flags, FlagSource } from './flag-source.ts';
import type { Evaluation, Outcome } from './table.ts';

/** A required flag with its permitted variants, and the outcome while it is in error. */
export interface Requirement {
  readonly flag: string;
  readonly variants: ReadonlySet<string>;
  readonly inError: Readonly<Record<NonNullable<Outcome['error']>['code'], Outcome>>;
}

export function compileRequires({ keys, make }: FlagSource, declared: FlagSpec['requires']): readonly Requirement[] {
  return (declared ?? []).map(({ flag, variants }) => {
    const message = `It requires flag "${flag}", which is in error for this context.`;
    const failing = (code: NonNullable<Outcome['error']>['code']) =>
      make({ reason: 'ERROR', error: { code, message } });
    return {
      flag: keys.get(flag) ?? flag,
      variants: new Set(variants),
      inError: {
        TARGETING_KEY_MISSING: failing('TARGETING_KEY_MISSING'),
        INVALID_CONTEXT: failing('INVALID_CONTEXT'),
        GENERAL: failing('GENERAL'),
      },
    };
  });
}

/**
 * Whether all requirements hold. If a required flag is in error and no other requirement fails, that error is
 * the outcome.
 */
export function areMet(requires: readonly Requirement[], evaluation: Evaluation, flags: Flags): boolean | Outcome {
  let failing: Outcome | undefined;
  for (const { flag, variants, inError } of requires) {
    const decided = flags.get(flag)?.decide(evaluation, flags);
    if (decided?.error !== undefined) failing ??= inError[decided.error.code];
    else if (decided?.variant === undefined || !variants.has(decided.variant)) return false;
  }
  return failing ?? true;
}
