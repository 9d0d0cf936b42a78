import type { Book, Counter } from './book.ts';
import { checked } from './check.ts';
import type { Check, CheckAnswer } from './contract.ts';

/** Subjects that are remembered; at some 500 bytes each that is a few megabytes. */
const SUBJECTS_MAX = 10_000;

/** What this process last saw of subjects, for those who can live with an answer that is a moment old. */
export interface Seen {
  /** @param buckets those that the book has all counters of, by subject */
  readonly note: (book: Book, buckets: ReadonlyMap<string, ReadonlySet<string>>) => void;
  readonly check: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly forget: (subject: string) => void;
}

interface SubjectSeen {
  /** By our own steady clock. */
  readonly seenMs: number;
  readonly nowMs: number;
  readonly counters: Map<string, Counter>;
  readonly buckets: ReadonlySet<string>;
}

export function openSeen(steadyMs: () => number): Seen {
  const subjects = new Map<string, SubjectSeen>();
  return {
    note: ({ nowMs, counters }, noted) => {
      const seenMs = steadyMs();
      for (const [subject, buckets] of noted) {
        // A Map keeps the order in which keys came: the first is the one seen longest ago.
        subjects.delete(subject);
        subjects.set(subject, { seenMs, nowMs, counters: new Map(), buckets });
      }
      for (const [id, counter] of counters) subjects.get(counter.subject)?.counters.set(id, counter);
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
      return checked({ counters: seen.counters, nowMs: seen.nowMs + Math.floor(ageMs) }, check);
    },
    forget: (subject) => subjects.delete(subject),
  };
}
