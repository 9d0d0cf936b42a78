import type { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from './refusals.ts';

export interface PlaceLimits {
  /** The work, for refusals: `queries`. */
  readonly of: string;
  readonly runningMax: number;
  readonly waitingMax: number;
  /** Of one user, so that nobody takes all places. */
  readonly runningOfUserMax: number;
  readonly waitingOfUserMax: number;
}

const RETRY_SECONDS = 5;

interface Waiting {
  readonly user: string;
  readonly begin: () => void;
}

/** A queue for the work of users: it limits how many run and wait, in all and of each user. */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #running: string[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /**
   * Runs the work of a user when a place is free. Refuses `http/overloaded`. A fired signal takes waiting work out of the
   * queue at once, and rejects with its reason.
   */
  async take<Result>(user: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted();
    if (!this.#hasRoom(user)) await this.#wait(user, signal);
    else this.#running.push(user);
    try {
      return await work();
    } finally {
      this.#running.splice(this.#running.indexOf(user), 1);
      this.#next();
    }
  }

  #hasRoom(user: string): boolean {
    const { runningMax, runningOfUserMax } = this.#limits;
    return this.#running.length < runningMax && count(this.#running, user) < runningOfUserMax;
  }

  #wait(user: string, signal: AbortSignal): Promise<void> {
    const { of, waitingMax, waitingOfUserMax } = this.#limits;
    const ofUser = this.#waiting.filter((waiting) => waiting.user === user).length;
    if (ofUser >= waitingOfUserMax) {
      throw busy(`${count(this.#running, user)} ${of} of user "${user}" run and ${ofUser} wait`);
    }
    if (this.#waiting.length >= waitingMax) {
      throw busy(`${this.#running.length} ${of} run and ${this.#waiting.length} wait`);
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        user,
        begin: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  /** Gives a free place to the first waiting work whose user may have it. */
  #next(): void {
    const index = this.#waiting.findIndex(({ user }) => this.#hasRoom(user));
    const [next] = index === -1 ? [] : this.#waiting.splice(index, 1);
    if (next === undefined) return;
    this.#running.push(next.user);
    next.begin();
  }
}

function count(users: readonly string[], user: string): number {
  return users.filter((other) => other === user).length;
}

function busy(what: string): Refusal {
  return httpRefusal('overloaded', `${what}; no more are taken now.`, {
    retryAfterSeconds: RETRY_SECONDS,
    remedy: 'Try again in a few seconds.',
  });
}
