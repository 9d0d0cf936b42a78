import type { Log } from './log.ts';
import { jitter } from './time.ts';

const LIMITS = {
  /** How long after a first failure it is tried again; twice as long after each further one. */
  retryMsMin: 200,
  retryMsMax: 3_000,
  /** An outage that goes on is logged again after this time, and then each time after twice as long. */
  tellAgainMs: 10_000,
  tellAgainMsMax: 600_000,
} as const;

/** Something that is tried again until it works: how long to wait, and how often the log hears of it. */
export class Outage {
  readonly #log: Log | undefined;
  readonly #what: string;
  readonly #nowMs: () => number;
  readonly #random: () => number;
  #failures = 0;
  #sinceMs = 0;
  #tellAtMs = 0;
  #tellAgainMs: number = LIMITS.tellAgainMs;

  /** @param what cannot be done, as the log says it: "changes cannot be followed" */
  constructor(
    log: Log | undefined,
    what: string,
    { nowMs = () => performance.now(), random = Math.random }: { nowMs?: () => number; random?: () => number } = {},
  ) {
    this.#log = log;
    this.#what = what;
    this.#nowMs = nowMs;
    this.#random = random;
  }

  /** Notes a failure; returns the milliseconds to wait before the next try. */
  noteFailure(error: unknown): number {
    const nowMs = this.#nowMs();
    this.#failures += 1;
    if (this.#failures === 1) {
      this.#sinceMs = nowMs;
      this.#tellAtMs = nowMs;
      this.#tellAgainMs = LIMITS.tellAgainMs;
    }
    if (nowMs >= this.#tellAtMs) {
      const forSeconds = Math.round((nowMs - this.#sinceMs) / 1000);
      const why = error instanceof Error ? error.message : String(error);
      this.#log?.warn({ error: why, failures: this.#failures, forSeconds }, `${this.#what}; retrying`);
      this.#tellAtMs = nowMs + this.#tellAgainMs;
      this.#tellAgainMs = Math.min(this.#tellAgainMs * 2, LIMITS.tellAgainMsMax);
    }
    const waitMs = Math.min(LIMITS.retryMsMin * 2 ** (this.#failures - 1), LIMITS.retryMsMax);
    return jitter(waitMs, this.#random);
  }

  /** Notes that it works. */
  noteRecovery(): void {
    if (this.#failures === 0) return;
    const forSeconds = Math.round((this.#nowMs() - this.#sinceMs) / 1000);
    this.#log?.info({ failures: this.#failures, forSeconds }, `${this.#what}: recovered`);
    this.#failures = 0;
  }
}
