import { Refusal } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { Operation } from '../operation.ts';
import type { Change, Entry, Store } from '../store-contract.ts';
import { requireKnownVersion } from './list.ts';
import { eventFor, type Selection } from './selection.ts';
import { checkListOptions } from './list-options.ts';
import type { Representation } from './representation.ts';
import type { Query, Target } from './request.ts';
import { failureStatus } from './status.ts';

const LIMITS = {
  /** A watcher that has this much unsent is too slow: it is dropped, and lists anew when it comes back. */
  unsentBytesMax: 8 * 1024 * 1024,
  /** How often a watcher that asked for bookmarks gets one. */
  bookmarkMs: 30_000,
  /** Watches end after half an hour to an hour, spread so that clients do not all come back at once. */
  timeoutSecondsDefault: 1_800,
  timeoutSecondsMax: 24 * 3_600,
} as const;

/** Tells that everything that there was at the start has been sent. */
const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

export interface WatchMetrics {
  readonly opened: () => void;
  readonly closed: () => void;
  readonly droppedAsSlow: () => void;
}

/**
 * Streams changes as JSON lines until the client goes, the time is up, or the client is too slow. A version that is no
 * longer kept is answered by one ERROR event with code 410, so that informers list anew.
 */
export function watch(
  exchange: Exchange,
  store: Store<Operation>,
  target: Target,
  query: Query,
  selection: Selection,
  shown: Representation,
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
  const line = (type: string, object: string) => response.write(`{"type":"${type}","object":${object}}\n`);

  const from = Number(query.resourceVersion ?? 0);
  let position = store.version();
  try {
    requireKnownVersion(store, from);
    if (query.sendInitialEvents ?? from === 0) {
      for (const entry of store.list(kind, { namespace: target.namespace === '' ? undefined : target.namespace })) {
        if (selection.matches(entry)) line('ADDED', shown.event(entry));
      }
    } else if (from > 0) {
      for (const change of store.changesSince(from, kind)) pass(change);
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    line('ERROR', JSON.stringify(failureStatus(error)));
    response.end();
    return;
  }
  if (query.batchBookmarks) bookmark();
  else if (query.sendInitialEvents === true && query.allowWatchBookmarks) bookmark(INITIAL_EVENTS_END);
  response.flushHeaders();
  metrics.opened();

  const unsubscribe = store.subscribe((changes) => {
    let passed = 0;
    for (const change of changes) if (change.entry.kind === kind) passed += pass(change);
    position = changes.at(-1)?.version ?? position;
    if (query.batchBookmarks && passed > 0) bookmark();
    if (response.writableLength > LIMITS.unsentBytesMax) {
      metrics.droppedAsSlow();
      exchange.log.warn(
        { kind: kind.id, unsentBytes: response.writableLength },
        'a watcher was too slow and was dropped',
      );
      response.destroy();
    }
  });
  const bookmarks = query.allowWatchBookmarks ? setInterval(() => bookmark(), LIMITS.bookmarkMs) : undefined;
  const seconds = Math.min(
    query.timeoutSeconds || LIMITS.timeoutSecondsDefault * (1 + Math.random()),
    LIMITS.timeoutSecondsMax,
  );
  const end = setTimeout(finish, seconds * 1000);
  exchange.closing.addEventListener('abort', finish, { once: true });
  response.once('close', stop);

  function finish(): void {
    if (query.allowWatchBookmarks) bookmark();
    response.end();
    stop();
  }

  let stopped = false;
  function stop(): void {
    if (stopped) return;
    stopped = true;
    unsubscribe();
    clearInterval(bookmarks);
    clearTimeout(end);
    exchange.closing.removeEventListener('abort', finish);
    metrics.closed();
  }

  /** How many events came of it: none when the change is not in the selection. */
  function pass(change: Change): number {
    const event = eventFor(change, inScope);
    if (event === undefined) return 0;
    line(event.type, shown.event(event.entry));
    return 1;
  }

  function bookmark(annotations?: Readonly<Record<string, string>>): void {
    const metadata = {
      resourceVersion: String(position),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    };
    line('BOOKMARK', shown.bookmark(kind, metadata));
  }
}
