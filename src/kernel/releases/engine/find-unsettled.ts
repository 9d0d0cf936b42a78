import type { Steps } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import type { DispatchParts } from './dispatch-state.ts';
import { isSettled } from './go-live.ts';

interface ObjectName {
  readonly kind: string;
  readonly name: string;
}

/**
 * Finds objects of these kinds whose declared state is not live: nearly all are live. Pauses after each, and stops when it is no
 * longer wanted.
 */
export function* findUnsettled(
  { store, live, open }: Pick<DispatchParts, 'store' | 'live' | 'open'>,
  kinds: readonly Kind[],
  isWanted: () => boolean,
  onFound: (object: ObjectName) => void,
): Steps<void> {
  for (const kind of kinds) {
    for (const entry of store.list(kind)) {
      if (!isWanted()) return;
      const name = liveNameOf(entry);
      if (open.carriersOf(kind.id, name).length > 0 || !isSettled(entry, live.get(kind.id, name))) {
        onFound({ kind: kind.id, name });
      }
      yield;
    }
  }
  // A live object without a declaration has to be removed.
  for (const kind of kinds) {
    for (const { name } of live.list(kind.id)) {
      if (!isWanted()) return;
      if (findEntry(store, kind, name) === undefined) onFound({ kind: kind.id, name });
      yield;
    }
  }
}
