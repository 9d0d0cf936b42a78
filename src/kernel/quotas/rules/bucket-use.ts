import { isInForce, spanOf, type Bucket, type Rollover, type BucketUse } from './bucket.ts';
import { idOfCounter, usedIn, type Counter, type Counters } from './book.ts';
import type { Item } from './operation.ts';
import { rollingFreeAt } from './rolling.ts';
import { collectRollover } from './rollover.ts';
import type { Span } from './window.ts';
import { rollingSeconds } from './window-spec.ts';

/** Use that arrives this late still counts in its own window; then the window is closed for good. */
export const LATE_MS_MAX = 86_400_000;

/** The use of a bucket in one counter of a book. */
export interface CounterUse extends BucketUse {
  /** Of its counter in the book. */
  readonly id: string;
  /** The window of the use, where that one is closed and `span` is the present one. */
  readonly corrects: string | undefined;
}

/** The use of the buckets in force, with the units that this operation has taken already. */
export function readUses(
  book: Counters,
  { subject, buckets }: Pick<Item, 'subject' | 'buckets'>,
  usedAtMs: number,
  taken?: ReadonlyMap<string, number>,
): readonly CounterUse[] {
  const uses: CounterUse[] = [];
  for (const bucket of buckets) {
    const own = spanOf(bucket, usedAtMs);
    const isClosed = bucket.window.type !== 'rolling' && own.untilMs !== undefined && isPast(own.untilMs, book);
    const atMs = isClosed ? book.nowMs : usedAtMs;
    const here = isClosed ? spanOf(bucket, atMs) : own;
    if (!isInForce(bucket, atMs)) continue;
    const corrects = own.key === here.key ? undefined : own.key;
    const { rollover, limit } = bucket;
    if (rollover !== undefined && limit !== 'unlimited') {
      const rolling = { bucket, rollover, limit, span: here, corrects };
      for (const use of readRolloverUses(book, subject, rolling)) {
        uses.push({ ...use, used: use.used + (taken?.get(use.id) ?? 0) });
      }
      continue;
    }
    let span = here;
    let id = idOfCounter({ subject, bucket: bucket.id, window: span.key });
    let counter = book.counters.get(id);
    const elsewhere = counter === undefined ? findOpenElsewhere(book, { subject, bucket, here }, atMs) : undefined;
    if (elsewhere !== undefined) {
      span = elsewhere;
      id = idOfCounter({ subject, bucket: bucket.id, window: span.key });
      counter = book.counters.get(id);
    }
    if (book.readIds !== undefined) {
      book.readIds.add(id);
      // Unused counters are written too: only an existing row can prove that it is unchanged.
      if (counter === undefined) book.counters.set(id, unusedCounter(subject, bucket, span));
    }
    const used = usedIn(counter, span.fromMs) + (taken?.get(id) ?? 0);
    uses.push({ bucket, span, used, id, corrects });
  }
  return uses;
}

/**
 * The window of another zone that is still open, when the window of this zone has no use. A listener who appears in two
 * zones, one of them a day ahead, gets one of their days until it ends where it began.
 */
function findOpenElsewhere(
  book: Counters,
  { subject, bucket, here }: { readonly subject: string; readonly bucket: Bucket; readonly here: Span },
  atMs: number,
): Span | undefined {
  const { type, per } = bucket.window;
  const { fromMs, untilMs } = here;
  if (type !== 'calendar' || per === 'PT1H' || untilMs === undefined) return undefined;
  for (const near of [spanOf(bucket, fromMs - 1), spanOf(bucket, untilMs)]) {
    const endMs = book.counters.get(idOfCounter({ subject, bucket: bucket.id, window: near.key }))?.untilMs;
    // In this zone it has ended, or has not begun.
    if (endMs === undefined || endMs === near.untilMs) continue;
    const beganMs = endMs - ((near.untilMs ?? 0) - near.fromMs);
    if (beganMs <= atMs && atMs < endMs) return { key: near.key, fromMs: beganMs, untilMs: endMs };
  }
  return undefined;
}

/**
 * The use of a bucket with rollover. The first read of a later window passes the units on. Late use takes the units
 * that stayed behind in its own window, and then those passed on.
 */
function readRolloverUses(
  book: Counters,
  subject: string,
  {
    bucket,
    rollover,
    limit,
    span,
    corrects,
  }: Pick<CounterUse, 'bucket' | 'span' | 'corrects'> & { readonly rollover: Rollover; readonly limit: number },
): readonly CounterUse[] {
  const { readIds } = book;
  const idOfWindow = (window: string): string => idOfCounter({ subject, bucket: bucket.id, window });
  const noteRead = (counter: Counter): void => {
    if (readIds === undefined) return;
    const id = idOfCounter(counter);
    book.counters.set(id, counter);
    readIds.add(id);
  };
  const useOf = (counter: Counter, ofWindow: Span, gives: number, closed?: string): CounterUse => ({
    bucket: { ...bucket, limit: Math.min(Math.max(0, gives), Number.MAX_SAFE_INTEGER) },
    span: ofWindow,
    used: counter.used,
    id: idOfCounter(counter),
    corrects: closed,
  });

  const present = spanOf(bucket, book.nowMs);
  let counter = book.counters.get(idOfWindow(present.key));
  let { rolled = { brought: 0, least: limit, last: limit, isPassed: false } } = counter ?? {};
  if (counter === undefined) {
    const counterOf = (window: string) => book.counters.get(idOfWindow(window));
    const unusedIn = (of: Span) => unusedCounter(subject, bucket, of);
    const { brought, passed } = collectRollover({ bucket, rollover, limit, into: present }, counterOf, unusedIn);
    counter = unusedCounter(subject, bucket, present);
    rolled = { ...rolled, brought };
    passed.forEach(noteRead);
  }
  noteRead({ ...counter, rolled: { ...rolled, least: Math.min(rolled.least, limit), last: limit } });
  const now = (closed?: string) => useOf(counter, present, limit + rolled.brought, closed);
  if (span.key === present.key) return [now(corrects)];

  const own = book.counters.get(idOfWindow(span.key));
  // Windows further back have passed all their units on.
  if (own === undefined && span.untilMs !== present.fromMs) return [now(span.key)];
  const { last, brought } = own?.rolled ?? { last: limit, brought: 0 };
  const late = own ?? {
    ...unusedCounter(subject, bucket, span),
    rolled: { last, brought, least: limit, isPassed: true },
  };
  noteRead(late);
  return [useOf(late, span, last + brought), now(span.key)];
}

/** The same buckets after the change of the book. */
export function refreshUses({ counters }: Counters, uses: readonly CounterUse[]): readonly BucketUse[] {
  return uses.map(({ bucket, span, id }) => ({ bucket, span, used: usedIn(counters.get(id), span.fromMs) }));
}

function unusedCounter(subject: string, { id, window }: Bucket, { key, untilMs }: Span): Counter {
  const name = { subject, bucket: id, window: key, used: 0 };
  return window.type === 'rolling' ? { ...name, entries: [], untilMs: undefined } : { ...name, untilMs };
}

/** Whether a window that ends then is closed for good. */
export function isPast(untilMs: number, { nowMs }: Counters): boolean {
  return untilMs + LATE_MS_MAX <= nowMs;
}

/** The first moment at which a bucket has more to give. */
export function retryAt(
  book: Counters,
  { subject, amount }: Pick<Item, 'subject' | 'amount'>,
  uses: readonly BucketUse[],
): { readonly retryAtMs?: number } {
  const moments = uses.flatMap(({ bucket, span }): readonly number[] => {
    const { id, limit, window } = bucket;
    if (limit === 'unlimited' || limit === 0) return [];
    if (window.type !== 'rolling') return span.untilMs === undefined ? [] : [span.untilMs];
    const { entries = [] } = book.counters.get(idOfCounter({ subject, bucket: id, window: span.key })) ?? {};
    const live = entries.filter(([at]) => at > span.fromMs);
    const freeAt = rollingFreeAt(live, limit, Math.min(limit, Math.max(1, amount)), lengthMs(bucket));
    return freeAt === undefined ? [] : [freeAt];
  });
  return moments.length === 0 ? {} : { retryAtMs: Math.min(...moments) };
}

/** Milliseconds of a rolling window. */
export function lengthMs({ window }: Bucket): number {
  return rollingSeconds(window.per ?? '') * 1_000;
}
