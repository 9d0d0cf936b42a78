import { Refusal, Unavailable } from '#kernel/base/failures.ts';
import { LATE, untilAbort, type Time } from '#kernel/base/time.ts';

/**
 * A break waits for PostgreSQL so long, over all that it asks there: histories, and first slices of budgets. Before that the
 * gate waits so long for the record of the listener.
 */
const BREAK_WAIT_MS = 300;

/** The time that one break may wait; it begins when something is asked. */
export class BreakWait {
  readonly #time: Time;
  #late: AbortController | undefined;
  #stop = (): void => {};

  constructor(time: Time) {
    this.#time = time;
  }

  /** Aborts when the time is over. What has arrived by then, while this process was busy, still counts. */
  readonly begin = (): AbortSignal => {
    if (this.#late === undefined) {
      const late = new AbortController();
      this.#stop = this.#time.after(BREAK_WAIT_MS, () => setImmediate(() => late.abort()));
      this.#late = late;
    }
    return this.#late.signal;
  };

  /** The answer of the database; undefined where it comes too late, or the database refuses or is away. */
  readonly ask = async <Answer>(work: (signal: AbortSignal) => Promise<Answer>): Promise<Answer | undefined> => {
    const signal = this.begin();
    try {
      const answer = await untilAbort(work(signal), signal);
      return answer === LATE ? undefined : answer;
    } catch (error) {
      if (signal.aborted || error instanceof Refusal || error instanceof Unavailable) return undefined;
      throw error;
    }
  };

  [Symbol.dispose](): void {
    this.#stop();
  }
}
