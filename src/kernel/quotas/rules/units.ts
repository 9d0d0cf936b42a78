import { spanOf, type Bucket } from './bucket.ts';
import { idOfCounter, usedIn, writeCounter, type Book } from './book.ts';
import type { Line } from './contract.ts';
import { deduct, giveBack, type Manner } from './deduct.ts';
import type { Item } from './operation.ts';
import { withEntry, withoutUnits } from './rolling.ts';
import { isPast, lengthMs, type CounterUse } from './bucket-use.ts';

interface TakeOptions {
  readonly atMs: number;
  readonly manner: Manner;
  /** Units that earlier items took, by the id of the counter; the lines of this one are added. */
  readonly taken?: Map<string, number> | undefined;
}

/**
 * The lines of one item; undefined for a denial.
 *
 * @param uses of the item's buckets at that moment
 */
export function take(
  { subject, quota, amount }: Item,
  uses: readonly CounterUse[],
  { atMs, manner, taken }: TakeOptions,
): readonly Line[] | undefined {
  return deduct(uses, amount, manner)?.map(({ use: { bucket, span, id, corrects }, amount }): Line => {
    taken?.set(id, (taken.get(id) ?? 0) + amount);
    const line = { subject, quota, bucket: bucket.id, window: span.key, amount };
    if (bucket.window.type === 'rolling') return { ...line, untilMs: atMs + lengthMs(bucket), atMs };
    const { untilMs } = span;
    if (untilMs === undefined) return line;
    return corrects === undefined ? { ...line, untilMs } : { ...line, untilMs, corrects };
  });
}

/** Writes one line into its counter. */
export function add(book: Book, line: Line): void {
  const { subject, bucket, window, amount, untilMs, atMs } = line;
  const before = book.counters.get(idOfCounter(line));
  if (atMs === undefined) {
    const { rolled, moved } = before ?? {};
    const used = (before?.used ?? 0) + amount;
    const known = { ...(rolled === undefined ? {} : { rolled }), ...(moved === undefined ? {} : { moved }) };
    writeCounter(book, { subject, bucket, window, used, untilMs, ...known });
    countWhereMoved(book, line, amount);
    return;
  }
  const fromMs = atMs - ((untilMs ?? atMs) - atMs);
  const entries = withEntry(before?.entries ?? [], [atMs, amount], fromMs);
  writeCounter(book, {
    subject,
    bucket,
    window,
    used: usedIn({ ...line, used: 0, entries, untilMs }, fromMs),
    entries,
    untilMs: undefined,
    ...(before?.moved === undefined ? {} : { moved: before.moved }),
  });
  countWhereMoved(book, line, amount);
}

/** Moves of use after each other, at most. */
const MOVES_MAX = 20;

/**
 * Applies a change to the counter that the use has moved to: late use from before, and returned units, up to the moved
 * amount. A counter that is not in the book belongs to a plan that nobody has now.
 */
function countWhereMoved(book: Book, name: Pick<Line, 'subject' | 'bucket' | 'window'>, amount: number): void {
  let [from, change] = [book.counters.get(idOfCounter(name)), amount];
  for (let step = 0; step < MOVES_MAX && from?.moved !== undefined && from.moved.isCounted; step += 1) {
    const { moved } = from;
    const target = book.counters.get(idOfCounter({ ...moved, subject: from.subject }));
    if (target === undefined || target.entries !== undefined) return;
    const there = (change * moved.units) / moved.of;
    change = change > 0 ? Math.ceil(there) : -Math.min(moved.gain, Math.floor(-there));
    writeCounter(book, { ...from, moved: { ...moved, gain: moved.gain + change } });
    from = { ...target, used: Math.max(0, target.used + change) };
    writeCounter(book, from);
  }
}

interface ReturnOptions {
  readonly amount: number;
  /** Those in force; absent where units go back to any bucket. */
  readonly buckets: readonly Bucket[] | undefined;
  /** Units of each line that went back before. */
  readonly returned?: readonly number[];
}

/**
 * Gives units back to the lines that they were taken from, last in, first out; gives the amounts by line. Lines of
 * closed windows, and of removed buckets without a replacement, are skipped.
 */
export function returnTo(
  book: Book,
  lines: readonly Line[],
  { amount, buckets, returned = [] }: ReturnOptions,
): { readonly back: readonly number[]; readonly receipt: readonly Line[] } {
  const targets = lines.map((line) => targetOf(book, line, buckets));
  const back = giveBack(
    lines.map((line, index) => ({
      amount: line.amount,
      returned: returned[index] ?? 0,
      isGone: targets[index] === undefined,
    })),
    amount,
  );
  const receipt = back.flatMap((given, index): readonly Line[] => {
    const target = targets[index];
    if (given === 0 || target === undefined) return [];
    subtract(book, target, given);
    return [{ ...target, amount: given }];
  });
  return { back, receipt };
}

/** The line, or one of the replacing bucket; undefined when units cannot go back there. */
function targetOf(book: Book, line: Line, buckets: readonly Bucket[] | undefined): Line | undefined {
  if (buckets === undefined || buckets.some(({ id }) => id === line.bucket)) {
    if (line.untilMs === undefined) return line;
    // Units that have left a rolling window cannot be given back.
    return (line.atMs === undefined ? isPast(line.untilMs, book) : line.untilMs <= book.nowMs) ? undefined : line;
  }
  // UseTransfer use is given back where it went, in proportion.
  const { moved } = book.counters.get(idOfCounter(line)) ?? {};
  const hasGoneOn = moved?.isCounted === true && book.counters.has(idOfCounter({ ...moved, subject: line.subject }));
  if (hasGoneOn) return line.untilMs !== undefined && isPast(line.untilMs, book) ? undefined : line;
  const heir = buckets.find(({ replaces }) => replaces?.includes(line.bucket) === true);
  // Entries of a rolling window go back to their own window, and these belong to another one.
  if (heir === undefined || heir.window.type === 'rolling') return undefined;
  const { key, untilMs } = spanOf(heir, book.nowMs);
  const { subject, quota, amount } = line;
  return { subject, quota, amount, bucket: heir.id, window: key, ...(untilMs === undefined ? {} : { untilMs }) };
}

function subtract(book: Book, line: Line, amount: number): void {
  const before = book.counters.get(idOfCounter(line));
  if (before === undefined) return;
  const used = Math.max(0, before.used - amount);
  if (before.entries === undefined || line.atMs === undefined) writeCounter(book, { ...before, used });
  else writeCounter(book, { ...before, used, entries: withoutUnits(before.entries, [line.atMs, amount]) });
  countWhereMoved(book, line, -amount);
}
