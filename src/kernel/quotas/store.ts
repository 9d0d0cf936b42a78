import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { idOf, type Book } from './book.ts';
import type { Answer, CheckAnswer, Check, Signer, SlotAnswer } from './contract.ts';
import { decide, settleExpired } from './decide.ts';
import { checked } from './check.ts';
import { FailedDecision, openGroup } from './group.ts';
import { bucketsOf, subjectsOf, type Operation } from './operation.ts';
import type { QuotaMetrics } from './quota-metrics.ts';
import { addSubjects, lockSubjects } from './records/lock-subjects.ts';
import { readBook, type Needs } from './records/read-book.ts';
import { writeBook } from './records/write-book.ts';
import type { Seen } from './seen.ts';
import { decideSlot, type SlotRequest } from './slots.ts';

/** How often a transaction is begun anew because it needs subjects that were not known to be needed, or are new. */
const TRIES_MAX = 5;

/** What is decided together with others: what it looks at, and its decision over the book of the transaction. */
interface Deal {
  readonly subjects: readonly string[];
  readonly keys: Needs['keys'];
  readonly buckets: Needs['buckets'];
  readonly slots: Needs['slots'];
  readonly decide: (book: Book) => unknown;
}

/** The quotas of one database. */
export interface Store {
  readonly operate: (operation: Operation) => Promise<Answer>;
  readonly slot: (request: SlotRequest) => Promise<SlotAnswer>;
  readonly check: (check: Check) => Promise<CheckAnswer>;
  /** Gives back the units of reservations of the subject that have expired. */
  readonly settle: (subject: string) => Promise<void>;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

/**
 * Many requests of many subjects are decided in one transaction: the subjects are locked in order, everything about them
 * is read, the pure rules decide one request after the other, and all that changed is written and committed before the
 * first one is answered. Whoever else wants one of the subjects, in this process or another, waits at its lock.
 */
export function openStore(parts: {
  readonly database: Database;
  readonly clock: Clock | undefined;
  readonly signer: Signer;
  readonly log: Log;
  readonly metrics: QuotaMetrics;
  readonly seen: Seen;
}): Store {
  const { database, clock, signer, log, metrics, seen } = parts;
  const writes = openGroup<Deal>(write, notStored);
  const reads = openGroup<Deal>(read, notStored);

  return {
    operate: (operation) => {
      const { subject, key } = operation;
      const deal: Deal = {
        subjects: subjectsOf(operation),
        keys:
          'of' in operation
            ? [
                [subject, key],
                [subject, operation.of],
              ]
            : [[subject, key]],
        buckets: [...bucketsOf(operation)],
        slots: [],
        decide: (book) => decide(book, operation),
      };
      return writes.ask(deal, (outcome) => {
        const answer = outcome() as Answer;
        metrics.decided(operation.kind, answer.outcome, answer.replayed);
        return answer;
      });
    },
    slot: (request) => {
      const { subject, quota } = request;
      const decided = (book: Book): SlotAnswer => decideSlot(book, request, signer);
      const deal = { subjects: [subject], keys: [], buckets: [], slots: [[subject, quota]] as const, decide: decided };
      return writes.ask(deal, (outcome) => {
        const answer = outcome() as SlotAnswer;
        metrics.decided(request.kind, answer.outcome, false);
        return answer;
      });
    },
    check: (check) => {
      const { subject, buckets } = check;
      const deal: Deal = {
        subjects: [subject],
        keys: [],
        buckets: buckets.map(({ id }) => [subject, id]),
        slots: [],
        decide: (book) => checked(book, check),
      };
      return reads.ask(deal, (outcome) => outcome() as CheckAnswer);
    },
    settle: async (subject) => {
      const deal = { subjects: [subject], keys: [], buckets: [], slots: [], decide: () => undefined };
      await writes.ask(deal, (outcome) => outcome());
    },
    waiting: () => writes.waiting() + reads.waiting(),
    close: async () => {
      await Promise.all([writes.close(), reads.close()]);
    },
  };

  function notStored(error: unknown): Error {
    log.error({ err: error }, 'quotas could not be decided');
    if (error instanceof FailedDecision) return error;
    return new Refusal('quotas/not-stored', 'ServiceUnavailable', 'The database did not confirm it in time.', {
      retryAfterSeconds: 1,
      remedy: 'Ask again under the same key: if it was done after all, that is answered.',
    });
  }

  async function write(deals: readonly Deal[]): Promise<readonly (() => unknown)[]> {
    const begun = performance.now();
    const needs = needsOf(deals);
    const subjects = new Set(needs.subjects);
    for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
      let book: Book | undefined;
      const outcomes = await database.transaction(async (connection) => {
        if ((await lockSubjects(connection, [...subjects])) < subjects.size) return undefined;
        book = await readBook(connection, needs, clock?.().epochMilliseconds);
        // Receipts may name subjects of others: those are locked as well, in order, from the beginning.
        const before = subjects.size;
        for (const subject of named(book)) subjects.add(subject);
        if (subjects.size > before) return undefined;
        const decided = decideAll(book, deals, needs.subjects);
        await writeBook(connection, book);
        return decided;
      });
      if (outcomes !== undefined && book !== undefined) {
        seen.note(book, needs);
        metrics.committed(deals.length, performance.now() - begun);
        return outcomes;
      }
      if (book === undefined) await addSubjects(database, [...subjects]);
    }
    throw new Error('subjects were erased again and again');
  }

  async function read(deals: readonly Deal[]): Promise<readonly (() => unknown)[]> {
    const needs = needsOf(deals);
    const book = await database.transaction(async (connection: Queryable) => {
      await connection.query('set transaction isolation level repeatable read, read only');
      return readBook(connection, needs, clock?.().epochMilliseconds);
    });
    const outcomes = decideAll(book, deals, needs.subjects);
    seen.note(book, needs);
    return outcomes;
  }
}

function decideAll(book: Book, deals: readonly Deal[], subjects: ReadonlySet<string>): readonly (() => unknown)[] {
  for (const subject of subjects) settleExpired(book, subject);
  return deals.map(({ decide }) => {
    try {
      const answer = decide(book);
      return () => answer;
    } catch (error) {
      // What is no refusal is a bug, and nothing of this transaction can be trusted.
      if (!(error instanceof Refusal)) throw new FailedDecision('a decision failed', { cause: error });
      return () => {
        throw error;
      };
    }
  });
}

function needsOf(deals: readonly Deal[]): Needs {
  const pairs = new Map<string, readonly [string, string]>();
  for (const { buckets } of deals) for (const pair of buckets) pairs.set(idOf(...pair), pair);
  const keys = new Map<string, readonly [string, string]>();
  for (const deal of deals) for (const pair of deal.keys) keys.set(idOf(...pair), pair);
  return {
    subjects: new Set(deals.flatMap(({ subjects }) => subjects)),
    keys: [...keys.values()],
    buckets: [...pairs.values()],
    slots: deals.flatMap(({ slots }) => slots),
  };
}

/** Subjects whose counters an answer of the past may give back to. */
function* named(book: Book): Iterable<string> {
  for (const { answer } of book.operations.values()) for (const { subject } of answer.receipt) yield subject;
}
