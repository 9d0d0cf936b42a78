import { jitter, type Time } from '#kernel/base/time.ts';

export interface QueueLimits {
  /** Wait before the first repetition of a key; it doubles with each that follows. */
  readonly retryMsFirst: number;
  readonly retryMsMax: number;
  /** Repetitions of all keys together: so many a second, and so many at once after a quiet time. */
  readonly retriesPerSecond: number;
  readonly retriesAtOnce: number;
}

const QUEUE_LIMITS: QueueLimits = {
  retryMsFirst: 5,
  retryMsMax: 300_000,
  retriesPerSecond: 10,
  retriesAtOnce: 100,
};

/**
 * Keys that wait to be worked on, first come first served. A key waits at most once, is never in work twice at a time,
 * and when it is added while in work it is worked on again after.
 */
export class WorkQueue {
  readonly #time: Time;
  readonly #random: () => number;
  readonly #limits: QueueLimits;
  /** In the order in which they came. */
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  /** Added while in work. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { readonly atMs: number; readonly cancel: () => void }>();
  readonly #retries = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  /** When the bucket of repetitions will be full again. */
  #bucketFullAtMs = 0;
  #stopped = false;
  #idle: () => void = () => {};

  constructor(options: {
    readonly time: Time;
    readonly random?: () => number;
    readonly limits?: Partial<QueueLimits>;
  }) {
    this.#time = options.time;
    this.#random = options.random ?? Math.random;
    this.#limits = { ...QUEUE_LIMITS, ...options.limits };
  }

  /** Keys that could be worked on now. */
  get depth(): number {
    return this.#ready.size + this.#again.size;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#ready.add(key);
    this.#serve();
  }

  /** Adds the key after so many milliseconds; what was to come later for the same key comes no more. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return;
    if (ms <= 0) return this.add(key);
    const atMs = this.#time.nowMs() + ms;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.atMs <= atMs) return;
    waiting?.cancel();
    const cancel = this.#time.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { atMs, cancel });
  }

  /** Adds the key again after its back-off, or later when too many keys are being repeated. */
  retry(key: string): void {
    const { retryMsFirst, retryMsMax } = this.#limits;
    const before = this.#retries.get(key) ?? 0;
    this.#retries.set(key, before + 1);
    const backOffMs = jitter(Math.min(retryMsFirst * 2 ** before, retryMsMax), this.#random);
    this.addAfter(key, Math.max(backOffMs, this.#bucketWaitMs()));
  }

  /** The key did well: its next back-off begins anew. */
  forget(key: string): void {
    this.#retries.delete(key);
  }

  /** The next key, which is then in work until `done`; undefined when the queue has stopped. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  finish(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
    if (this.#working.size === 0) this.#idle();
  }

  /** Hands out nothing more; resolves when all that is in work is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    this.#serve();
    if (this.#working.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const [key] = this.#ready;
      if (key === undefined && !this.#stopped) return;
      if (key !== undefined) {
        this.#ready.delete(key);
        this.#working.add(key);
      }
      this.#takers.shift()?.(key);
    }
  }

  /** Takes one from the bucket: how long to wait until it is there. */
  #bucketWaitMs(): number {
    const { retriesPerSecond, retriesAtOnce } = this.#limits;
    const msEach = 1000 / retriesPerSecond;
    const nowMs = this.#time.nowMs();
    this.#bucketFullAtMs = Math.max(this.#bucketFullAtMs, nowMs) + msEach;
    return Math.max(0, this.#bucketFullAtMs - retriesAtOnce * msEach - nowMs);
  }
}
