import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { counter } from '#kernel/http/metrics.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import type { Watermark } from './watermark.ts';

/** Dependencies of every step of a roll-up. */
export interface RollUpParts {
  readonly database: Database;
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ReturnType<typeof rollUpMetrics>;
  /** Fires when the process stops. */
  readonly signal: AbortSignal;
  /** Receives the number of listed files that are missing in the folder. */
  readonly noteMissing: (files: number) => void;
}

/** State of the process that holds the lock. */
export interface Leadership {
  readonly connection: Connection;
  /** The installation that the folder belongs to. */
  readonly installation: string;
  readonly watermark: Watermark;
  maintainedAt: Temporal.Instant | undefined;
  /** Types and days whose merge failed, and until when it is not retried. */
  readonly notMerged: Map<string, Temporal.Instant>;
  /** Revisions of types whose fields are recorded. */
  readonly noted: Map<string, string>;
  /** Most transactions of one window. A window that failed (too long, too large) is retried with half. */
  spanMax: bigint | undefined;
}

export function rollUpMetrics(registry: Registry) {
  const count = (name: string, help: string) => counter(registry, `backline_rollup_${name}_total`, help);
  return {
    rows: count('rows', 'Events written into files.'),
    files: count('files', 'Files written from the log.'),
    merged: count('merged_files', 'Files removed by merges.'),
    seconds: count('seconds', 'Duration of roll-ups.'),
    failures: count('failures', 'Roll-ups that failed.'),
    failedMerges: count('failed_merges', 'Merges that failed; their files stay as they are.'),
    adopted: count('adopted_files', 'Unlisted files that were adopted, because their rows were nowhere else.'),
    aside: count('set_aside_rows', 'Events set aside because no file can hold them.'),
    overdue: count('overdue_rows', 'Events that arrived after their time was declared complete.'),
  };
}
