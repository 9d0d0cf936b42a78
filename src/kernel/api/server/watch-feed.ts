import type { Kind } from '#kernel/kinds/kind.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { readAs } from '#kernel/store/rules/read-as.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { candidates } from '../list.ts';
import type { Representation } from '../representation.ts';
import type { Query } from '../request.ts';
import type { ResourceServer } from './context.ts';
import { eventFor, type Selection } from '../selection.ts';

/** Tells that everything that there was at the start has been sent. */
const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

/** The lines of one watch, read from the store as its reader takes them. */
export interface WatchFeed {
  /** The next line; undefined where there is nothing more for now. */
  readonly next: () => string | undefined;
  /** Whether there was nothing more when the last line was asked for. */
  readonly isUpToDate: () => boolean;
  /** Whether any change was shown, or passed over. */
  readonly hasMoved: () => boolean;
  /** Puts a bookmark after what there is. */
  readonly askBookmark: () => void;
}

/** The parts of a watch. */
interface WatchParts {
  readonly store: Pick<Store<Operation>, 'version' | 'find' | 'list' | 'changesSince'>;
  readonly kind: Kind;
  /** Undefined for all. */
  readonly namespace: string | undefined;
  readonly selection: Selection;
  readonly shown: Representation;
  readonly query: Query;
  readonly convert: ResourceServer['convert'];
  /** Called when there may be more. */
  readonly wake: () => void;
}

/** Waits until a version can show these entries. Throws the Refusal of the conversion. */
function* convertFirst({ kind, convert, wake }: WatchParts, entries: readonly Entry[]): Generator<undefined, void> {
  const converting = convert(kind, entries);
  if (converting === undefined) return;
  let result: { readonly failure?: unknown } | undefined;
  converting
    .then(
      () => (result = {}),
      (failure: unknown) => (result = { failure }),
    )
    .finally(wake);
  while (result === undefined) yield undefined;
  if (result.failure !== undefined) throw result.failure;
}

export function watchFeed(of: WatchParts): WatchFeed {
  const { store, kind, namespace, selection, shown, query } = of;
  const from = Number(query.resourceVersion ?? 0);
  let position = from;
  let isUpToDate = false;
  let isBookmarkDue = false;
  const inScope = (entry: Entry) =>
    (namespace === undefined || entry.namespace === namespace) && selection.matches(entry);
  const lines = events();
  return {
    next: () => {
      const { value } = lines.next();
      isUpToDate = value === undefined;
      return value ?? undefined;
    },
    isUpToDate: () => isUpToDate,
    hasMoved: () => position !== from,
    askBookmark: () => {
      isBookmarkDue = true;
    },
  };

  function* events(): Generator<string | undefined, void> {
    // A version that is yet to come: what is newer than it is shown once it is there.
    while (store.version() < from) yield undefined;
    if (query.sendInitialEvents ?? from === 0) {
      position = store.version();
      const found = candidates(store, kind, selection, { namespace });
      if (kind.definition?.webhook !== undefined) yield* convertFirst(of, [...found]);
      for (const entry of found) {
        if (selection.matches(entry)) yield lineOf('ADDED', shown.event(entry));
      }
    } else if (from === 0) position = store.version();
    else yield* sendChanges();
    if (query.batchBookmarks) yield bookmark();
    else if (query.sendInitialEvents === true && query.allowWatchBookmarks) yield bookmark(INITIAL_EVENTS_END);
    for (;;) {
      const passed = yield* sendChanges();
      if (isBookmarkDue || (query.batchBookmarks && passed > 0)) yield bookmark();
      isBookmarkDue = false;
      // A write while the reader was slow woke nobody.
      if (position === store.version()) yield undefined;
    }
  }

  /** The changes since the position, which it moves on; returns how many of them the watch shows. */
  function* sendChanges(): Generator<string | undefined, number> {
    const upTo = store.version();
    let passed = 0;
    for (const change of store.changesSince(position, kind)) {
      const { entry, before } = change;
      if (kind.definition?.webhook !== undefined)
        yield* convertFirst(of, before === undefined ? [entry] : [entry, before]);
      const event = eventFor(change, inScope, (one) => readAs(kind, one));
      if (event === undefined) continue;
      passed += 1;
      yield lineOf(event.type, shown.event(event.entry));
    }
    position = upTo;
    return passed;
  }

  function bookmark(annotations?: Readonly<Record<string, string>>): string {
    const metadata = {
      resourceVersion: String(position),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    };
    return lineOf('BOOKMARK', shown.bookmark(kind, metadata));
  }
}

export function lineOf(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}
