import type { Log } from '#kernel/base/log.ts';
import type { ProtocolContext } from '#kernel/snapshots/module.ts';
import type { AssignmentStore, AssignmentEntry } from './records/assignments.ts';
import { requiredRecords } from './decisions/required-records.ts';
import type { Evaluation, CompiledFlag, ExperienceTable, Outcome } from './decisions/table.ts';

/**
 * Decides flags for one context with the variants on record for its units, and records new ones. Synchronous
 * when no record is needed. If the record cannot be read or written, flags that need it become errors: a
 * listener never changes variant silently.
 */
export function decideWithRecord(
  table: ExperienceTable,
  flags: readonly CompiledFlag[],
  evaluation: Evaluation,
  record: {
    readonly store: AssignmentStore | undefined;
    readonly request: Pick<ProtocolContext<ExperienceTable>, 'now' | 'limit'>;
    readonly log: Log;
  },
): readonly Outcome[] | Promise<readonly Outcome[]> {
  const decideAll = (kept: ReadonlyMap<string, string> | undefined): readonly Outcome[] => {
    const question = kept === undefined ? evaluation : { ...evaluation, kept };
    return flags.map((flag) => flag.decide(question, table.flags));
  };
  const needed = requiredRecords(table, flags, evaluation.context);
  if (needed.length === 0) return decideAll(NONE);
  const { store, request, log } = record;
  const { now } = request;
  if (store === undefined) return decideAll(undefined);
  return decideAndKeep(store).catch((error: unknown) => {
    log.warn({ error: String(error) }, 'assignments: cannot read or write sticky variants');
    return decideAll(undefined);
  });

  async function decideAndKeep(assignments: AssignmentStore): Promise<readonly Outcome[]> {
    const kept = new Map(await assignments.read(needed, now));
    const outcomes = decideAll(kept);
    const units = new Map(needed.map(({ unit, record: name }) => [name, unit]));
    const fresh = outcomes.flatMap(({ experiment, variant }): AssignmentEntry[] => {
      const keep = experiment?.keep;
      const unit = keep === undefined ? undefined : units.get(keep.record);
      return keep === undefined || unit === undefined || variant === undefined ? [] : [{ unit, variant, ...keep }];
    });
    // The client has gone: no listener gets the variant, so nothing is recorded.
    if (fresh.length === 0 || request.limit.signal.aborted) return outcomes;
    const recorded = await assignments.keep(fresh, now);
    const moved = fresh.some(({ record: name, variant }) => recorded.get(name) !== variant);
    // Another process recorded first, with another split: the record wins.
    return moved ? decideAll(new Map([...kept, ...recorded])) : outcomes;
  }
}

const NONE: ReadonlyMap<string, string> = new Map();
