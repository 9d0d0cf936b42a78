import type { Clock } from '#kernel/base/clock.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { eventRefusal } from './refusals.ts';
import { queueUntil } from '#kernel/base/queue-until.ts';
import type { Log } from '#kernel/base/log.ts';
import { type Database, isConnectionLost } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import { beginDay, dayOf } from './event-days.ts';
import type { EventMetrics } from './event-metrics.ts';
import { openLane, type Lane } from './lane.ts';
import type { Pseudonyms } from './pseudonyms.ts';
import { eventPreparation, type JudgedBatch, subjectsOf } from './ready-events.ts';
import { writeEvents, type EventResult } from './write-events.ts';

const WRITER_LIMITS = {
  /** Events of one transaction: enough to spread its fixed cost, few enough for a short wait. */
  eventsInGroupMax: 5_000,
  /** Transactions at a time: while the database works on one, this process prepares the next. */
  lanes: 2,
  /** Attempts of a group whose subjects are erased meanwhile. */
  triesMax: 5,
} as const;

/**
 * Makes batches durable, many in one transaction: 30,000 events a second in batches of 100, on two cores that PostgreSQL
 * shares. Uses arrays in one statement instead of COPY, because ids have to be claimed in the same transaction.
 */
export interface LogWriter {
  /**
   * Resolves with the outcomes in order when the events are durable; undefined for a replayed event that is no longer in
   * the quarantine. Rejects with `events/not-stored` when the commit is not confirmed, and with the reason of a signal
   * that fires before the transaction begins: then nothing is stored.
   */
  readonly write: (batch: JudgedBatch, signal?: AbortSignal) => Promise<readonly (EventResult | undefined)[]>;
  /** Events that are not answered yet. */
  readonly waiting: () => number;
  /** Refuses new batches; resolves when all others are answered. */
  readonly close: () => Promise<void>;
}

interface Waiting {
  readonly batch: JudgedBatch;
  readonly resolve: (results: readonly (EventResult | undefined)[]) => void;
  readonly reject: (why: unknown) => void;
}

export function logWriter(parts: {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly pseudonyms: Pseudonyms;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: EventMetrics;
}): LogWriter {
  const { database, pseudonyms, clock, log, metrics } = parts;
  const prepare = eventPreparation(parts);
  const queue: Waiting[] = [];
  const idle = Array.from({ length: WRITER_LIMITS.lanes }, () => openLane(database));
  const busy = new Set<Promise<void>>();
  let waiting = 0;
  let isClosed = false;
  /** The current day of the database, when last read. */
  let lastDay = '';

  return {
    write: (batch, signal) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(notStoredRefusal('this process is stopping'));
        waiting += batch.verdicts.length;
        queueUntil(queue, { batch, resolve, reject }, signal, (reason) => {
          waiting -= batch.verdicts.length;
          reject(reason);
        });
        const lane = idle.pop();
        if (lane === undefined) return;
        const running: Promise<void> = run(lane).finally(() => busy.delete(running));
        busy.add(running);
      }),
    waiting: () => waiting,
    close: async () => {
      isClosed = true;
      await Promise.all(busy);
      await Promise.all(idle.map((lane) => lane.close()));
    },
  };

  async function run(lane: Lane): Promise<void> {
    // Batches of the same turn of the event loop share a transaction.
    await Promise.resolve();
    for (let group = nextGroup(); group.length > 0; group = nextGroup()) {
      try {
        await settle(lane, group);
      } catch (error) {
        // One event that the database refuses must not fail the others.
        if (group.length === 1 || isConnectionLost(error)) fail(group, error);
        else for (const alone of group) await settle(lane, [alone]).catch((why: unknown) => fail([alone], why));
      }
      for (const { batch } of group) waiting -= batch.verdicts.length;
    }
    // In the same turn in which the queue was empty, so that the next batch finds the lane.
    idle.push(lane);
  }

  function nextGroup(): readonly Waiting[] {
    let events = 0;
    let batches = 0;
    for (const { batch } of queue) {
      events += batch.verdicts.length;
      if (batches > 0 && events > WRITER_LIMITS.eventsInGroupMax) break;
      batches += 1;
    }
    return queue.splice(0, batches);
  }

  function fail(group: readonly Waiting[], error: unknown): void {
    log.error({ err: error, batches: group.length }, 'events: cannot commit; batches answered 503');
    for (const { reject } of group) reject(notStoredRefusal('the database did not take them'));
  }

  async function settle(lane: Lane, group: readonly Waiting[]): Promise<void> {
    const results = await write(
      lane,
      group.map(({ batch }) => batch),
    );
    let at = 0;
    for (const { batch, resolve } of group) {
      const own = results.slice(at, (at += batch.verdicts.length));
      metrics.countOutcomes(batch.verdicts, own);
      resolve(own);
    }
  }

  async function write(lane: Lane, batches: readonly JudgedBatch[]): Promise<readonly (EventResult | undefined)[]> {
    const begun = performance.now();
    const now = clock();
    const today = dayOf(now);
    if (lastDay < today) lastDay = await beginDay(database, today);
    for (let tries = 1; ; tries += 1) {
      const ready = await prepare(batches);
      const written = await writeEvents(lane, ready, now.epochMilliseconds);
      if (written.is === 'written') {
        if (lastDay < written.day) lastDay = written.day;
        metrics.observeCommit(performance.now() - begun);
        return written.results;
      }
      if (tries === WRITER_LIMITS.triesMax) throw new Error('subjects were erased again and again');
      pseudonyms.forget(subjectsOf(batches));
    }
  }
}

function notStoredRefusal(why: string): Refusal {
  return eventRefusal('not-stored', `The events were not acknowledged: ${why}.`, {
    retryAfterSeconds: 1,
  });
}
