import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { EventTable } from '#kernel/events/event-table.ts';
import type { LogWriter } from '#kernel/events/log-writer.ts';
import { gauge } from '#kernel/http/metrics.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { ReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import type { Witness } from '#kernel/snapshots/witness.ts';
import { releaseExposures } from './release-exposures.ts';

const EVERY_MS = 1_000;

export interface ReleaseWitness extends Witness {
  /** Writes what was seen so far. */
  readonly flush: () => Promise<void>;
  /** Writes what was seen, as far as the database takes it. */
  readonly close: () => Promise<void>;
}

/** A node without a database sees, and tells nobody. */
export const SILENT_WITNESS: ReleaseWitness = { saw: () => {}, flush: async () => {}, close: async () => {} };

/** Tells in the database what those were answered of whom releases make something, and who of them saw what. */
export function releaseWitness(parts: {
  readonly database: Database;
  readonly write: LogWriter['write'];
  readonly table: () => EventTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): ReleaseWitness {
  const { database, clock, log, registry } = parts;
  const counts = new ReleaseCounts(`${hostname()}/${randomUUID()}`);
  const exposures = releaseExposures(parts);
  gauge(
    registry,
    'backline_release_counts_dropped_total',
    'Rows of counts that were given up because the database was away for too long.',
    () => counts.dropped,
  );
  let working: Promise<void> | undefined;
  const timer = setInterval(() => void flush().catch(() => {}), EVERY_MS);
  return {
    saw: ({ tracks, isBroken }, { listener }, result, now) => {
      for (const { release, track } of tracks) {
        // Who should have seen what does not compile was failed, though an answer was given.
        const isFailed = isBroken && track !== 'stable';
        counts.count(release.name, track, isFailed ? 'failed' : result, now.epochMilliseconds);
        if (listener === undefined || isFailed || track === 'exposed') continue;
        exposures.tell(listener, release, track, now);
      }
    },
    flush,
    close: async () => {
      clearInterval(timer);
      await working?.catch(() => {});
      await flush().catch(() => {});
    },
  };

  function flush(): Promise<void> {
    working ??= Promise.all([counts.flush(database, clock().epochMilliseconds), exposures.flush()])
      .then(() => {})
      .catch((error: unknown) => {
        log.warn({ error: String(error) }, 'what releases came to could not be written; trying again');
        throw error;
      })
      .finally(() => {
        working = undefined;
      });
    return working;
  }
}
