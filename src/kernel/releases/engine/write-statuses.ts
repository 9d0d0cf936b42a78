import { Refusal } from '#kernel/base/failures.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { entryNamed } from '#kernel/store/entry-named.ts';
import { isConflict, isPassing } from './engine-errors.ts';
import { failingAlone } from './failing-alone.ts';
import { heldOperation, statusOperation, type ObjectStatus } from './go-live.ts';
import type { ObjectRef } from './object-ref.ts';
import { SPREAD_AUTHOR, type SpreadState } from './spread-state.ts';

/** Operations in one write: the largest change set goes live in one step, with its record. */
const WRITE_MAX = 10_100;

/** The status of an object; of a deleted one, in its Head. */
export function statusOf(
  { store, clock }: Pick<SpreadState, 'store' | 'clock'>,
  { kind, name }: ObjectRef,
  live: LiveObject | undefined,
  standing: ObjectStatus,
): Operation[] {
  const entry = entryNamed(store, kind, name);
  if (entry === undefined) return heldOperation(store, { kind, name }, standing, clock());
  return statusOperation(entry, live, standing, clock());
}

/** Writes statuses; a refused one does not block the others. */
export async function writeStatuses(
  { store, logError }: Pick<SpreadState, 'store' | 'logError'>,
  operations: readonly Operation[],
): Promise<void> {
  for (const some of chunks(operations)) {
    const failing = await failingAlone(some, (part) => store.write(part, SPREAD_AUTHOR), isPassing);
    for (const [operation, error] of failing) {
      // An object that was changed or deleted meanwhile is processed anew.
      const isNews = isConflict(error) || (error instanceof Refusal && error.reason === 'NotFound');
      if (!isNews) logError(error, 'releases: cannot write the status of an object', { kind: operation.kind });
    }
  }
}

export function* chunks(operations: readonly Operation[]): Iterable<readonly Operation[]> {
  for (let from = 0; from < operations.length; from += WRITE_MAX) yield operations.slice(from, from + WRITE_MAX);
}
