import { Refusal } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { paceAnswer } from '#kernel/http/paced-answer.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import { eventFor, type Selection } from './selection.ts';
import { checkListOptions } from './list-options.ts';
import type { Representation } from './representation.ts';
import type { Query, Target } from './request.ts';
import { failureStatus } from './status.ts';

const LIMITS = {
  /** How often a watcher that asked for bookmarks gets one. */
  bookmarkMs: 30_000,
  /** How often one of our own followers does, which reckons by it how old is what it has. */
  batchBookmarkMs: 3_000,
  /** Watches end after half an hour to an hour, spread so that clients do not all come back at once. */
  timeoutSecondsDefault: 1_800,
  timeoutSecondsMax: 24 * 3_600,
} as const;

/** A store that was known to show everything so long ago counts as current. */
export const CURRENT_MS_MAX = 3_000;

/** Tells that everything that there was at the start has been sent. */
const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

export interface WatchMetrics {
  readonly opened: () => void;
  readonly closed: () => void;
  readonly droppedAsSlow: () => void;
}

/**
 * Streams changes as JSON lines until the client goes, the time is up, or the client is too slow: one that takes nothing
 * for a minute is cut off. Events are read from the store as the client takes them, so a slow client holds one piece of
 * text. A version that is no longer kept is answered by one ERROR event with code 410, so that informers list anew.
 */
export function watch(
  exchange: Exchange,
  store: Store<Operation>,
  target: Target,
  query: Query,
  selection: Selection,
  shown: Representation,
  kinds: KindRegistry,
  metrics: WatchMetrics,
): void {
  checkListOptions(query);
  const { response } = exchange;
  const { kind } = target;
  const inScope = (entry: Entry) =>
    (target.namespace === undefined || target.namespace === '' || entry.namespace === target.namespace) &&
    selection.matches(entry);
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
    'x-request-id': exchange.requestId,
  });
  const from = Number(query.resourceVersion ?? 0);
  let position = from;
  let isUpToDate = false;
  let isBookmarkDue = false;
  const lines = events();
  metrics.opened();
  const answer = paceAnswer(response, {
    next: () => {
      const { done, value } = lines.next();
      isUpToDate = done !== true && value === undefined;
      return done === true ? null : value;
    },
    wrote: (chars) => exchange.chargeAnswer(chars),
    stalled: dropped,
    failed: (error) => {
      if (!(error instanceof Refusal)) {
        exchange.log.error({ err: error, kind: kind.id }, 'a watch failed');
        return void response.destroy();
      }
      if (error.reason === 'Expired' && position !== from) dropped();
      response.end(lineOf('ERROR', JSON.stringify(failureStatus(error))));
    },
  });
  response.flushHeaders();
  const unsubscribe = store.subscribe(answer.wake);
  const bookmarks = query.allowWatchBookmarks
    ? setInterval(tellBookmark, query.batchBookmarks ? LIMITS.batchBookmarkMs : LIMITS.bookmarkMs)
    : undefined;
  const seconds = Math.min(
    query.timeoutSeconds || LIMITS.timeoutSecondsDefault * (1 + Math.random()),
    LIMITS.timeoutSecondsMax,
  );
  const end = setTimeout(finish, seconds * 1000);
  exchange.closing.addEventListener('abort', finish, { once: true });
  // Of a kind that is gone there is nothing more to tell.
  const unsubscribeKinds = kinds.subscribe(() => {
    if (!kinds.has(kind)) finish();
  });
  response.once('close', () => {
    unsubscribe();
    unsubscribeKinds();
    clearInterval(bookmarks);
    clearTimeout(end);
    exchange.closing.removeEventListener('abort', finish);
    metrics.closed();
  });

  /** The lines of the watch; undefined where there is nothing more for now. */
  function* events(): Generator<string | undefined, void> {
    // A version that is yet to come: what is newer than it is shown once it is there.
    while (store.version() < from) yield undefined;
    if (query.sendInitialEvents ?? from === 0) {
      position = store.version();
      const namespace = target.namespace === '' ? undefined : target.namespace;
      for (const entry of store.list(kind, { namespace })) {
        if (selection.matches(entry)) yield lineOf('ADDED', shown.event(entry));
      }
    } else if (from === 0) position = store.version();
    else yield* changed();
    if (query.batchBookmarks) yield bookmark();
    else if (query.sendInitialEvents === true && query.allowWatchBookmarks) yield bookmark(INITIAL_EVENTS_END);
    for (;;) {
      const passed = yield* changed();
      if (isBookmarkDue || (query.batchBookmarks && passed > 0)) yield bookmark();
      isBookmarkDue = false;
      // What was written while the reader was slow has woken nobody.
      if (position === store.version()) yield undefined;
    }
  }

  /** The changes since the position, which it moves on; returns how many of them the watch shows. */
  function* changed(): Generator<string, number> {
    const upTo = store.version();
    let passed = 0;
    for (const change of store.changesSince(position, kind)) {
      const event = eventFor(change, inScope);
      if (event === undefined) continue;
      passed += 1;
      yield lineOf(event.type, shown.event(event.entry));
    }
    position = upTo;
    return passed;
  }

  function tellBookmark(): void {
    // By its silence a follower knows that what it has may be old.
    if (query.batchBookmarks && store.behindMs() > CURRENT_MS_MAX) return;
    isBookmarkDue = true;
    answer.wake();
  }

  function finish(): void {
    if (query.allowWatchBookmarks && isUpToDate) tellBookmark();
    response.end();
  }

  function dropped(): void {
    metrics.droppedAsSlow();
    exchange.log.warn({ kind: kind.id }, 'a watcher was too slow and was dropped');
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

function lineOf(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}
