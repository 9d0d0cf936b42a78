import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import type { Database } from './database.ts';

/** How often the database is asked: two steady clocks drift apart by half a millisecond in this time. */
const ASK_MS = 10_000;

/** The time of the database, which processes that follow each other share; our own clocks may show anything. */
export interface DatabaseClock {
  readonly clock: Clock;
  readonly stop: () => void;
}

/**
 * Computes the time of the database from its last answer and our steady clock. Never goes back: after a jump back the
 * earlier time holds until it is reached again. Without the database it goes on by the steady clock.
 */
export async function databaseClock(database: Database, time: Time, log: Log): Promise<DatabaseClock> {
  let aheadMs = await ask();
  let lastMs = -Infinity;
  let cancel = time.after(ASK_MS, askAgain);
  return {
    clock: () => {
      lastMs = Math.max(lastMs, Math.floor(time.nowMs() + aheadMs));
      return Temporal.Instant.fromEpochMilliseconds(lastMs);
    },
    stop: () => cancel(),
  };

  /** How far the database is ahead of our steady clock, at most half a round trip wrong. */
  async function ask(): Promise<number> {
    const askedMs = time.nowMs();
    const [row] = await database.query<{ ms: number }>(
      'select extract(epoch from clock_timestamp())::float8 * 1000 as ms',
    );
    if (row === undefined) throw new Error('the database did not say what time it is');
    return row.ms - (askedMs + time.nowMs()) / 2;
  }

  function askAgain(): void {
    ask().then(
      (ahead) => (aheadMs = ahead),
      (error: unknown) => log.debug({ err: error }, 'database clock: no answer'),
    );
    cancel = time.after(ASK_MS, askAgain);
  }
}
