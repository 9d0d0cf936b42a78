import { setImmediate as nextTurn } from 'node:timers/promises';
import { Refusal } from '#kernel/base/failures.ts';
import { queueUntil } from '#kernel/base/queue-until.ts';
import { isConnectionLost } from '#kernel/postgres/database.ts';

const GROUP_LIMITS = {
  /** Requests of one transaction. Its fixed cost is spread by then, and no request waits long for the others. */
  requestsMax: 500,
  /** A group takes at least so many, even when nothing remains for other lanes: fewer would not spread the cost. */
  requestsMin: 128,
  /** Concurrent transactions: while the database works on one and syncs another, this process prepares the next. */
  lanes: 3,
  /** Another lane starts, and continues, when so many wait. Fewer finish sooner together, after the running one. */
  waitingMin: 32,
  /** How long a group retries after a lost connection, where nothing else is asked for: enough for a database restart. */
  tryMsMax: 8_000,
  retryMs: 50,
} as const;

/** Collects single requests and settles them in groups: requests that arrive while others run go together. */
export interface Group<Request> {
  /**
   * @param toResult makes the result from the outcome; a refusal rejects
   * @param signal drops the request while no group has taken it; it rejects with the reason
   */
  readonly ask: <Result>(
    request: Request,
    toResult: (outcome: unknown) => Result,
    signal?: AbortSignal,
  ) => Promise<Result>;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

interface QueuedRequest<Request> {
  readonly request: Request;
  readonly settle: (outcome: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * @param settle decides a group and resolves when all of it is durable, with one outcome for each request, in order:
 *   the answer, or a Refusal. It may run again for the same group: an operation takes effect once under its key.
 * @param toFailure the error for requests of a group that could not be settled
 * @param tryMsMax how long a group retries after a lost connection; 0: not at all
 */
export function openGroup<Request>(
  settle: (requests: readonly Request[]) => Promise<readonly unknown[]>,
  toFailure: (error: unknown) => Error,
  tryMsMax: number = GROUP_LIMITS.tryMsMax,
): Group<Request> {
  const queue: QueuedRequest<Request>[] = [];
  const busy = new Set<Promise<void>>();
  let waiting = 0;
  let isClosed = false;

  return {
    ask: (request, toResult, signal) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(toFailure(new Error('this process is stopping')));
        waiting += 1;
        const one: QueuedRequest<Request> = {
          request,
          settle: (outcome) => (outcome instanceof Refusal ? reject(outcome) : resolve(toResult(outcome))),
          fail: reject,
        };
        queueUntil(queue, one, signal, (reason) => {
          waiting -= 1;
          reject(reason);
        });
        if (busy.size < GROUP_LIMITS.lanes && isWorthALane(busy.size)) begin();
      }),
    waiting: () => waiting,
    close: async () => {
      isClosed = true;
      // A lane that ends in this turn may start another one.
      while (busy.size > 0) await Promise.all(busy);
    },
  };

  function begin(): void {
    const running: Promise<void> = run().finally(() => {
      busy.delete(running);
      // Requests that arrived since its last check relied on it.
      if (isWorthALane(busy.size)) begin();
    });
    busy.add(running);
  }

  function isWorthALane(others: number): boolean {
    return queue.length > 0 && (others === 0 || queue.length >= GROUP_LIMITS.waitingMin);
  }

  async function run(): Promise<void> {
    do {
      // Requests that are already in the sockets join this group.
      await nextTurn();
      const group = queue.splice(0, sizeOf(queue.length));
      if (group.length > 0) await settleAll(group);
      waiting -= group.length;
    } while (isWorthALane(busy.size - 1));
  }

  async function settleAll(group: readonly QueuedRequest<Request>[]): Promise<void> {
    try {
      const outcomes = await persist(group.map(({ request }) => request));
      if (outcomes.length !== group.length) throw new Error('a group has more or fewer outcomes than requests');
      for (let index = 0; index < group.length; index += 1) group[index]?.settle(outcomes[index]);
    } catch (error) {
      // One request that the database refuses must not fail the others.
      if (group.length > 1 && !isLost(error)) for (const alone of group) await settleAll([alone]);
      else for (const one of group) one.fail(toFailure(error));
    }
  }

  /** Retries after a lost connection; the keys show whether the commit succeeded. */
  async function persist(requests: readonly Request[]): Promise<readonly unknown[]> {
    const giveUp = performance.now() + tryMsMax;
    for (;;) {
      try {
        return await settle(requests);
      } catch (error) {
        if (!isLost(error) || performance.now() >= giveUp) throw error;
        await new Promise((resolve) => setTimeout(resolve, GROUP_LIMITS.retryMs));
      }
    }
  }
}

/** A lane leaves their share to the others: several at once keep this process and the database busy. */
function sizeOf(waiting: number): number {
  const { requestsMin, requestsMax, lanes } = GROUP_LIMITS;
  return Math.min(requestsMax, Math.max(requestsMin, Math.ceil(waiting / lanes)));
}

/** A decision that toFailure, and would fail at every retry. */
export class FailedDecision extends Error {}

function isLost(error: unknown): boolean {
  return !(error instanceof FailedDecision) && isConnectionLost(error);
}
