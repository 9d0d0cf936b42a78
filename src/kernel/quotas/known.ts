import { checked } from './rules/check.ts';
import type { Check, CheckAnswer } from './rules/contract.ts';
import { openBook, type Book, type Counter, type CounterRow } from './rules/book.ts';
import type { ChargeOperation, Operation } from './rules/operation.ts';
import { isPast, LATE_MS_MAX } from './rules/standing.ts';

const KNOWN_LIMITS = {
  /** Subjects that are remembered; at some 600 bytes each that is a few megabytes. */
  subjectsMax: 10_000,
  /** Keys of a subject that are remembered: whoever repeats a request mostly does so before many others. */
  keysMax: 16,
  /** A subject that another process has changed is read each time for so long: it may well do so again. */
  contestedMs: 1_000,
} as const;

/**
 * Subjects as the last transaction of this process left them, so that the next one need not read them. Whether it still
 * is so is seen by the marks of their counters, under the lock, when the decision is written: what is remembered may be
 * wrong, but then nothing that was decided by it becomes durable.
 */
export interface Known {
  /** Whether all that the operation looks at is known: units that are taken for good, of subjects and buckets. */
  readonly covers: (operation: Operation) => operation is ChargeOperation;
  /** Undefined when something is not known any more, or a reservation has ended and has to be given back. */
  readonly book: (charges: readonly ChargeOperation[], nowMs: number) => Book | undefined;
  /** What was decided is known under the marks that it has now, ahead of its commit. */
  readonly advance: (book: Book) => void;
  /** What was read under the lock, and is written: all that is kept of these buckets. */
  readonly note: (book: Book, buckets: ReadonlyMap<string, ReadonlySet<string>>) => void;
  /** What a consume would be answered, what is under way included; undefined when too little is known, or too old. */
  readonly check: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly forget: (subjects: Iterable<string>) => void;
  /** Somebody else changes them as well. */
  readonly contest: (subjects: Iterable<string>) => void;
}

interface KnownSubject {
  /** As of that moment by the database, and by our own steady clock. */
  nowMs: number;
  seenMs: number;
  readonly buckets: Set<string>;
  readonly counters: Map<string, Counter>;
  readonly rows: Map<string, CounterRow>;
  /** Of its last operations, in a ring. */
  readonly keys: string[];
  keysNoted: number;
  /** When the first of its reservations ends. */
  readonly expiresAtMs: number;
}

export function openKnown(): Known {
  const subjects = new Map<string, KnownSubject>();
  const contested = new Map<string, number>();

  return {
    covers: (operation): operation is ChargeOperation => {
      if (operation.kind !== 'charge' || operation.hold !== undefined || operation.isOfBefore === true) return false;
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
      for (const id of book.looked) {
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
        // Which one ends first of the others was not read.
        if (book.changed.holds.has(id)) uncertain.add(subject);
        if (kind === 'slice' || state !== 'held') continue;
        expires.set(subject, Math.min(expires.get(subject) ?? Infinity, expiresAtMs));
      }
      const now = performance.now();
      for (const [subject, buckets] of noted) {
        const before = subjects.get(subject);
        subjects.delete(subject);
        if (uncertain.has(subject) || (contested.get(subject) ?? 0) > now) continue;
        const own: KnownSubject = {
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
        // What is known of other buckets has marks of its own.
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
        if (subjects.size <= KNOWN_LIMITS.subjectsMax) break;
        subjects.delete(subject);
      }
    },
    check: (check, ageMsMax) => {
      const own = subjects.get(check.subject);
      if (own === undefined || check.buckets.some(({ id }) => !own.buckets.has(id))) return undefined;
      const ageMs = performance.now() - own.seenMs;
      const nowMs = own.nowMs + Math.floor(ageMs);
      if (ageMs > ageMsMax || own.expiresAtMs <= nowMs) return undefined;
      return checked({ counters: own.counters, nowMs }, check);
    },
    forget: (gone) => {
      for (const subject of gone) subjects.delete(subject);
    },
    contest: (changed) => {
      if (contested.size > KNOWN_LIMITS.subjectsMax) contested.clear();
      for (const subject of changed) {
        subjects.delete(subject);
        contested.set(subject, performance.now() + KNOWN_LIMITS.contestedMs);
      }
    },
  };

  /** Takes what is known of the subject into the book; false when that is not enough. */
  function enter(subject: string, book: Book, entered: Set<string>): boolean {
    if (entered.has(subject)) return true;
    const own = subjects.get(subject);
    if (own === undefined || own.expiresAtMs <= book.nowMs) return false;
    entered.add(subject);
    for (const [id, counter] of own.counters) {
      const row = own.rows.get(id);
      // Windows that are closed for good, by any clock, are no longer looked at, and are tidied away.
      if (row === undefined || isTidiedAway(counter, book)) {
        own.counters.delete(id);
        own.rows.delete(id);
      } else if (counter.moved !== undefined) {
        // Whether it still has moved is for the database to say.
        return false;
      } else {
        book.counters.set(id, counter);
        book.rows.set(id, row);
      }
    }
    return true;
  }

  function put(own: KnownSubject, id: string, book: Book): void {
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
      own.keys[own.keysNoted % KNOWN_LIMITS.keysMax] = key;
      own.keysNoted += 1;
    }
  }
}

function isTidiedAway({ untilMs, rolled }: Counter, book: Book): boolean {
  return untilMs !== undefined && isPast(untilMs + LATE_MS_MAX, book) && rolled?.isPassed !== false;
}
