import type { Time } from '#kernel/base/time.ts';
import type { Queryable } from './database.ts';

const LIMITS = {
  askMs: 1_000,
  /** A database that has not answered for longer is away for those who need it. */
  silentMsMax: 3_000,
} as const;

/** Whether a database answers, for processes that only need it for some requests. */
export interface Reachability {
  readonly problem: () => string | undefined;
  readonly stop: () => void;
}

/** Asks the database once a second for nothing. */
export function watchDatabase(database: Queryable, time: Time): Reachability {
  let answeredAtMs = time.nowMs();
  let why = '';
  let isStopped = false;
  let cancel = time.after(0, ask);
  return {
    problem: () => {
      const silentMs = time.nowMs() - answeredAtMs;
      if (silentMs <= LIMITS.silentMsMax) return undefined;
      return `the database has not answered for ${Math.floor(silentMs / 1000)} s${why === '' ? '' : `: ${why}`}`;
    },
    stop: () => {
      isStopped = true;
      cancel();
    },
  };

  function ask(): void {
    const askedAtMs = time.nowMs();
    database
      .query('select 1')
      .then(
        () => {
          answeredAtMs = askedAtMs;
          why = '';
        },
        (error: unknown) => {
          why = error instanceof Error ? error.message : String(error);
        },
      )
      .finally(() => {
        if (!isStopped) cancel = time.after(LIMITS.askMs, ask);
      });
  }
}
