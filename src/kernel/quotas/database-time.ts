/** Two steady clocks drift apart by at most 50 ppm: half a millisecond in this time. */
const TRUSTED_MS = 10_000;

/**
 * The clock of the database, extrapolated by this process's steady clock since the last answer. Never ahead of the
 * database.
 */
export interface DatabaseTime {
  /** Records the time of the database from an answer that arrived at `steadyMs`. */
  readonly observe: (databaseMs: number, steadyMs: number) => void;
  /** undefined without a recent answer. Whole milliseconds. */
  readonly now: () => number | undefined;
  readonly forget: () => void;
}

export function openDatabaseTime(): DatabaseTime {
  let toldMs = -Infinity;
  let aheadMs = -Infinity;
  return {
    observe: (databaseMs, steadyMs) => {
      const ahead = databaseMs - steadyMs;
      // The answer with the shortest round trip is the most exact.
      if (ahead <= aheadMs && steadyMs - toldMs <= TRUSTED_MS) return;
      [toldMs, aheadMs] = [steadyMs, ahead];
    },
    now: () => {
      const steadyMs = performance.now();
      return steadyMs - toldMs > 2 * TRUSTED_MS ? undefined : Math.floor(steadyMs + aheadMs);
    },
    forget: () => {
      toldMs = -Infinity;
    },
  };
}
