import type { Context } from '#kernel/audiences/language/language.ts';
import type { CompiledFlag, ExperienceTable } from './table.ts';

/** A unit whose variant may be on record. */
export interface RecordKey {
  readonly unit: string;
  readonly record: string;
}

/** What must be looked up before these flags can be decided, flags that they require included. */
export function recordsNeeded(
  table: ExperienceTable,
  flags: readonly CompiledFlag[],
  context: Context,
): readonly RecordKey[] {
  if (table.sticky.length === 0) return [];
  // Almost always all flags are asked about or none requires another: looking up one too many does no harm.
  const relevant = flags.some(({ sticky }) => sticky.length > 0) || flags.some(({ requires }) => requires);
  if (!relevant) return [];
  const asked = flags.some(({ requires }) => requires) ? table.sticky : flags;
  return asked.flatMap(({ sticky }) =>
    sticky.flatMap(({ record, unitOf }) => {
      const unit = unitOf(context);
      return unit === undefined ? [] : [{ unit, record }];
    }),
  );
}
