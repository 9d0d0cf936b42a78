import { setImmediate as nextTurn } from 'node:timers/promises';
import { Refusal } from '#kernel/base/failures.ts';
import { queueUntil } from '#kernel/base/queue-until.ts';
import { isConnectionLost } from '#kernel/postgres/database.ts';

const GROUP_LIMITS = {
  /** Requests of one transaction: its fixed cost is spread by then, and nobody waits long for the others. */
  requestsMax: 500,
  /** As many go together even if that leaves nothing to the other lanes: fewer would not spread the cost. */
  requestsMin: 128,
  /** Transactions at a time: while the database works on one and syncs another, this process prepares the next. */
  lanes: 3,
  /** Another one begins, and goes on, when so many wait: fewer are sooner done together, when the one under way is. */
  waitingMin: 32,
  /** How long a group is tried again after a lost connection: a database that restarts is back by then. */
  tryMsMax: 8_000,
  retryMs: 50,
} as const;

/** Takes single requests and settles them in groups: what comes while others are under way goes together. */
export interface Group<Request> {
  /**
   * @param decided makes the result of what was decided; a refusal rejects.
   * @param signal drops the request, as long as no group has taken it; it is then rejected with the reason
   */
  readonly ask: <Result>(
    request: Request,
    decided: (outcome: unknown) => Result,
    signal?: AbortSignal,
  ) => Promise<Result>;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

interface Waiting<Request> {
  readonly request: Request;
  readonly settle: (outcome: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * @param settle decides a group, all of it durable when it resolves, with an outcome for each in order: the answer, or a
 *   Refusal. It may run again for the same group: what is done under a key is done once.
 * @param failed what the requests of a group are rejected with, when they could not be settled
 */
export function openGroup<Request>(
  settle: (requests: readonly Request[]) => Promise<readonly unknown[]>,
  failed: (error: unknown) => Error,
): Group<Request> {
  const queue: Waiting<Request>[] = [];
  const busy = new Set<Promise<void>>();
  let waiting = 0;
  let isClosed = false;

  return {
    ask: (request, decided, signal) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(failed(new Error('this process is stopping')));
        waiting += 1;
        const one: Waiting<Request> = {
          request,
          settle: (outcome) => (outcome instanceof Refusal ? reject(outcome) : resolve(decided(outcome))),
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
      // A lane that ends in this turn may leave another one that begins.
      while (busy.size > 0) await Promise.all(busy);
    },
  };

  function begin(): void {
    const running: Promise<void> = run().finally(() => {
      busy.delete(running);
      // What came since it looked last relied on it.
      if (isWorthALane(busy.size)) begin();
    });
    busy.add(running);
  }

  function isWorthALane(others: number): boolean {
    return queue.length > 0 && (others === 0 || queue.length >= GROUP_LIMITS.waitingMin);
  }

  async function run(): Promise<void> {
    do {
      // What has come by then, and is only to be read from sockets, goes along.
      await nextTurn();
      const group = queue.splice(0, sizeOf(queue.length));
      if (group.length > 0) await settleAll(group);
      waiting -= group.length;
    } while (isWorthALane(busy.size - 1));
  }

  async function settleAll(group: readonly Waiting<Request>[]): Promise<void> {
    try {
      const outcomes = await persist(group.map(({ request }) => request));
      if (outcomes.length !== group.length) throw new Error('a group has another number of outcomes than of requests');
      for (let index = 0; index < group.length; index += 1) group[index]?.settle(outcomes[index]);
    } catch (error) {
      // One request that the database refuses must not take the others along.
      if (group.length > 1 && !isLost(error)) for (const alone of group) await settleAll([alone]);
      else for (const one of group) one.fail(failed(error));
    }
  }

  /** Tries again when the connection was lost: whether a commit got through is found out by the keys. */
  async function persist(requests: readonly Request[]): Promise<readonly unknown[]> {
    const giveUp = performance.now() + GROUP_LIMITS.tryMsMax;
    for (;;) {
      try {
        return await settle(requests);
      } catch (error) {
        if (!isLost(error) || performance.now() > giveUp) throw error;
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

/** A decision that failed, which it does again however often it is tried. */
export class FailedDecision extends Error {}

function isLost(error: unknown): boolean {
  return !(error instanceof FailedDecision) && isConnectionLost(error);
}
