import type { Context } from '#kernel/audiences/language/language.ts';
import type { CompiledFlag, ExperienceTable } from './table.ts';

/** A unit whose variant may be on record. */
export interface RecordKey {
  readonly unit: string;
  readonly record: string;
}

/** Records to look up before these flags and the flags that they require can be decided. */
export function requiredRecords(
  table: ExperienceTable,
  flags: readonly CompiledFlag[],
  context: Context,
): readonly RecordKey[] {
  if (table.sticky.length === 0) return [];
  // Usually all flags are evaluated or none requires another; a superfluous lookup is harmless.
  const relevant = flags.some(({ sticky }) => sticky.length > 0) || flags.some(({ requires }) => requires);
  if (!relevant) return [];
  const relevantFlags = flags.some(({ requires }) => requires) ? table.sticky : flags;
  return relevantFlags.flatMap(({ sticky }) =>
    sticky.flatMap(({ record, unitOf }) => {
      const unit = unitOf(context);
      return unit === undefined ? [] : [{ unit, record }];
    }),
  );
}
