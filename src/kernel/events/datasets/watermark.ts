/**
 * Longest time from the receipt of an event until its transaction has a number: reading the request, waiting for the group,
 * and the clock skew between our machines.
 */
export const RECEIPT_SECONDS_MAX = 10;

/** Observations that are kept: an hour of roll-ups behind a transaction that does not end. */
const SEEN_MAX = 240;

/** The transactions of the database at a moment. */
export interface TransactionSnapshot {
  /** Read before the transactions. */
  readonly at: Temporal.Instant;
  /** Every transaction below has ended. */
  readonly xmin: bigint;
  /** No transaction of this number or above had begun to write. */
  readonly xmax: bigint;
}

/**
 * Computes the time until which all received events are in transactions below `xmin`. Any other event got its number after
 * each moment whose `xmax` is at most the current `xmin`. So the latest such moment counts. Use one instance while the lock
 * is held, and call it at each roll-up.
 */
export class Watermark {
  #seen: TransactionSnapshot[] = [];

  advance(now: TransactionSnapshot): Temporal.Instant | undefined {
    this.#seen.push(now);
    const passed = this.#seen.findLastIndex(({ xmax }) => xmax <= now.xmin);
    const latest = this.#seen[passed];
    this.#seen = this.#seen.slice(Math.max(0, passed)).slice(-SEEN_MAX);
    return latest?.at.subtract({ seconds: RECEIPT_SECONDS_MAX });
  }
}
