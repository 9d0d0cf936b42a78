import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '#kernel/base/clock.ts';
import { Unavailable, type Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { queueUntil } from '#kernel/base/queue-until.ts';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import type { Log } from '#kernel/base/log.ts';
import { isConnectionLost, isReadOnlySession } from '#kernel/postgres/database.ts';
import type { Author, Change, Decide, Outcome, Unblock } from './contract.ts';
import { forecastEach } from './forecast.ts';
import type { StoreLimits } from './limits.ts';
import type { Memory } from './memory.ts';
import { BatchPlan, type WriteRequest } from './plan-batch.ts';
import type { WriterSession } from './writer-session.ts';

/** How often one batch is sent again after connections that broke under it, before something else must be wrong. */
const COMMIT_TRIES_MAX = 50;
/** How often one request is decided again after conversions: objects, their results, and both for policies of other versions. */
const UNBLOCK_TRIES_MAX = 12;

/** One write as the sequencer takes it. */
interface Write<Operation> {
  /** Names it, see `WriteRequest.writeId`. */
  readonly id: string;
  readonly operations: readonly Operation[];
  readonly author: Author;
  readonly dryRun: boolean;
}

type CommitResult =
  | { readonly is: 'durable' }
  /** The server answered that it did not happen. */
  | { readonly is: 'refused'; readonly why: unknown }
  | { readonly is: 'stopped'; readonly why: Refusal };

/**
 * The one place where writes get their order. It takes what is queued, decides and numbers it, makes it durable in
 * one transaction, and only then shows it: to readers, to the callers, to the subscribers, in this order.
 */
export class Sequencer<Operation> {
  readonly #memory: Memory;
  readonly #session: WriterSession;
  readonly #decide: Decide<Operation>;
  readonly #clock: Clock;
  readonly #limits: StoreLimits;
  readonly #log: Log | undefined;
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  readonly #queue: WriteRequest<Operation>[] = [];
  /** Taken from the queue, not answered yet. */
  #inFlight: readonly WriteRequest<Operation>[] = [];
  /** Requests of a batch that the server refused: each is tried alone, so that only the culprit fails. */
  #alone = 0;
  #wake: () => void = () => {};
  /** Once set, no more writes are taken, for this reason. */
  #closed: Refusal | undefined;
  #closeBy = Infinity;
  /** Whether another process can take over: then this one gives way when the database is silent. */
  readonly #givesWay: boolean;
  readonly #unblock: Unblock | undefined;
  #isBeating = false;
  /** Why the database took no batch, or no beat, when it last got one: a full disk may have room for the small one. */
  readonly #refused: { batch?: string | undefined; beat?: string | undefined } = {};
  /** When a session that takes no writes was last given up, by the steady clock. */
  #renewedAtMs = -Infinity;
  readonly #heart: NodeJS.Timeout;
  readonly #finished: Promise<void>;
  #tellLost: (why: Refusal) => void = () => {};
  /** Resolves when the right to write is gone for good, unless by `close`. */
  readonly lost: Promise<Refusal> = new Promise((tell) => (this.#tellLost = tell));

  constructor(parts: {
    readonly memory: Memory;
    readonly session: WriterSession;
    readonly decide: Decide<Operation>;
    readonly clock: Clock;
    readonly limits: StoreLimits;
    readonly log: Log | undefined;
    readonly givesWay?: boolean;
    readonly unblock?: Unblock | undefined;
  }) {
    this.#unblock = parts.unblock;
    this.#givesWay = parts.givesWay ?? false;
    this.#memory = parts.memory;
    this.#session = parts.session;
    this.#decide = parts.decide;
    this.#clock = parts.clock;
    this.#limits = parts.limits;
    this.#log = parts.log;
    this.#wakeWhenLost();
    this.#heart = setInterval(() => this.#beat(), parts.limits.beatMs);
    this.#finished = this.#run();
  }

  get epoch(): number {
    return this.#session.epoch;
  }

  /** Milliseconds since this process was last known to be the writer. */
  get behindMs(): number {
    return this.#session.behindMs;
  }

  /** Whether what it shows is the newest there is: nobody else can have written since. */
  get isConfirmed(): boolean {
    return !this.#session.isLost && this.behindMs < this.#limits.leaseMs;
  }

  /** Why nothing can be written although the database answers: it is full, or takes no writes. */
  get refusedBecause(): string | undefined {
    return this.#refused.batch ?? this.#refused.beat;
  }

  /** Finds out anew whether this process is still the writer, after a sign that it is not. */
  doubt(): void {
    this.#session.abort();
  }

  /** @param signal drops the write, as long as it is queued; it is then rejected with the reason */
  async write(write: Write<Operation>, signal?: AbortSignal): Promise<readonly Outcome[]> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#enqueue(write, signal);
      } catch (error) {
        const unblock = this.#unblock;
        if (unblock?.groupOf(error) === undefined || tries >= UNBLOCK_TRIES_MAX) throw error;
        await unblock.remove(await this.#reasonsOf(write, error, unblock), signal);
      }
    }
  }

  /** Everything that blocks operations of a write: removed one by one, each would have all of them decided anew. */
  async #reasonsOf(
    { operations, author }: Write<Operation>,
    first: unknown,
    { groupOf }: Unblock,
  ): Promise<readonly unknown[]> {
    if (operations.length === 1) return [first];
    const batch = new BatchPlan<Operation>(this.#memory, (...given) => this.#decide(...given), this.#clock());
    const decided = await inTurns(forecastEach(operations, author, batch));
    const reasons = decided.filter((result) => groupOf(result) !== undefined);
    return reasons.length === 0 ? [first] : reasons;
  }

  #enqueue(
    { id: writeId, operations, author, dryRun }: Write<Operation>,
    signal: AbortSignal | undefined,
  ): Promise<readonly Outcome[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) return reject(this.#closed);
      if (this.#queue.length >= this.#limits.queuedRequests) return reject(tooBusy(this.#queue.length));
      if (operations.length > this.#limits.operationsInRequest) {
        return reject(tooLarge(operations.length, this.#limits.operationsInRequest));
      }
      const request = { operations, author, dryRun, writeId, signal, resolve, reject };
      queueUntil(this.#queue, request, signal, reject);
      this.#wake();
    });
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    // Wrapped, so that a function that subscribes twice is called twice.
    const call = (changes: readonly Change[]): void => listener(changes);
    this.#listeners.add(call);
    return () => this.#listeners.delete(call);
  }

  /** Resolves when everything that was accepted is answered and the right to write is given up. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** Takes no more writes, finishes those it has, gives up the right to write. */
  async close(): Promise<void> {
    this.#closed ??= notWriter('This process is stopping and takes no more writes.');
    this.#closeBy = Math.min(this.#closeBy, performance.now() + this.#limits.closeSeconds * 1000);
    this.#wake();
    await this.#finished;
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#somethingToDo();
        if (this.#session.isLost) {
          const lost = await this.#resumeIdle();
          if (lost !== undefined) return this.#lose(lost);
        }
        if (this.#queue.length === 0) {
          if (this.#closed === undefined) continue;
          return;
        }
        // A caller that was answered a moment ago may ask again and share the next batch.
        await nextTurn();
        const stopped = await this.#writeBatch();
        if (stopped !== undefined) return this.#lose(stopped);
      }
    } catch (error) {
      this.#log?.error({ err: error }, 'writer: failed');
      this.#lose(notWriter(`The writer failed: ${error instanceof Error ? error.message : String(error)}`));
    } finally {
      clearInterval(this.#heart);
      await this.#session.close();
    }
  }

  #beat(): void {
    if (this.#session.isLost) return;
    // Whatever waits for an answer now would wait in vain: its connection goes, and with it the right to write.
    if (this.#givesWay && this.#session.silentMs > this.#limits.silentMs) return this.#session.abort();
    if (this.#isBeating || this.#inFlight.length > 0 || this.behindMs < this.#limits.beatMs / 2) return;
    this.#isBeating = true;
    void this.#session
      .beat(this.#memory.version)
      .then(
        (isOurs) => {
          this.#refused.beat = undefined;
          if (!isOurs) this.doubt();
        },
        (error: unknown) => {
          this.#refused.beat = refusalIn(error);
          this.#renewReadOnly(error);
          this.#log?.debug({ err: error }, 'writer: heartbeat failed');
        },
      )
      .finally(() => {
        this.#isBeating = false;
      });
  }

  async #somethingToDo(): Promise<void> {
    while (this.#queue.length === 0 && this.#closed === undefined && !this.#session.isLost) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Says why the writer has to stop, if it has to. */
  async #writeBatch(): Promise<Refusal | undefined> {
    const plan = await inTurns(this.#planBatch());
    const result: CommitResult = plan.changes.length === 0 ? { is: 'durable' } : await this.#commit(plan);
    switch (result.is) {
      case 'durable': {
        this.#alone = Math.max(0, this.#alone - plan.requests.length);
        this.#inFlight = [];
        this.#memory.publish(plan.changes);
        plan.answer();
        if (plan.changes.length > 0) this.#notify(plan.changes);
        return undefined;
      }
      case 'refused': {
        this.#inFlight = [];
        if (plan.requests.length > 1) {
          this.#queue.unshift(...plan.requests);
          this.#alone = plan.requests.length;
        } else {
          this.#alone = Math.max(0, this.#alone - 1);
          for (const request of plan.requests) request.reject(notStoredRefusal(result.why));
        }
        return undefined;
      }
      case 'stopped':
        return result.why;
    }
  }

  /** Nothing that it is decided against changes meanwhile: only this writes. */
  *#planBatch(): Steps<BatchPlan<Operation>> {
    const plan = new BatchPlan(this.#memory, this.#decide, this.#clock());
    this.#inFlight = plan.requests;
    const requestsMax = this.#alone > 0 ? 1 : this.#limits.requestsInBatch;
    while (plan.requests.length < requestsMax && plan.characters < this.#limits.charactersInBatch) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      // It came back from a batch that was refused, and nobody waits for it any more.
      if (request.signal?.aborted === true) request.reject(request.signal.reason);
      else yield* plan.add(request);
    }
    return plan;
  }

  async #commit(plan: BatchPlan<Operation>): Promise<CommitResult> {
    for (let tries = 1; ; tries++) {
      try {
        if (!(await this.#session.commit(plan))) return { is: 'stopped', why: takenOver() };
        this.#refused.batch = undefined;
        return { is: 'durable' };
      } catch (error) {
        this.#refused.batch = refusalIn(error);
        if (!this.#session.isLost && !isConnectionLost(error)) {
          this.#renewReadOnly(error);
          return { is: 'refused', why: error };
        }
        if (tries >= COMMIT_TRIES_MAX) return { is: 'stopped', why: outcomeUnknown() };
        this.#log?.warn({ err: error }, 'writer: connection lost during a commit; checking whether it was committed');
      }
      const version = await this.#resume();
      if (version === 'taken') {
        const committed = await this.#session.wasCommitted(plan.lastVersion);
        return committed ? { is: 'durable' } : { is: 'stopped', why: takenOver() };
      }
      if (version === 'stopped') return { is: 'stopped', why: outcomeUnknown() };
      if (version === plan.lastVersion) return { is: 'durable' };
      if (version !== plan.after) return { is: 'stopped', why: otherState(version, plan.after) };
      // It did not happen and no longer can: the same batch goes out again, under the same numbers.
    }
  }

  /** Gives up a session that takes no writes: whether the database takes them again shows in a new one. */
  #renewReadOnly(error: unknown): void {
    const nowMs = performance.now();
    if (!isReadOnlySession(error) || nowMs - this.#renewedAtMs < this.#limits.beatMs) return;
    this.#renewedAtMs = nowMs;
    this.#session.abort();
  }

  async #resumeIdle(): Promise<Refusal | undefined> {
    const version = await this.#resume();
    if (version === 'taken') return takenOver();
    if (version === 'stopped') return gaveWay();
    return version === this.#memory.version ? undefined : otherState(version, this.#memory.version);
  }

  async #resume(): Promise<number | 'taken' | 'stopped'> {
    const sinceMs = performance.now();
    const timeLeftMs = (): number =>
      Math.min(this.#closeBy, this.#givesWay ? sinceMs + this.#limits.silentMs : Infinity) - performance.now();
    const resuming = this.#session.resume(() => timeLeftMs() <= 0, this.#log);
    const version = await untilStopped(resuming, timeLeftMs);
    this.#wakeWhenLost();
    return version;
  }

  #wakeWhenLost(): void {
    void this.#session.lost.then(() => this.#wake());
  }

  #notify(changes: readonly Change[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(changes);
      } catch (error) {
        this.#log?.error({ err: error }, 'store: a subscriber to changes failed');
      }
    }
  }

  #lose(why: Refusal): void {
    const closing = this.#closed !== undefined;
    this.#closed = why;
    for (const request of this.#inFlight) request.reject(why);
    for (const request of this.#queue.splice(0)) request.reject(notWriter(`Nothing was written. ${why.message}`));
    if (closing) return;
    this.#log?.error(`writer lock: lost; ${why.message}`);
    this.#tellLost(why);
  }
}

/** How often it is looked whether the time is up that something may take. */
const LOOK_MS = 100;

/** The result of `resuming`, or 'stopped' when no time is left for it: connecting may take longer than that. */
async function untilStopped<Result>(resuming: Promise<Result>, leftMs: () => number): Promise<Result | 'stopped'> {
  const { promise, resolve } = Promise.withResolvers<'stopped'>();
  const look = setInterval(() => {
    if (leftMs() <= 0) resolve('stopped');
  }, LOOK_MS);
  try {
    return await Promise.race([resuming, promise]);
  } finally {
    clearInterval(look);
  }
}

/** The database's reason for refusing writes for now; undefined for a lost connection, and for faults of one write. */
function refusalIn(error: unknown): string | undefined {
  return error instanceof Unavailable && !isConnectionLost(error) ? error.message : undefined;
}

function tooBusy(queued: number): Refusal {
  return httpRefusal('overloaded', `${queued} writes are waiting already.`, {
    retryAfterSeconds: 1,
    remedy: 'Try again in a moment.',
  });
}

function tooLarge(operations: number, most: number): Refusal {
  return resourceRefusal(
    'too-many-operations',
    `One atomic request may hold ${most} operations, and this one holds ${operations}.`,
    { remedy: 'Send several smaller requests.' },
  );
}

function notWriter(message: string): Refusal {
  return resourceRefusal('not-writer', message, {
    retryAfterSeconds: 1,
  });
}

function takenOver(): Refusal {
  return resourceRefusal('taken-over', 'Another process writes to the database now; nothing was written.', {
    retryAfterSeconds: 1,
  });
}

function otherState(found: number, expected: number): Refusal {
  return notWriter(
    `The database is at version ${found} where this process left it at ${expected}: it was restored or replaced.`,
  );
}

function gaveWay(): Refusal {
  return resourceRefusal('gave-way', 'The database does not answer the writer, which gives way.', {
    retryAfterSeconds: 1,
  });
}

function outcomeUnknown(): Refusal {
  return resourceRefusal(
    'outcome-unknown',
    'The database went away during the write and did not come back: whether it was written is not known.',
  );
}

function notStoredRefusal(why: unknown): Refusal {
  return resourceRefusal(
    'not-stored',
    why instanceof Unavailable
      ? why.message
      : `The database refused the write: ${why instanceof Error ? why.message : String(why)}.`,
    { retryAfterSeconds: 1 },
  );
}
