import type { Kind } from '#kernel/kinds/kind.ts';
import type { QueuedObject } from './change-queue.ts';
import type { DispatchState } from './dispatch-state.ts';
import { releasedKind } from './unknown-kinds.ts';

/**
 * Follows definitions, which may have their objects released from now on, or no longer, or change a schema. Returns the function that
 * ends it.
 *
 * @param onChange gets kinds that are released from now on, or by another definition; and objects of theirs that were no longer valid
 */
export function followReleasedKinds(
  { kinds, held, faults }: Pick<DispatchState, 'kinds' | 'held' | 'faults'>,
  onChange: (changed: readonly Kind[], faulty: readonly QueuedObject[]) => void,
): () => void {
  let released = kinds.all.filter((kind) => kind.released);
  return kinds.subscribe(() => {
    const before = new Set(released);
    released = kinds.all.filter((kind) => kind.released);
    const changed = new Map(released.filter((kind) => !before.has(kind)).map((kind) => [kind.id, kind]));
    for (const [key, { kind }] of held) if (releasedKind(kinds, kind) === undefined) held.delete(key);
    const faulty: QueuedObject[] = [];
    for (const [key, { kind, name }] of faults) {
      if (changed.has(kind)) faulty.push({ kind, name, origins: [] });
      if (changed.has(kind) || releasedKind(kinds, kind) === undefined) faults.delete(key);
    }
    if (changed.size === 0) return;
    onChange([...changed.values()], faulty);
  });
}
