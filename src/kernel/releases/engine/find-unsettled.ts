import type { Steps } from '#kernel/base/turns.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import type { DispatchParts } from './dispatch-state.ts';
import { isSettled } from './go-live.ts';

interface ObjectName {
  readonly kind: string;
  readonly name: string;
}

/**
 * Finds objects whose declared state is not live, at the start: nearly all are live. Pauses after each, and stops when it is no
 * longer wanted.
 */
export function* findUnsettled(
  { store, live, kinds, open }: Pick<DispatchParts, 'store' | 'live' | 'kinds' | 'open'>,
  isWanted: () => boolean,
  onFound: (object: ObjectName) => void,
): Steps<void> {
  const released = kinds.all.filter((kind) => kind.released);
  for (const kind of released) {
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
  for (const kind of released) {
    for (const { name } of live.list(kind.id)) {
      if (!isWanted()) return;
      if (findEntry(store, kind, name) === undefined) onFound({ kind: kind.id, name });
      yield;
    }
  }
}
