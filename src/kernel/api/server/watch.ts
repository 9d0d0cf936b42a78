import { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { paceAnswer } from '#kernel/http/paced-answer.ts';
import { warningHeaders } from '../answer.ts';
import { attributesOf } from '../call.ts';
import { checkListOptions } from '../list-options.ts';
import { requireStreamable } from '../representation.ts';
import { failureStatus } from '../status.ts';
import { catchUp } from './catch-up.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { allowedSelection, narrowedWarning } from './page.ts';
import { represent } from './represent.ts';
import { lineOf, watchFeed } from './watch-feed.ts';

const LIMITS = {
  /** How often a watcher that asked for bookmarks gets one. */
  bookmarkMs: 30_000,
  /** How often one of our own followers does, which reckons by it how old is what it has. */
  batchBookmarkMs: 3_000,
  /** How often the right to a watch is checked: a watch ends within five seconds after its right is known to be gone. */
  rightMs: 3_000,
  /** Watches end after half an hour to an hour, spread so that clients do not all come back at once. */
  timeoutSecondsDefault: 1_800,
  timeoutSecondsMax: 24 * 3_600,
} as const;

/** A store that was known to show everything so long ago counts as current. */
export const CURRENT_MS_MAX = 3_000;

/**
 * Streams changes as JSON lines until the client goes, the time is up, or the client is too slow: one that takes nothing
 * for a minute is cut off. A slow client holds one piece of text. A version that is no longer kept is answered by one
 * ERROR event with code 410, so that informers list anew.
 */
export async function watchObjects(server: ResourceServer, request: VerbRequest): Promise<void> {
  await catchUp(server, request, 'watch');
  const { store, watchMetrics: metrics } = server;
  const { exchange, call, query, accepted } = request;
  requireStreamable(accepted);
  checkListOptions(query);
  const { kind, namespace } = call.target;
  const { response } = exchange;
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'no-cache, private',
    'x-request-id': exchange.requestId,
    ...warningHeaders(narrowedWarning(request)),
  });
  const feed = watchFeed({
    store,
    kind,
    namespace: namespace === '' ? undefined : namespace,
    selection: allowedSelection(request),
    shown: represent(server, request),
    query,
    convert: server.convert,
    wake: () => answer.wake(),
  });
  const dropWatcher = (): void => {
    metrics.countSlowDrop();
    exchange.log.warn({ kind: kind.id }, 'watch: slow watcher dropped');
  };
  metrics.countOpen();
  const answer = paceAnswer(response, {
    next: feed.next,
    wrote: (chars) => exchange.chargeAnswer(chars),
    onStall: dropWatcher,
    onFailure: (error) => {
      if (!(error instanceof Refusal)) {
        exchange.log.error({ err: error, kind: kind.id }, 'watch: failed');
        return void response.destroy();
      }
      if (error.reason === 'Expired' && feed.hasMoved()) dropWatcher();
      response.end(lineOf('ERROR', JSON.stringify(failureStatus(error))));
    },
  });
  response.flushHeaders();
  const unsubscribe = store.subscribe(answer.wake);
  const bookmark = (): void => {
    // By its silence a follower knows that what it has may be old.
    if (query.batchBookmarks && store.behindMs() > CURRENT_MS_MAX) return;
    feed.askBookmark();
    answer.wake();
  };
  const stop = endInTime(server, request, bookmark, () => {
    // A batch that takes the kind away may have deleted its objects first.
    answer.wake();
    if (query.allowWatchBookmarks && feed.isUpToDate()) bookmark();
    response.end();
  });
  const stopChecking = endWithoutRight(server, request, (refusal) => {
    // Nothing that is waiting is sent after it.
    unsubscribe();
    response.end(lineOf('ERROR', JSON.stringify(failureStatus(refusal))));
  });
  response.once('close', () => {
    unsubscribe();
    stop();
    stopChecking();
    metrics.countClose();
  });
}

/**
 * Calls for bookmarks, and ends a watch when its time is up, when the server stops, and when its kind goes. Returns the way
 * to call all of that off.
 */
function endInTime(
  { kinds }: ResourceServer,
  { exchange, call, query }: VerbRequest,
  bookmark: () => void,
  finish: () => void,
): () => void {
  const bookmarks = query.allowWatchBookmarks
    ? setInterval(bookmark, query.batchBookmarks ? LIMITS.batchBookmarkMs : LIMITS.bookmarkMs)
    : undefined;
  const seconds = Math.min(
    query.timeoutSeconds || LIMITS.timeoutSecondsDefault * (1 + Math.random()),
    LIMITS.timeoutSecondsMax,
  );
  const end = setTimeout(finish, seconds * 1000);
  exchange.closing.addEventListener('abort', finish, { once: true });
  // Of a kind that is gone there is nothing more to tell.
  const unsubscribe = kinds.subscribe(() => {
    if (!kinds.has(call.target.kind)) finish();
  });
  return () => {
    clearInterval(bookmarks);
    clearTimeout(end);
    exchange.closing.removeEventListener('abort', finish);
    unsubscribe();
  };
}

/**
 * Ends a watch whose right is gone, or selects other objects than it did: its client asks anew, and gets what it may. Returns the
 * way to call that off.
 */
function endWithoutRight(
  { authority }: ResourceServer,
  { call: { user, target }, query, within }: VerbRequest,
  end: (refusal: Refusal) => void,
): () => void {
  const attributes = attributesOf(target, 'watch', query);
  const selected = [...(within?.keys() ?? [])].join(' ');
  const check = (): void => {
    try {
      const now = authority.grantAgain(user, attributes, true).within;
      if ([...(now?.keys() ?? [])].join(' ') !== selected) end(otherRight());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      end(error);
    }
  };
  const timer = setInterval(check, LIMITS.rightMs);
  return () => clearInterval(timer);
}

function otherRight(): Refusal {
  return resourceRefusal('expired', 'The rights of this watch have changed: list and watch anew.');
}
