import { on } from 'node:events';
import { EventEmitter } from 'node:events';
import type { Operation } from '../operation.ts';
import type { Change, Store } from '../store-contract.ts';
import type { Batch, ResourceClient } from './contract.ts';

/** Reads from the store of this process. */
export function inProcessClient(store: Store<Operation>): ResourceClient {
  return {
    list: (kind) => {
      const items = [...store.list(kind)].map((entry) => entry.object());
      return Promise.resolve({ items, version: String(store.version()) });
    },
    watch: async function* (kind, from, signal) {
      const toBatch = (changes: readonly Change[], version: number): Batch => ({
        version: String(version),
        changes: changes
          .filter(({ entry }) => entry.kind === kind)
          .map(({ type, entry }) => ({ type, object: entry.object() })),
      });
      // Subscribed before the first read and nothing is awaited in between: no change can fall through.
      const published = new EventEmitter();
      const unsubscribe = store.subscribe((changes) => published.emit('batch', changes));
      try {
        const batches = on(published, 'batch', { signal });
        yield toBatch(store.changesSince(Number(from), kind), store.version());
        for await (const [changes] of batches as AsyncIterable<[readonly Change[]]>) {
          const last = changes.at(-1);
          if (last !== undefined) yield toBatch(changes, last.version);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        unsubscribe();
      }
    },
  };
}
