import { answerCheck } from './rules/check.ts';
import type { Check, CheckAnswer } from './rules/contract.ts';
import { openBook, type Book, type Counter, type CounterRow } from './rules/book.ts';
import type { ChargeOperation, Operation } from './rules/operation.ts';
import { isPast, LATE_MS_MAX } from './rules/bucket-use.ts';

const CACHE_LIMITS = {
  /** Subjects in the cache; at some 600 bytes each that is a few megabytes. */
  subjectsMax: 10_000,
  /** Remembered keys of a subject: most repetitions come after few other requests. */
  keysMax: 16,
  /** A subject that another process has changed bypasses the cache for so long: it is likely to change again. */
  contestedMs: 1_000,
} as const;

/**
 * Caches subjects as the last transaction of this process left them, so that the next one need not read them. The write
 * checks the marks of the counters under the lock. A stale cache entry therefore never makes a decision durable.
 */
export interface CounterCache {
  /**
   * True when the cache has everything that the operation reads: only charges without a hold, of cached subjects and
   * buckets.
   */
  readonly covers: (operation: Operation) => operation is ChargeOperation;
  /** undefined when an entry is missing, or when an expired reservation must be given back first. */
  readonly book: (charges: readonly ChargeOperation[], nowMs: number) => Book | undefined;
  /** Stores the decided counters under their new marks, ahead of the commit. */
  readonly advance: (book: Book) => void;
  /** Stores counters that were read under the lock and written: all counters of these buckets. */
  readonly note: (book: Book, buckets: ReadonlyMap<string, ReadonlySet<string>>) => void;
  /** Answers a check from the cache, uncommitted decisions included; undefined when an entry is missing or too old. */
  readonly check: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly forget: (subjects: Iterable<string>) => void;
  /** Marks subjects that other processes change too. */
  readonly contest: (subjects: Iterable<string>) => void;
}

interface CachedSubject {
  /** Time of that state, by the database and by this process's steady clock. */
  nowMs: number;
  seenMs: number;
  readonly buckets: Set<string>;
  readonly counters: Map<string, Counter>;
  readonly rows: Map<string, CounterRow>;
  /** Keys of its last operations, a ring. */
  readonly keys: string[];
  keysNoted: number;
  /** When the first of its reservations ends. */
  readonly expiresAtMs: number;
}

export function openCounterCache(): CounterCache {
  const subjects = new Map<string, CachedSubject>();
  const contested = new Map<string, number>();

  return {
    covers: (operation): operation is ChargeOperation => {
      if (operation.kind !== 'charge' || operation.hold !== undefined || operation.isOfOldPlan === true) return false;
      const asking = subjects.get(operation.subject);
      if (asking === undefined || asking.keys.includes(operation.key)) return false;
      return operation.items.every(({ subject, buckets }) => {
        const own = subjects.get(subject);
        return own !== undefined && buckets.every((bucket) => own.buckets.has(bucket.id));
      });
    },
    book: (charges, nowMs) => {
      const book = openBook(nowMs);
      const entered = new Set<string>();
      for (const { subject: first, items } of charges) {
        if (!enter(first, book, entered)) return undefined;
        for (const { subject, buckets } of items) {
          if (!enter(subject, book, entered)) return undefined;
          const own = subjects.get(subject);
          for (const { id } of buckets) if (own?.buckets.has(id) !== true) return undefined;
        }
      }
      return book;
    },
    advance: (book) => {
      const seenMs = performance.now();
      for (const id of book.readIds) {
        const counter = book.counters.get(id);
        const own = counter === undefined ? undefined : subjects.get(counter.subject);
        if (own === undefined) continue;
        own.nowMs = book.nowMs;
        own.seenMs = seenMs;
        put(own, id, book);
      }
      putKeys(book);
    },
    note: (book, noted) => {
      const uncertain = new Set<string>();
      const expires = new Map<string, number>();
      for (const [id, { subject, kind, state, expiresAtMs }] of book.holds) {
        // The transaction did not read which of the others ends first.
        if (book.changed.holds.has(id)) uncertain.add(subject);
        if (kind === 'slice' || state !== 'held') continue;
        expires.set(subject, Math.min(expires.get(subject) ?? Infinity, expiresAtMs));
      }
      const now = performance.now();
      for (const [subject, buckets] of noted) {
        const before = subjects.get(subject);
        subjects.delete(subject);
        if (uncertain.has(subject) || (contested.get(subject) ?? 0) > now) continue;
        const own: CachedSubject = {
          nowMs: book.nowMs,
          seenMs: now,
          buckets: new Set(buckets),
          counters: new Map(),
          rows: new Map(),
          keys: before?.keys ?? [],
          keysNoted: before?.keysNoted ?? 0,
          expiresAtMs: expires.get(subject) ?? Infinity,
        };
        subjects.set(subject, own);
        // Cached counters of other buckets keep their own marks.
        for (const bucket of before?.buckets ?? []) own.buckets.add(bucket);
        for (const [id, counter] of before?.counters ?? []) {
          const row = before?.rows.get(id);
          if (row === undefined || buckets.has(counter.bucket)) continue;
          own.counters.set(id, counter);
          own.rows.set(id, row);
        }
      }
      for (const [id, counter] of book.counters) {
        const own = subjects.get(counter.subject);
        if (own?.buckets.has(counter.bucket) === true) put(own, id, book);
      }
      putKeys(book);
      for (const subject of subjects.keys()) {
        if (subjects.size <= CACHE_LIMITS.subjectsMax) break;
        subjects.delete(subject);
      }
    },
    check: (check, ageMsMax) => {
      const own = subjects.get(check.subject);
      if (own === undefined || check.buckets.some(({ id }) => !own.buckets.has(id))) return undefined;
      const ageMs = performance.now() - own.seenMs;
      const nowMs = own.nowMs + Math.floor(ageMs);
      if (ageMs > ageMsMax || own.expiresAtMs <= nowMs) return undefined;
      return answerCheck({ counters: own.counters, nowMs }, check);
    },
    forget: (gone) => {
      for (const subject of gone) subjects.delete(subject);
    },
    contest: (changed) => {
      if (contested.size > CACHE_LIMITS.subjectsMax) contested.clear();
      for (const subject of changed) {
        subjects.delete(subject);
        contested.set(subject, performance.now() + CACHE_LIMITS.contestedMs);
      }
    },
  };

  /** Copies the cached subject into the book; false when the cache lacks something. */
  function enter(subject: string, book: Book, entered: Set<string>): boolean {
    if (entered.has(subject)) return true;
    const own = subjects.get(subject);
    if (own === undefined || own.expiresAtMs <= book.nowMs) return false;
    entered.add(subject);
    for (const [id, counter] of own.counters) {
      const row = own.rows.get(id);
      // Windows that are closed by any clock are not read any more, and their rows are removed.
      if (row === undefined || isTidiedAway(counter, book)) {
        own.counters.delete(id);
        own.rows.delete(id);
      } else if (counter.moved !== undefined) {
        // Only the database knows whether the move still holds.
        return false;
      } else {
        book.counters.set(id, counter);
        book.rows.set(id, row);
      }
    }
    return true;
  }

  function put(own: CachedSubject, id: string, book: Book): void {
    const counter = book.counters.get(id);
    const row = book.rows.get(id);
    if (counter === undefined || row === undefined) return;
    own.counters.set(id, counter);
    own.rows.set(id, row);
  }

  function putKeys(book: Book): void {
    for (const { subject, key } of book.operations.values()) {
      const own = subjects.get(subject);
      if (own === undefined) continue;
      own.keys[own.keysNoted % CACHE_LIMITS.keysMax] = key;
      own.keysNoted += 1;
    }
  }
}

function isTidiedAway({ untilMs, rolled }: Counter, book: Book): boolean {
  return untilMs !== undefined && isPast(untilMs + LATE_MS_MAX, book) && rolled?.isPassed !== false;
}
