import { isInForce, spanOf, type Bucket, type Rollover, type Standing } from './bucket.ts';
import { idOfCounter, usedIn, type Counter, type Counters } from './book.ts';
import type { Item } from './operation.ts';
import { rollingFreeAt } from './rolling.ts';
import { broughtInto } from './rollover.ts';
import type { Span } from './window.ts';
import { rollingSeconds } from './window-spec.ts';

/** Use that comes this late still counts in the window in which it was used; then the window is closed for good. */
export const LATE_MS_MAX = 86_400_000;

/** A bucket as it stands in a book. */
export interface Looked extends Standing {
  /** Of its counter in the book. */
  readonly id: string;
  /** The window in which it was used, where that one is closed and `span` is the present one. */
  readonly corrects: string | undefined;
}

/** The buckets in force as they stand, with what this operation has taken already. */
export function standingsOf(
  book: Counters,
  { subject, buckets }: Pick<Item, 'subject' | 'buckets'>,
  usedAtMs: number,
  taken?: ReadonlyMap<string, number>,
): readonly Looked[] {
  const standings: Looked[] = [];
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
      for (const standing of rolledOver(book, subject, rolling)) {
        standings.push({ ...standing, used: standing.used + (taken?.get(standing.id) ?? 0) });
      }
      continue;
    }
    let span = here;
    let id = idOfCounter({ subject, bucket: bucket.id, window: span.key });
    let counter = book.counters.get(id);
    const elsewhere = counter === undefined ? begunElsewhere(book, { subject, bucket, here }, atMs) : undefined;
    if (elsewhere !== undefined) {
      span = elsewhere;
      id = idOfCounter({ subject, bucket: bucket.id, window: span.key });
      counter = book.counters.get(id);
    }
    if (book.looked !== undefined) {
      book.looked.add(id);
      // One that nobody used yet is written as well: only what is there can be seen to be unchanged.
      if (counter === undefined) book.counters.set(id, unused(subject, bucket, span));
    }
    const used = usedIn(counter, span.fromMs) + (taken?.get(id) ?? 0);
    standings.push({ bucket, span, used, id, corrects });
  }
  return standings;
}

/**
 * The window that goes on, where one of another zone has begun, and nobody has used that of this zone: who is asked about in two
 * zones at a time at which one is a day ahead has one of their days, until it ends where it began.
 */
function begunElsewhere(
  book: Counters,
  { subject, bucket, here }: { readonly subject: string; readonly bucket: Bucket; readonly here: Span },
  atMs: number,
): Span | undefined {
  const { type, per } = bucket.window;
  const { fromMs, untilMs } = here;
  if (type !== 'calendar' || per === 'PT1H' || untilMs === undefined) return undefined;
  for (const near of [spanOf(bucket, fromMs - 1), spanOf(bucket, untilMs)]) {
    const endMs = book.counters.get(idOfCounter({ subject, bucket: bucket.id, window: near.key }))?.untilMs;
    // In this zone it has ended, or is yet to come.
    if (endMs === undefined || endMs === near.untilMs) continue;
    const beganMs = endMs - ((near.untilMs ?? 0) - near.fromMs);
    if (beganMs <= atMs && atMs < endMs) return { key: near.key, fromMs: beganMs, untilMs: endMs };
  }
  return undefined;
}

/**
 * A bucket of which units go on from window to window. They go at the first look at a window after them; late use takes
 * what stayed behind in its own window, and then what went on.
 */
function rolledOver(
  book: Counters,
  subject: string,
  {
    bucket,
    rollover,
    limit,
    span,
    corrects,
  }: Pick<Looked, 'bucket' | 'span' | 'corrects'> & { readonly rollover: Rollover; readonly limit: number },
): readonly Looked[] {
  const { looked } = book;
  const idOfWindow = (window: string): string => idOfCounter({ subject, bucket: bucket.id, window });
  const look = (counter: Counter): void => {
    if (looked === undefined) return;
    const id = idOfCounter(counter);
    book.counters.set(id, counter);
    looked.add(id);
  };
  const standing = (counter: Counter, ofWindow: Span, gives: number, closed?: string): Looked => ({
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
    const unusedIn = (of: Span) => unused(subject, bucket, of);
    const { brought, passed } = broughtInto({ bucket, rollover, limit, into: present }, counterOf, unusedIn);
    counter = unused(subject, bucket, present);
    rolled = { ...rolled, brought };
    passed.forEach(look);
  }
  look({ ...counter, rolled: { ...rolled, least: Math.min(rolled.least, limit), last: limit } });
  const now = (closed?: string) => standing(counter, present, limit + rolled.brought, closed);
  if (span.key === present.key) return [now(corrects)];

  const own = book.counters.get(idOfWindow(span.key));
  // Further back it went on with what came between.
  if (own === undefined && span.untilMs !== present.fromMs) return [now(span.key)];
  const { last, brought } = own?.rolled ?? { last: limit, brought: 0 };
  const late = own ?? { ...unused(subject, bucket, span), rolled: { last, brought, least: limit, isPassed: true } };
  look(late);
  return [standing(late, span, last + brought), now(span.key)];
}

/** The same buckets after the book was changed. */
export function afterwards({ counters }: Counters, standings: readonly Looked[]): readonly Standing[] {
  return standings.map(({ bucket, span, id }) => ({ bucket, span, used: usedIn(counters.get(id), span.fromMs) }));
}

function unused(subject: string, { id, window }: Bucket, { key, untilMs }: Span): Counter {
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
  standings: readonly Standing[],
): { readonly retryAtMs?: number } {
  const moments = standings.flatMap(({ bucket, span }): readonly number[] => {
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
