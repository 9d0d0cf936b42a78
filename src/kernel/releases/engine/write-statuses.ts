import { Refusal } from '#kernel/base/failures.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import { isConflict, isPassing } from './engine-errors.ts';
import { findFailingItems } from './find-failing-items.ts';
import { heldOperation, statusOperation, type ObjectStatus } from './go-live.ts';
import type { ObjectRef } from './object-ref.ts';
import { DISPATCH_AUTHOR, type DispatchState } from './dispatch-state.ts';

/** Operations in one write: the largest change set goes live in one step, with its record. */
const WRITE_MAX = 10_100;

/** The status of an object; of a deleted one, in its Head. */
export function statusOf(
  { store, clock }: Pick<DispatchState, 'store' | 'clock'>,
  { kind, name }: ObjectRef,
  live: LiveObject | undefined,
  standing: ObjectStatus,
): Operation[] {
  const entry = findEntry(store, kind, name);
  if (entry === undefined) return heldOperation(store, { kind, name }, standing, clock());
  return statusOperation(entry, live, standing, clock());
}

/** Writes statuses; a refused one does not block the others. */
export async function writeStatuses(
  { store, logError }: Pick<DispatchState, 'store' | 'logError'>,
  operations: readonly Operation[],
): Promise<void> {
  for (const some of chunks(operations)) {
    const failing = await findFailingItems(some, (part) => store.write(part, DISPATCH_AUTHOR), isPassing);
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
