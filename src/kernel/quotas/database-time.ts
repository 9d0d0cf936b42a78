/** Two steady clocks differ by 50 millionths at most, which is half a millisecond in this time. */
const TRUSTED_MS = 10_000;

/** What the clock of the database shows, by our own steady one, from when it told us last. Never ahead of it. */
export interface DatabaseTime {
  /** That the database said so, in an answer that came at that moment of our steady clock. */
  readonly told: (databaseMs: number, steadyMs: number) => void;
  /** Undefined when it did not tell us lately. Whole milliseconds. */
  readonly now: () => number | undefined;
  readonly forget: () => void;
}

export function openDatabaseTime(): DatabaseTime {
  let toldMs = -Infinity;
  let aheadMs = -Infinity;
  return {
    told: (databaseMs, steadyMs) => {
      const ahead = databaseMs - steadyMs;
      // The answer that was under way for the shortest time tells best.
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
