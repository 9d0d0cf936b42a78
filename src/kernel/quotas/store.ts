import { randomInt } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { idOf, type Book } from './book.ts';
import type { Answer, CheckAnswer, Check, Signer, SlotAnswer } from './contract.ts';
import { decide, settleExpired } from './decide.ts';
import { checked } from './check.ts';
import { openDatabaseTime } from './database-time.ts';
import { FailedDecision, openGroup } from './group.ts';
import type { Known } from './known.ts';
import { bucketsOf, subjectsOf, type ChargeOperation, type Operation } from './operation.ts';
import type { QuotaMetrics } from './quota-metrics.ts';
import { addSubjects, lockSubjects } from './records/lock-subjects.ts';
import { readBook, type Needs } from './records/read-book.ts';
import { recordBook, writeBook, type Versions } from './records/write-book.ts';
import type { Seen } from './seen.ts';
import { decideSlot, type SlotRequest } from './slots.ts';

/** How often a transaction is begun anew because it needs subjects that were not known to be needed, or are new. */
const TRIES_MAX = 5;

/** A database whose time is further from what we take it for is asked for it again. */
const APART_MS_MAX = 1_000;

/** What `randomInt` gives at most; the same mark twice in a row at one subject is as likely as 1 : 2^48. */
const MARK_MAX = 2 ** 48 - 1;

/** What is decided together with others: what it looks at, and its decision over the book of the transaction. */
interface Deal {
  readonly operation?: Operation;
  readonly subjects: () => readonly string[];
  readonly buckets: () => Needs['buckets'];
  readonly slots?: Needs['slots'];
  readonly decide: (book: Book) => unknown;
}

interface ChargeDeal extends Deal {
  readonly operation: ChargeOperation;
}

/** The quotas of one database. */
export interface Store {
  readonly operate: (operation: Operation) => Promise<Answer>;
  readonly slot: (request: SlotRequest) => Promise<SlotAnswer>;
  readonly check: (check: Check) => Promise<CheckAnswer>;
  /** Gives back the units of reservations of the subject that have expired. */
  readonly settle: (subject: string) => Promise<void>;
  /** Drops what is remembered of an erased subject. */
  readonly forget: (subject: string) => void;
  readonly waiting: () => number;
  readonly close: () => Promise<void>;
}

/**
 * Many requests of many subjects are decided in one transaction: the subjects are locked in order, everything about them
 * is read, the pure rules decide one request after the other, and all that changed is written and committed before the
 * first one is answered. Whoever else wants one of the subjects, in this process or another, waits at its lock.
 *
 * What this process knows of its last transactions is not read again: the decision is made ahead, and one statement
 * locks the subjects, sees that nobody changed them, writes and commits. When somebody did, it is decided as above.
 */
export function openStore(parts: {
  readonly database: Database;
  readonly clock: Clock | undefined;
  readonly signer: Signer;
  readonly log: Log;
  readonly metrics: QuotaMetrics;
  readonly seen: Seen;
  readonly known: Known;
}): Store {
  const { database, clock, signer, log, metrics, seen, known } = parts;
  const time = openDatabaseTime();
  const writes = openGroup<Deal>(write, notStored);
  const charges = openGroup<ChargeDeal>(writeKnown, notStored);
  const reads = openGroup<Deal>(read, notStored);

  return {
    operate: (operation) => {
      const answered = (outcome: () => unknown): Answer => {
        const answer = outcome() as Answer;
        metrics.decided(operation.kind, answer.outcome, answer.replayed);
        return answer;
      };
      const deal = {
        subjects: () => subjectsOf(operation),
        buckets: () => bucketsOf(operation),
        decide: (book: Book) => decide(book, operation),
      };
      return known.covers(operation)
        ? charges.ask({ ...deal, operation }, answered)
        : writes.ask({ ...deal, operation }, answered);
    },
    slot: (request) => {
      const { subject, quota } = request;
      const decided = (book: Book): SlotAnswer => decideSlot(book, request, signer);
      const slots = [[subject, quota]] as const;
      const deal = { subjects: () => [subject], buckets: () => [], slots, decide: decided };
      return writes.ask(deal, (outcome) => {
        const answer = outcome() as SlotAnswer;
        metrics.decided(request.kind, answer.outcome, false);
        return answer;
      });
    },
    check: (check) => {
      const { subject, buckets } = check;
      const deal: Deal = {
        subjects: () => [subject],
        buckets: () => buckets.map(({ id }) => [subject, id] as const),
        decide: (book) => checked(book, check),
      };
      return reads.ask(deal, (outcome) => outcome() as CheckAnswer);
    },
    settle: async (subject) => {
      const deal = { subjects: () => [subject], buckets: () => [], decide: () => undefined };
      await writes.ask(deal, (outcome) => outcome());
    },
    forget: (subject) => {
      known.forget([subject]);
      seen.forget(subject);
    },
    waiting: () => charges.waiting() + writes.waiting() + reads.waiting(),
    close: async () => {
      // What changed meanwhile goes from the charges to the writes by itself, past the other group.
      await Promise.all([charges.close(), writes.close(), reads.close()]);
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
      let versions: Versions = new Map();
      const mark = newMark();
      const outcomes = await database.transaction(async (connection) => {
        versions = await lockSubjects(connection, [...subjects]);
        if (versions.size < subjects.size) return undefined;
        book = await readBook(connection, needs, clock?.().epochMilliseconds);
        time.told(book.nowMs, performance.now());
        // Receipts may name subjects of others: those are locked as well, in order, from the beginning.
        const before = subjects.size;
        for (const subject of named(book)) subjects.add(subject);
        if (subjects.size > before) return undefined;
        const decided = decideAll(book, deals, needs.subjects);
        await writeBook(connection, book, versions, mark);
        return decided;
      });
      if (outcomes !== undefined && book !== undefined) {
        const buckets = bucketsBySubject(subjects, deals);
        if (isRecorded(book)) known.note(book, buckets, versions, mark);
        seen.note(book, buckets);
        metrics.committed(deals.length, performance.now() - begun);
        return outcomes;
      }
      if (book === undefined) await addSubjects(database, [...subjects]);
    }
    throw new Error('subjects were erased again and again');
  }

  async function writeKnown(deals: readonly ChargeDeal[]): Promise<readonly (() => unknown)[]> {
    const begun = performance.now();
    const nowMs = clock === undefined ? time.now() : clock().epochMilliseconds;
    const operations = deals.map(({ operation }) => operation);
    const remembered = nowMs === undefined ? undefined : known.book(operations, nowMs);
    if (remembered === undefined) return write(deals);
    const { book, versions } = remembered;
    const outcomes = decideAll(book, deals, []);
    const mark = newMark();
    known.advance(book, versions, mark);
    try {
      const apart = clock === undefined ? APART_MS_MAX : undefined;
      const recorded = await recordBook(database, book, versions, mark, apart);
      if ('changed' in recorded) {
        known.contest(recorded.changed);
        time.forget();
        known.forget(versions.keys());
        return await write(deals);
      }
      time.told(recorded.nowMs, performance.now());
    } catch (error) {
      known.forget(versions.keys());
      throw error;
    }
    metrics.committed(deals.length, performance.now() - begun);
    return outcomes;
  }

  async function read(deals: readonly Deal[]): Promise<readonly (() => unknown)[]> {
    const needs = needsOf(deals);
    const book = await database.transaction(async (connection: Queryable) => {
      await connection.query('set transaction isolation level repeatable read, read only');
      return readBook(connection, needs, clock?.().epochMilliseconds);
    });
    const outcomes = decideAll(book, deals, needs.subjects);
    seen.note(book, bucketsBySubject(needs.subjects, deals));
    return outcomes;
  }
}

function decideAll(book: Book, deals: readonly Deal[], subjects: Iterable<string>): readonly (() => unknown)[] {
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
  for (const { buckets } of deals) for (const pair of buckets()) pairs.set(idOf(...pair), pair);
  const keys = new Map<string, readonly [string, string]>();
  for (const { operation } of deals) {
    if (operation === undefined) continue;
    const { subject, key } = operation;
    keys.set(idOf(subject, key), [subject, key]);
    if ('of' in operation) keys.set(idOf(subject, operation.of), [subject, operation.of]);
  }
  return {
    subjects: new Set(deals.flatMap(({ subjects }) => subjects())),
    keys: [...keys.values()],
    buckets: [...pairs.values()],
    slots: deals.flatMap(({ slots = [] }) => slots),
  };
}

function bucketsBySubject(
  subjects: Iterable<string>,
  deals: readonly Deal[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const named = new Map<string, Set<string>>();
  for (const subject of subjects) named.set(subject, new Set());
  for (const { buckets } of deals) for (const [subject, bucket] of buckets()) named.get(subject)?.add(bucket);
  return named;
}

/** Whether its transaction has marked the subjects. */
function isRecorded({ changed: { counters, operations, holds } }: Book): boolean {
  return counters.size + operations.size + holds.size > 0;
}

/** Of one transaction, and of no other: the subjects that it changed are known by it. Also a whole number up to 2^53. */
function newMark(): number {
  return randomInt(1, MARK_MAX);
}

/** Subjects whose counters an answer of the past may give back to. */
function* named(book: Book): Iterable<string> {
  for (const { answer } of book.operations.values()) for (const { subject } of answer.receipt) yield subject;
}
