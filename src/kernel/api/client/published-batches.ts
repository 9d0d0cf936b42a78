import { EventEmitter, on } from 'node:events';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Change, Store } from '#kernel/store/contract.ts';
import { requireKnownVersion } from '../list.ts';
import { CURRENT_MS_MAX } from '../server/watch.ts';

/** How often a watcher hears that there is nothing new. */
const BEAT_MS = 1_000;

/** The changes of one write, of whatever kinds; none where it only says that everything up to the version is known. */
interface PublishedBatch {
  readonly version: number;
  readonly changes: readonly Change[];
}

/**
 * The batches that the store of this process publishes after `from`, until `signal` aborts. As `ResourceClient.watch`.
 * @param kinds whose changes the first batch has; later batches have all
 */
export async function* publishedBatches(
  store: Store<Operation>,
  kinds: readonly Kind[],
  from: string,
  signal: AbortSignal,
): AsyncIterable<PublishedBatch> {
  requireKnownVersion(store, Number(from));
  // Subscribed before the first read and nothing is awaited in between: no change can fall through.
  const published = new EventEmitter();
  const unsubscribe = store.subscribe((changes) =>
    published.emit('batch', changes, changes.at(-1)?.version ?? store.version()),
  );
  // A store that is cut off from the database has nothing to tell, and says so by its silence.
  const beats = setInterval(() => {
    if (store.behindMs() < CURRENT_MS_MAX) published.emit('batch', [], store.version());
  }, BEAT_MS);
  try {
    const batches = on(published, 'batch', { signal });
    const missed = kinds.flatMap((kind) => store.changesSince(Number(from), kind));
    yield { version: store.version(), changes: missed.toSorted((a, b) => a.version - b.version) };
    for await (const [changes, version] of batches as AsyncIterable<[readonly Change[], number]>) {
      yield { version, changes };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(beats);
    unsubscribe();
  }
}
