import { openBook, type Book } from './book.ts';
import { checked } from './check.ts';
import type { Check, CheckAnswer } from './contract.ts';
import type { Needs } from './records/read-book.ts';

/** Subjects that are remembered; at some 500 bytes each that is a few megabytes. */
const SUBJECTS_MAX = 10_000;

/** What this process last saw of subjects, for those who can live with an answer that is a moment old. */
export interface Seen {
  readonly note: (book: Book, needs: Needs) => void;
  readonly check: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly forget: (subject: string) => void;
}

interface SubjectSeen {
  /** By our own steady clock. */
  readonly seenMs: number;
  readonly book: Book;
  readonly buckets: ReadonlySet<string>;
}

export function openSeen(steadyMs: () => number = () => performance.now()): Seen {
  const subjects = new Map<string, SubjectSeen>();
  return {
    note: (book, needs) => {
      const seenMs = steadyMs();
      const books = new Map([...needs.subjects].map((subject) => [subject, openBook(book.nowMs)]));
      const buckets = new Map<string, Set<string>>();
      for (const [subject, bucket] of needs.buckets) {
        const own = buckets.get(subject) ?? new Set();
        buckets.set(subject, own.add(bucket));
      }
      for (const [id, counter] of book.counters) books.get(counter.subject)?.counters.set(id, counter);
      for (const [subject, own] of books) {
        // A Map keeps the order in which keys came: the first is the one seen longest ago.
        subjects.delete(subject);
        subjects.set(subject, { seenMs, book: own, buckets: buckets.get(subject) ?? new Set() });
      }
      for (const subject of subjects.keys()) {
        if (subjects.size <= SUBJECTS_MAX) break;
        subjects.delete(subject);
      }
    },
    check: (check, ageMsMax) => {
      const seen = subjects.get(check.subject);
      if (seen === undefined) return undefined;
      const ageMs = steadyMs() - seen.seenMs;
      if (ageMs > ageMsMax || check.buckets.some(({ id }) => !seen.buckets.has(id))) return undefined;
      return checked({ ...seen.book, nowMs: seen.book.nowMs + Math.floor(ageMs) }, check);
    },
    forget: (subject) => subjects.delete(subject),
  };
}
