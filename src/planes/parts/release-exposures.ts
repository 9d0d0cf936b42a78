import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { EXPOSURE_WINDOW_MS } from '#kernel/events/built-in-types.ts';
import type { EventTable } from '#kernel/events/event-table.ts';
import { RELEASE_EXPOSURE } from '#kernel/events/kinds/identity.ts';
import type { LogWriter } from '#kernel/events/log-writer.ts';
import { writeOwnEvents } from '#kernel/events/write-own-events.ts';
import { counter, gauge } from '#kernel/http/metrics.ts';
import type { ExposingRelease } from '#kernel/snapshots/exposing-releases.ts';

const LIMITS = {
  /** Events of one flush. */
  eventsMax: 5_000,
  /** Events of one batch, see `readBatch`. */
  batchMax: 1_000,
  /** Events that wait while the database is away: the oldest are dropped. */
  waitingMax: 50_000,
  /** Exposures that are remembered in one minute; beyond that some are recorded again, and count once all the same. */
  recordedMax: 200_000,
} as const;

/** That a listener saw what a release compares. */
interface Exposure {
  readonly listener: string;
  readonly release: Pick<ExposingRelease, 'name' | 'revision'>;
  readonly track: 'candidate' | 'stable';
  readonly cell: number;
}

export interface ReleaseExposures {
  /** Notes an exposure; once in a minute it becomes an event. */
  readonly tell: (exposure: Exposure, now: Temporal.Instant) => void;
  /** Writes what waits. */
  readonly flush: () => Promise<void>;
}

/** Turns who saw what of a release into events of the log. They are for the judge: no answer waits for them. */
export function releaseExposures(parts: {
  readonly write: LogWriter['write'];
  readonly table: () => EventTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): ReleaseExposures {
  const { log, registry } = parts;
  const dropped = counter(
    registry,
    'backline_release_exposures_dropped_total',
    'Exposures that were given up, as the database was away for too long or more came than are written.',
  );
  const recorded = new Set<string>();
  let minute = 0;
  let waiting: object[] = [];
  gauge(registry, 'backline_release_exposures_waiting', 'Exposures that are not written yet.', () => waiting.length);

  return {
    tell: ({ listener, release: { name, revision }, track, cell }, now) => {
      const current = Math.floor(now.epochMilliseconds / EXPOSURE_WINDOW_MS);
      if (current !== minute || recorded.size >= LIMITS.recordedMax) recorded.clear();
      minute = current;
      const key = `${name}@${revision} ${track} ${listener}`;
      if (recorded.has(key)) return;
      recorded.add(key);
      const properties = { release: name, releaseRevision: revision, track, cell };
      waiting.push({ type: RELEASE_EXPOSURE, id: randomUUID(), at: now.toString(), subject: listener, properties });
      dropOldest();
    },
    flush: async () => {
      const taken = waiting.splice(0, LIMITS.eventsMax);
      try {
        const batches = Array.from({ length: Math.ceil(taken.length / LIMITS.batchMax) }, (_, index) =>
          taken.slice(index * LIMITS.batchMax, (index + 1) * LIMITS.batchMax),
        );
        await Promise.all(batches.map(writeBatch));
      } catch (error) {
        // Written twice they count once, as they keep their ids and their minute.
        waiting = [...taken, ...waiting];
        dropOldest();
        throw error;
      }
    },
  };

  function writeBatch(batch: readonly object[]): Promise<void> {
    // Ids that no event may have are no listeners: nothing of them is worth keeping.
    return writeOwnEvents(parts, batch, ({ outcome }) => outcome === 'accepted');
  }

  function dropOldest(): void {
    const surplus = waiting.length - LIMITS.waitingMax;
    if (surplus <= 0) return;
    waiting.splice(0, surplus);
    dropped.inc(surplus);
    log.warn({ dropped: surplus }, 'releases: exposures dropped, database away');
  }
}
