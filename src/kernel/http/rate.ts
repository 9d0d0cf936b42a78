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

  /**
   * Takes `cost` from the caller's bucket; false when it holds less than one. What costs more than there is, is let
   * through once, and what follows waits until the debt is paid.
   */
  spend(caller: string, rate: Rate, nowMs: number, cost = 1): boolean {
    const tokens = this.#tokensOf(caller, rate, nowMs);
    const allowed = tokens >= 1;
    this.#keep(caller, allowed ? tokens - cost : tokens, nowMs);
    return allowed;
  }

  /** Takes what work that is done already has cost, whatever there is. */
  charge(caller: string, rate: Rate, nowMs: number, cost: number): void {
    this.#keep(caller, this.#tokensOf(caller, rate, nowMs) - cost, nowMs);
  }

  #tokensOf(caller: string, { perSecond, burst }: Rate, nowMs: number): number {
    const before = this.#buckets.get(caller);
    if (before === undefined) return burst;
    return Math.min(burst, before.tokens + (Math.max(0, nowMs - before.atMs) * perSecond) / 1_000);
  }

  #keep(caller: string, tokens: number, atMs: number): void {
    // Set anew, so that the order of the map is that of the last use.
    this.#buckets.delete(caller);
    this.#buckets.set(caller, { tokens, atMs });
    if (this.#buckets.size <= CALLERS_MAX) return;
    const [quietest] = this.#buckets.keys();
    if (quietest !== undefined) this.#buckets.delete(quietest);
  }
}
