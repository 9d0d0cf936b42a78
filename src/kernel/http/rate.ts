/** How often something may happen: on average, and at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Callers that are remembered at most; those who were quiet for longest are forgotten first. */
const CALLERS_MAX = 100_000;

/** Token buckets by caller. A request that is refused costs nothing. */
export class RateLimiter {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** Takes one from the caller's bucket; false when there is none. */
  spend(caller: string, { perSecond, burst }: Rate, nowMs: number): boolean {
    const before = this.#buckets.get(caller);
    const filled =
      before === undefined ? burst : before.tokens + (Math.max(0, nowMs - before.atMs) * perSecond) / 1_000;
    const tokens = Math.min(burst, filled);
    const allowed = tokens >= 1;
    // Set anew, so that the order of the map is that of the last use.
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
    if (this.#buckets.size > CALLERS_MAX) {
      const [quietest] = this.#buckets.keys();
      if (quietest !== undefined) this.#buckets.delete(quietest);
    }
    return allowed;
  }
}
