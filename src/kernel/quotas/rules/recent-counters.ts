import type { Book, Counter } from './book.ts';
import { answerCheck } from './check.ts';
import type { Check, CheckAnswer } from './contract.ts';

/** Subjects in memory; at some 500 bytes each that is a few megabytes. */
const SUBJECTS_MAX = 10_000;

/** Counters as this process last read them, for callers that accept an answer of limited age. */
export interface RecentCounters {
  /** @param buckets buckets by subject of which the book has all counters */
  readonly note: (book: Book, buckets: ReadonlyMap<string, ReadonlySet<string>>) => void;
  readonly check: (check: Check, ageMsMax: number) => CheckAnswer | undefined;
  readonly forget: (subject: string) => void;
}

interface RecentSubject {
  /** By this process's steady clock. */
  readonly seenMs: number;
  readonly nowMs: number;
  readonly counters: Map<string, Counter>;
  readonly buckets: ReadonlySet<string>;
}

export function openRecentCounters(steadyMs: () => number): RecentCounters {
  const subjects = new Map<string, RecentSubject>();
  return {
    note: ({ nowMs, counters }, noted) => {
      const seenMs = steadyMs();
      for (const [subject, buckets] of noted) {
        // A Map keeps insertion order: the first entry is the oldest.
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
      const recent = subjects.get(check.subject);
      if (recent === undefined) return undefined;
      const ageMs = steadyMs() - recent.seenMs;
      if (ageMs > ageMsMax || check.buckets.some(({ id }) => !recent.buckets.has(id))) return undefined;
      return answerCheck({ counters: recent.counters, nowMs: recent.nowMs + Math.floor(ageMs) }, check);
    },
    forget: (subject) => subjects.delete(subject),
  };
}
