import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { counter } from '#kernel/http/metrics.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import type { Watermark } from './watermark.ts';

/** What every step of a roll-up works with. */
export interface RollUpParts {
  readonly database: Database;
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ReturnType<typeof rollUpMetrics>;
  /** Fires when the process stops. */
  readonly signal: AbortSignal;
  /** Takes how many files that count are not in the folder. */
  readonly noteMissing: (files: number) => void;
}

/** What one process keeps while it holds the lock. */
export interface Leadership {
  readonly connection: Connection;
  /** Whose the folder is. */
  readonly installation: string;
  readonly watermark: Watermark;
  maintainedAt: Temporal.Instant | undefined;
  /** Types and days whose files could not be merged, and until when that is not tried again. */
  readonly notMerged: Map<string, Temporal.Instant>;
  /** Revisions of types whose fields are on record. */
  readonly noted: Map<string, string>;
  /** Transactions of one window at most. A window that failed (too long, too large) is tried again as half. */
  spanMax: bigint | undefined;
}

export function rollUpMetrics(registry: Registry) {
  const count = (name: string, help: string) => counter(registry, `backline_rollup_${name}_total`, help);
  return {
    rows: count('rows', 'Events that became rows of files.'),
    files: count('files', 'Files that were written from the log.'),
    merged: count('merged_files', 'Files that there are less because they were merged.'),
    seconds: count('seconds', 'Time that roll-ups took.'),
    failures: count('failures', 'Roll-ups that failed.'),
    failedMerges: count('failed_merges', 'Merges that failed; their files stay as they are.'),
    adopted: count('adopted_files', 'Files that no table listed and that hold rows that are nowhere else.'),
    aside: count('set_aside_rows', 'Events that no file can hold, which were set aside.'),
    overdue: count('overdue_rows', 'Events that came after everything of their time was declared to be in files.'),
  };
}
