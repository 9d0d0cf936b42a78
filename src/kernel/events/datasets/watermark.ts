/**
 * Longest time from the receipt of an event until its transaction has a number: reading the request, waiting for the
 * group, and how far the clocks of our machines are apart.
 */
export const RECEIPT_SECONDS_MAX = 10;

/** As many as are kept: an hour of roll-ups behind a transaction that does not end. */
const SEEN_MAX = 240;

/** What was seen of the transactions of the database at a moment. */
export interface Seen {
  /** Taken before the transactions were looked at. */
  readonly at: Temporal.Instant;
  /** Every transaction below has ended. */
  readonly xmin: bigint;
  /** No transaction of this number or above had begun to write. */
  readonly xmax: bigint;
}

/**
 * Until when everything that was received is below `xmin`: what is not got its number after a moment at which numbers
 * were still below `xmax`. So the latest moment counts whose `xmax` all transactions have passed since. Call it at each
 * look, with one instance for as long as the lock is held.
 */
export class Watermark {
  #seen: Seen[] = [];

  advance(now: Seen): Temporal.Instant | undefined {
    this.#seen.push(now);
    const passed = this.#seen.findLastIndex(({ xmax }) => xmax <= now.xmin);
    const latest = this.#seen[passed];
    this.#seen = this.#seen.slice(Math.max(0, passed)).slice(-SEEN_MAX);
    return latest?.at.subtract({ seconds: RECEIPT_SECONDS_MAX });
  }
}
