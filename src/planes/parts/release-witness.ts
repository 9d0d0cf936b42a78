import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { EventTable } from '#kernel/events/event-table.ts';
import type { LogWriter } from '#kernel/events/log-writer.ts';
import { gauge } from '#kernel/http/metrics.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { ReleaseCells } from '#kernel/snapshots/release-cells.ts';
import { ReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import type { CellOf } from '#kernel/snapshots/unit-cells.ts';
import type { Witness } from '#kernel/snapshots/witness.ts';
import { releaseExposures } from './release-exposures.ts';

const EVERY_MS = 1_000;

export interface ReleaseWitness extends Witness {
  /** Writes what was seen, as far as the database takes it. */
  readonly close: () => Promise<void>;
}

/** A node without a database sees, and tells nobody. */
export const SILENT_WITNESS: Witness = { saw: () => {} };

/** Writes answer counts of cohorts and exposures to the database. */
export function releaseWitness(parts: {
  readonly database: Database;
  readonly write: LogWriter['write'];
  readonly table: () => EventTable;
  readonly cellOf: CellOf;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): ReleaseWitness {
  const { database, cellOf, clock, log, registry } = parts;
  const node = `${hostname()}/${randomUUID()}`;
  const counts = new ReleaseCounts(node);
  const cells = new ReleaseCells(node);
  const exposures = releaseExposures(parts);
  gauge(
    registry,
    'backline_release_counts_dropped_total',
    'Rows of counts that were given up because the database was away for too long.',
    () => counts.dropped,
  );
  gauge(
    registry,
    'backline_release_cells_dropped_total',
    'Answers that no cell of units counted, as too many stages of releases are under way.',
    () => cells.dropped,
  );
  let working: Promise<void> | undefined;
  const timer = setInterval(() => void flush(false).catch(() => {}), EVERY_MS);
  return {
    saw: ({ tracks, isBroken }, subject, result, now) => {
      const { listener } = subject.units;
      const nowMs = now.epochMilliseconds;
      for (const { release, track } of tracks) {
        // Who should have seen what does not compile was failed, though an answer was given.
        const isFailed = isBroken && track !== 'stable';
        const counted = isFailed ? 'failed' : result;
        counts.count(release.name, track, counted, nowMs);
        if (track === 'exposed') continue;
        const cell = cellOf(release, subject);
        // Nobody without an id is compared.
        if (cell === undefined) continue;
        cells.count({ release: release.name, stage: release.stage, track, cell }, counted, nowMs);
        if (listener === undefined || isFailed) continue;
        exposures.tell({ listener, release, track, cell }, now);
      }
    },
    close: async () => {
      clearInterval(timer);
      await working?.catch(() => {});
      await flush(true).catch(() => {});
    },
  };

  function flush(isLast: boolean): Promise<void> {
    const nowMs = clock().epochMilliseconds;
    working ??= Promise.all([counts.flush(database, nowMs), cells.flush(database, nowMs, isLast), exposures.flush()])
      .then(() => {})
      .catch((error: unknown) => {
        log.warn({ error: String(error) }, 'releases: cannot write answer counts; retrying');
        throw error;
      })
      .finally(() => {
        working = undefined;
      });
    return working;
  }
}
