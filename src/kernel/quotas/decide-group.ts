import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { openDatabaseTime } from './database-time.ts';
import { FailedDecision } from './group.ts';
import type { CounterCache } from './counter-cache.ts';
import type { QuotaMetrics } from './quota-metrics.ts';
import { addSubjects, lockSubjects } from './records/lock-subjects.ts';
import { readBook, type Needs } from './records/read-book.ts';
import { draftOf, newMark, recordDraft, writeBook } from './records/write-book.ts';
import { idOf, type Book } from './rules/book.ts';
import { decide, settleExpired } from './rules/decide.ts';
import { bucketsOf, subjectsOf, type ChargeOperation, type Operation } from './rules/operation.ts';
import type { RecentCounters } from './rules/recent-counters.ts';

/**
 * Attempts of a transaction. It restarts when it needs subjects that it has not locked, or when another transaction has
 * created the same counter or used the same key.
 */
const TRIES_MAX = 8;

/** Above this distance between our estimate and the clock of the database, the time is read again. */
const APART_MS_MAX = 1_000;

/** One request of a group: the records that it reads, and its decision over the book of the transaction. */
export interface Deal {
  readonly operation?: Operation;
  readonly subjects: () => readonly string[];
  readonly buckets: () => Needs['buckets'];
  readonly slots?: Needs['slots'];
  readonly decide: (book: Book) => unknown;
}

export interface DeciderParts {
  readonly database: Database;
  readonly clock: Clock | undefined;
  readonly metrics: QuotaMetrics;
  readonly recent: RecentCounters;
  readonly cache: CounterCache;
}

/** Decides groups. Each call gives one outcome for each request, in order: the answer, or a Refusal. */
interface GroupDecider {
  /** Durable when it resolves. */
  readonly write: (deals: readonly Deal[]) => Promise<readonly unknown[]>;
  /** Decides from the cache in one round trip; falls back to `write` when another process has changed a counter. */
  readonly writeFromCache: (charges: readonly ChargeOperation[]) => Promise<readonly unknown[]>;
  /** Changes nothing. */
  readonly read: (deals: readonly Deal[]) => Promise<readonly unknown[]>;
}

/** Decides groups in the transactions of one database. */
export function openGroupDecider({ database, clock, metrics, recent, cache }: DeciderParts): GroupDecider {
  const time = openDatabaseTime();
  return { write, writeFromCache, read };

  async function write(deals: readonly Deal[]): Promise<readonly unknown[]> {
    const begun = performance.now();
    const needs = needsOf(deals);
    const subjects = new Set(needs.subjects);
    for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
      let book: Book | undefined;
      const outcomes = await database.transaction(async (connection) => {
        const locked = await lockSubjects(connection, [...subjects]);
        if (locked < subjects.size) return undefined;
        book = await readBook(connection, needs, 'subjects', clock?.().epochMilliseconds);
        time.observe(book.nowMs, performance.now());
        // Receipts may name other subjects: those are locked too, in order, from the beginning.
        const before = subjects.size;
        for (const subject of namedSubjects(book)) subjects.add(subject);
        if (subjects.size > before) return undefined;
        const decisions = decideAll(book, deals, needs.subjects);
        return (await writeBook(connection, book, newMark())) ? decisions : undefined;
      });
      if (outcomes !== undefined && book !== undefined) {
        const buckets = bucketsBySubject(subjects, deals);
        if (isRecorded(book)) cache.note(book, buckets);
        recent.note(book, buckets);
        metrics.observeCommit(deals.length, performance.now() - begun);
        return outcomes;
      }
      if (book === undefined) await addSubjects(database, [...subjects]);
    }
    throw new Error('subjects kept changing; gave up');
  }

  async function writeFromCache(charges: readonly ChargeOperation[]): Promise<readonly unknown[]> {
    const begun = performance.now();
    const nowMs = clock === undefined ? time.now() : clock().epochMilliseconds;
    const book = nowMs === undefined ? undefined : cache.book(charges, nowMs);
    if (book === undefined) return write(charges.map(dealOf));
    const outcomes = charges.map((charge) => outcomeOf(() => decide(book, charge)));
    const draft = draftOf(book, newMark());
    cache.advance(book);
    try {
      const apart = clock === undefined ? APART_MS_MAX : undefined;
      const recorded = await recordDraft(database, draft, apart);
      if ('changed' in recorded) {
        cache.contest(recorded.changed);
        time.forget();
        cache.forget(charges.flatMap(subjectsOf));
        return await write(charges.map(dealOf));
      }
      time.observe(recorded.nowMs, performance.now());
    } catch (error) {
      cache.forget(charges.flatMap(subjectsOf));
      throw error;
    }
    metrics.observeCommit(charges.length, performance.now() - begun);
    return outcomes;
  }

  async function read(deals: readonly Deal[]): Promise<readonly unknown[]> {
    const needs = needsOf(deals);
    const book = await database.transaction(async (connection: Queryable) => {
      await connection.query('set transaction isolation level repeatable read, read only');
      return readBook(connection, needs, 'snapshot', clock?.().epochMilliseconds);
    });
    const outcomes = decideAll(book, deals, needs.subjects);
    recent.note(book, bucketsBySubject(needs.subjects, deals));
    return outcomes;
  }
}

export function dealOf(operation: Operation): Deal {
  return {
    operation,
    subjects: () => subjectsOf(operation),
    buckets: () => bucketsOf(operation),
    decide: (book) => decide(book, operation),
  };
}

function decideAll(book: Book, deals: readonly Deal[], subjects: Iterable<string>): readonly unknown[] {
  for (const subject of subjects) settleExpired(book, subject);
  return deals.map(({ decide }) => outcomeOf(() => decide(book)));
}

/** The answer of a decision, or its Refusal. */
function outcomeOf(decide: () => unknown): unknown {
  try {
    return decide();
  } catch (error) {
    // Any other error is a bug: the whole transaction is discarded.
    if (!(error instanceof Refusal)) throw new FailedDecision('a decision failed', { cause: error });
    return error;
  }
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

/** True when its transaction has marked the counters. */
function isRecorded({ changed: { counters, operations, holds } }: Book): boolean {
  return counters.size + operations.size + holds.size > 0;
}

/** Subjects whose counters may get units back from an earlier answer. */
function* namedSubjects(book: Book): Iterable<string> {
  for (const { answer } of book.operations.values()) for (const { subject } of answer.receipt) yield subject;
}
