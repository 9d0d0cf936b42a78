import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import type { SubjectStore } from './contract.ts';
import { CHANGES_CHANNEL } from './touch.ts';

const LIMITS = {
  /** Listeners whose facts are kept: about a kilobyte each. */
  listenersMax: 50_000,
} as const;

/** A store whose facts are kept in memory as long as the database says that nobody changed them. */
export interface CachedSubjects extends SubjectStore {
  readonly close: () => Promise<void>;
}

/**
 * Reads facts of a listener once, and again after a change: at once after one that was made here, and a moment later
 * after one of another process, as the database notifies all. While the notifications cannot be heard, nothing is kept.
 */
export function cachedSubjects(store: SubjectStore, database: Database, log: Log): CachedSubjects {
  /** By listener, those read last at the end: the others are read again when there are too many. */
  const kept = new Map<string, Promise<SubjectFacts>>();
  let connection: Connection | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const outage = new Outage(log, 'record cache: LISTEN failed, cache is off');
  const ready = hear();

  // Whoever changed something and asks again gets what is there now.
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
      // Kept while they are read: a change in between takes them out again, and who asks later reads anew.
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
      outage.ended();
      kept.clear();
      connection = opened;
      void opened.lost.then(() => {
        connection = undefined;
        kept.clear();
        again(0);
      });
      if (isClosed) await opened.close();
    } catch (error) {
      again(outage.failed(error));
    }
  }

  function again(waitMs: number): void {
    if (isClosed) return;
    timer = setTimeout(() => void hear(), waitMs);
  }
}
