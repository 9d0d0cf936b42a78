import type { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';

export interface PlaceLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
  /** Of one user, so that nobody keeps all others out. */
  readonly runningOfUserMax: number;
  readonly waitingOfUserMax: number;
}

const RETRY_SECONDS = 5;

interface Waiting {
  readonly user: string;
  readonly begin: () => void;
}

/** Who may run now. Others wait in the order in which they came, and beyond the limits they are turned away. */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #running: string[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /**
   * Runs the work of a user when it is its turn. Refuses `http/overloaded`. Whoever waits and is no longer wanted leaves
   * its place at once, with the reason of the signal.
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
    const { waitingMax, waitingOfUserMax } = this.#limits;
    const ofUser = this.#waiting.filter((waiting) => waiting.user === user).length;
    if (ofUser >= waitingOfUserMax) {
      throw busy(`${count(this.#running, user)} queries of user "${user}" run and ${ofUser} wait`);
    }
    if (this.#waiting.length >= waitingMax) {
      throw busy(`${this.#running.length} queries run and ${this.#waiting.length} wait`);
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

  /** Gives a free place to the first in line who may have it. */
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
