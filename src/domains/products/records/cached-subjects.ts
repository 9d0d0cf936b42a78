import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import type { SubjectStore } from './contract.ts';
import { nothingOnRecord } from './read-subjects.ts';
import { CHANGES_CHANNEL } from './touch.ts';

const LIMITS = {
  /** Cached listeners with a record: about a kilobyte each. */
  listenersMax: 50_000,
  /** Cached listeners without a record, by their ids alone: about 0.1 KB each. */
  withoutRecordMax: 500_000,
} as const;

/** A store that caches facts until the database reports a change. */
export interface CachedSubjects extends SubjectStore {
  readonly close: () => Promise<void>;
}

/**
 * Caches a listener's facts until they change: a local change invalidates at once, one of another process
 * when its notification arrives. The cache is off while LISTEN is down.
 */
export function cachedSubjects(store: SubjectStore, database: Database, log: Log): CachedSubjects {
  /** The first that was read first, for eviction. */
  const kept = new Map<string, Promise<SubjectFacts>>();
  /** Listeners without a record, the first that was read first. */
  const withoutRecord = new Set<string>();
  let connection: Connection | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const outage = new Outage(log, 'record cache: LISTEN failed, cache is off');
  const ready = hear();

  // A caller that reads after its own change gets the new facts.
  store.onChange((listeners) => listeners.forEach(forget));

  return {
    ...store,
    freshFacts: (listener) => {
      forget(listener);
      return store.freshFacts(listener);
    },
    factsNow,
    facts: (listener) => {
      const nothing = factsNow(listener);
      if (nothing !== undefined) return Promise.resolve(nothing);
      const known = kept.get(listener);
      if (known !== undefined) return known;
      const facts = store.facts(listener);
      if (connection === undefined) return facts;
      // Cached while the read is in flight: a change meanwhile removes the entry, so later readers read
      // again.
      kept.set(listener, facts);
      facts.then(
        (found) => {
          if (found.version !== 0 || kept.get(listener) !== facts) return;
          kept.delete(listener);
          withoutRecord.add(listener);
          if (withoutRecord.size > LIMITS.withoutRecordMax) dropFirst(withoutRecord);
        },
        () => {
          if (kept.get(listener) === facts) kept.delete(listener);
        },
      );
      if (kept.size > LIMITS.listenersMax) dropFirst(kept);
      return facts;
    },
    close: async () => {
      isClosed = true;
      clearTimeout(timer);
      await ready;
      await connection?.close();
    },
  };

  function factsNow(listener: string): SubjectFacts | undefined {
    return withoutRecord.has(listener) ? nothingOnRecord(listener) : undefined;
  }

  function forget(listener: string): void {
    kept.delete(listener);
    withoutRecord.delete(listener);
  }

  function forgetAll(): void {
    kept.clear();
    withoutRecord.clear();
  }

  async function hear(): Promise<void> {
    try {
      const opened = await database.connect();
      await opened.listen(CHANGES_CHANNEL, forget);
      outage.noteRecovery();
      forgetAll();
      connection = opened;
      void opened.lost.then(() => {
        connection = undefined;
        forgetAll();
        again(0);
      });
      if (isClosed) await opened.close();
    } catch (error) {
      again(outage.noteFailure(error));
    }
  }

  function again(waitMs: number): void {
    if (isClosed) return;
    timer = setTimeout(() => void hear(), waitMs);
  }
}

function dropFirst(cache: {
  readonly keys: () => Iterable<string>;
  readonly delete: (listener: string) => boolean;
}): void {
  const [first] = cache.keys();
  if (first !== undefined) cache.delete(first);
}
