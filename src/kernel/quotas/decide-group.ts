import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { openDatabaseTime } from './database-time.ts';
import { FailedDecision } from './group.ts';
import type { Known } from './known.ts';
import type { QuotaMetrics } from './quota-metrics.ts';
import { addSubjects, lockSubjects } from './records/lock-subjects.ts';
import { readBook, type Needs } from './records/read-book.ts';
import { draftOf, newMark, recordDraft, writeBook } from './records/write-book.ts';
import { idOf, type Book } from './rules/book.ts';
import { decide, settleExpired } from './rules/decide.ts';
import { bucketsOf, subjectsOf, type ChargeOperation, type Operation } from './rules/operation.ts';
import type { Seen } from './rules/seen.ts';

/**
 * How often a transaction is begun anew because it needs subjects that were not known to be needed, or are new, or because
 * somebody has made the same counter or taken the same key meanwhile.
 */
const TRIES_MAX = 8;

/** A database whose time is further from what we take it for is asked for it again. */
const APART_MS_MAX = 1_000;

/** What is decided together with others: what it looks at, and its decision over the book of the transaction. */
export interface Deal {
  readonly operation?: Operation;
  readonly subjects: () => readonly string[];
  readonly buckets: () => Needs['buckets'];
  readonly slots?: Needs['slots'];
  readonly decide: (book: Book) => unknown;
}

export interface DecidingParts {
  readonly database: Database;
  readonly clock: Clock | undefined;
  readonly metrics: QuotaMetrics;
  readonly seen: Seen;
  readonly known: Known;
}

/** How groups are decided, each with an outcome for each in order: the answer, or a Refusal. */
interface Deciding {
  /** Durable when it resolves. */
  readonly write: (deals: readonly Deal[]) => Promise<readonly unknown[]>;
  /** The same from what is known, in one round trip; as `write` where somebody has changed it meanwhile. */
  readonly writeKnown: (charges: readonly ChargeOperation[]) => Promise<readonly unknown[]>;
  /** Changes nothing. */
  readonly read: (deals: readonly Deal[]) => Promise<readonly unknown[]>;
}

/** Decides groups in the transactions of one database. */
export function groupDeciding({ database, clock, metrics, seen, known }: DecidingParts): Deciding {
  const time = openDatabaseTime();
  return { write, writeKnown, read };

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
        time.told(book.nowMs, performance.now());
        // Receipts may name subjects of others: those are locked as well, in order, from the beginning.
        const before = subjects.size;
        for (const subject of named(book)) subjects.add(subject);
        if (subjects.size > before) return undefined;
        const decided = decideAll(book, deals, needs.subjects);
        return (await writeBook(connection, book, newMark())) ? decided : undefined;
      });
      if (outcomes !== undefined && book !== undefined) {
        const buckets = bucketsBySubject(subjects, deals);
        if (isRecorded(book)) known.note(book, buckets);
        seen.note(book, buckets);
        metrics.committed(deals.length, performance.now() - begun);
        return outcomes;
      }
      if (book === undefined) await addSubjects(database, [...subjects]);
    }
    throw new Error('subjects were changed again and again');
  }

  async function writeKnown(charges: readonly ChargeOperation[]): Promise<readonly unknown[]> {
    const begun = performance.now();
    const nowMs = clock === undefined ? time.now() : clock().epochMilliseconds;
    const book = nowMs === undefined ? undefined : known.book(charges, nowMs);
    if (book === undefined) return write(charges.map(dealOf));
    const outcomes = charges.map((charge) => decided(() => decide(book, charge)));
    const draft = draftOf(book, newMark());
    known.advance(book);
    try {
      const apart = clock === undefined ? APART_MS_MAX : undefined;
      const recorded = await recordDraft(database, draft, apart);
      if ('changed' in recorded) {
        known.contest(recorded.changed);
        time.forget();
        known.forget(charges.flatMap(subjectsOf));
        return await write(charges.map(dealOf));
      }
      time.told(recorded.nowMs, performance.now());
    } catch (error) {
      known.forget(charges.flatMap(subjectsOf));
      throw error;
    }
    metrics.committed(charges.length, performance.now() - begun);
    return outcomes;
  }

  async function read(deals: readonly Deal[]): Promise<readonly unknown[]> {
    const needs = needsOf(deals);
    const book = await database.transaction(async (connection: Queryable) => {
      await connection.query('set transaction isolation level repeatable read, read only');
      return readBook(connection, needs, 'snapshot', clock?.().epochMilliseconds);
    });
    const outcomes = decideAll(book, deals, needs.subjects);
    seen.note(book, bucketsBySubject(needs.subjects, deals));
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
  return deals.map(({ decide }) => decided(() => decide(book)));
}

/** What was decided: an answer, or a Refusal. */
function decided(decide: () => unknown): unknown {
  try {
    return decide();
  } catch (error) {
    // What is no refusal is a bug, and nothing of this transaction can be trusted.
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

/** Whether its transaction has marked the counters. */
function isRecorded({ changed: { counters, operations, holds } }: Book): boolean {
  return counters.size + operations.size + holds.size > 0;
}

/** Subjects whose counters an answer of the past may give back to. */
function* named(book: Book): Iterable<string> {
  for (const { answer } of book.operations.values()) for (const { subject } of answer.receipt) yield subject;
}
