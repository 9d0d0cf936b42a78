import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import type { SubjectStore } from './contract.ts';
import { CHANGES_CHANNEL } from './touch.ts';

const LIMITS = {
  /** Cached listeners: about a kilobyte each. */
  listenersMax: 50_000,
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
  /** Least recently used first, for eviction. */
  const kept = new Map<string, Promise<SubjectFacts>>();
  let connection: Connection | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const outage = new Outage(log, 'record cache: LISTEN failed, cache is off');
  const ready = hear();

  // A caller that reads after its own change gets the new facts.
  store.onChange((listeners) => listeners.forEach((listener) => kept.delete(listener)));

  return {
    ...store,
    freshFacts: (listener) => {
      kept.delete(listener);
      return store.freshFacts(listener);
    },
    facts: (listener) => {
      const known = kept.get(listener);
      if (known !== undefined) return known;
      const facts = store.facts(listener);
      if (connection === undefined) return facts;
      // Cached while the read is in flight: a change meanwhile removes the entry, so later readers read
      // again.
      kept.set(listener, facts);
      facts.catch(() => {
        if (kept.get(listener) === facts) kept.delete(listener);
      });
      if (kept.size > LIMITS.listenersMax) {
        const [oldest] = kept.keys();
        if (oldest !== undefined) kept.delete(oldest);
      }
      return facts;
    },
    close: async () => {
      isClosed = true;
      clearTimeout(timer);
      await ready;
      await connection?.close();
    },
  };

  async function hear(): Promise<void> {
    try {
      const opened = await database.connect();
      await opened.listen(CHANGES_CHANNEL, (listener) => kept.delete(listener));
      outage.noteRecovery();
      kept.clear();
      connection = opened;
      void opened.lost.then(() => {
        connection = undefined;
        kept.clear();
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
