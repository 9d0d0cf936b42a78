import { randomInt } from 'node:crypto';
import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { idOfCounter, type Book, type Counter, type OperationRecord } from '../rules/book.ts';
import { entriesOf } from './counter-entries.ts';
import { ledgerText } from './ledger-text.ts';

/** Stands for a missing time: the binary arrays have no nulls. */
const NO_TIME = Number.MIN_SAFE_INTEGER;

/** Range of `randomInt`. A collision of a mark or an id has odds of 1 : 2^48, and is refused. */
const RANDOM_MAX = 2 ** 48 - 1;

/** A mark identifies one transaction: it shows which counters that one wrote last. */
export function newMark(): number {
  return randomInt(1, RANDOM_MAX);
}

/** The input of one write statement: counters and new operations. */
export interface Draft {
  readonly mark: number;
  readonly nowMs: number;
  /** Subjects without a counter yet, whose marks could show an erasure. */
  readonly bare: ReadonlySet<string>;
  readonly counters: readonly Counter[];
  readonly ids: readonly number[];
  /** Marks at the time of the decision. */
  readonly marks: readonly number[];
  readonly newCounters: readonly Counter[];
  readonly newIds: readonly number[];
  readonly operations: readonly OperationRecord[];
}

/**
 * The changes of the book, as a draft under the mark. The rows of its counters get that mark at once, ahead of the
 * commit: later decisions depend on this commit.
 */
export function draftOf(book: Book, mark: number): Draft {
  const counters: Counter[] = [];
  const ids: number[] = [];
  const marks: number[] = [];
  const newCounters: Counter[] = [];
  const newIds: number[] = [];
  const known = new Set<string>();
  const note = (id: string): void => {
    const counter = book.counters.get(id);
    if (counter === undefined) return;
    const row = book.rows.get(id);
    if (row === undefined) {
      const made = { id: randomInt(1, RANDOM_MAX), mark };
      book.rows.set(id, made);
      newCounters.push(counter);
      newIds.push(made.id);
      return;
    }
    known.add(counter.subject);
    counters.push(counter);
    ids.push(row.id);
    marks.push(row.mark);
    row.mark = mark;
  };
  const { changed, readIds } = book;
  readIds.forEach(note);
  for (const id of changed.counters) if (!readIds.has(id)) note(id);
  // A process that caches these counters also caches when they get units back.
  for (const id of changed.holds) {
    for (const line of book.holds.get(id)?.lines ?? []) {
      const held = idOfCounter(line);
      if (readIds.has(held) || changed.counters.has(held)) continue;
      readIds.add(held);
      note(held);
    }
  }
  const operations: OperationRecord[] = [];
  for (const id of changed.operations) {
    const operation = book.operations.get(id);
    if (operation !== undefined && !book.recorded.has(id)) operations.push(operation);
  }
  const bare = new Set<string>();
  for (const { subject } of newCounters) if (!known.has(subject)) bare.add(subject);
  for (const { subject } of operations) if (!known.has(subject)) bare.add(subject);
  return { mark, nowMs: book.nowMs, bare, counters, ids, marks, newCounters, newIds, operations };
}

/** Writes the changes, in the transaction that holds the subjects; false when another transaction came in between. */
export async function writeBook(connection: Queryable, book: Book, mark: number): Promise<boolean> {
  const { counters, operations, holds, slots } = book.changed;
  if (counters.size + operations.size + holds.size > 0) {
    const recorded = await recordDraft(connection, draftOf(book, mark), undefined);
    if ('changed' in recorded) return false;
  }
  if (operations.size > 0) await writeReturned(connection, book);
  if (holds.size > 0) await writeHolds(connection, book);
  if (slots.size > 0) await writeSlots(connection, book);
  return true;
}

function changedRows<Row>(all: ReadonlyMap<string, Row>, ids: ReadonlySet<string>): readonly Row[] {
  const rows: Row[] = [];
  for (const id of ids) {
    const row = all.get(id);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

const NO_TEXTS = textArray([]);

/**
 * Writes counters and new operations in one statement, which locks the counters as well. Gives the time of the
 * database. Writes nothing when a counter has another mark, when a key or a new counter exists already, or when the
 * clocks differ by more than `apartMs`. Then it gives the subjects whose counters have changed, if any.
 */
export async function recordDraft(
  { query }: Queryable,
  draft: Draft,
  apartMs: number | undefined,
): Promise<{ readonly nowMs: number } | { readonly changed: readonly string[] }> {
  const { mark, nowMs, bare, counters, ids, marks, newCounters, newIds, operations } = draft;
  const [row] = await query<{ ours: number | null; changed: string | null }>({
    name: 'record-quotas',
    text: `
      select ours, changed from backline.record_quotas(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
    values: [
      nowMs,
      apartMs ?? null,
      mark,
      bare.size === 0 ? NO_TEXTS : textArray([...bare]),
      bigintArray(ids),
      bigintArray(counters.map(({ used }) => used)),
      bigintArray(marks),
      textsIfAny(counters, entriesOf),
      bigintArray(newIds),
      textsIfAny(newCounters, ({ subject }) => subject),
      textsIfAny(newCounters, ({ bucket }) => bucket),
      textsIfAny(newCounters, ({ window }) => window),
      bigintArray(newCounters.map(({ used }) => used)),
      textsIfAny(newCounters, entriesOf),
      bigintArray(newCounters.map(({ untilMs }) => untilMs ?? NO_TIME)),
      textArray(operations.map(({ subject }) => subject)),
      textArray(operations.map(({ key }) => key)),
      textArray(operations.map(ledgerText)),
      textsIfAny(operations, othersOf),
    ],
  });
  if (row === undefined) throw new Error('the statement record_quotas returned no row');
  const { ours, changed: others } = row;
  return ours === null ? { changed: JSON.parse(others ?? '[]') as string[] } : { nowMs: ours };
}

/**
 * A `text[]`, or an empty one when all texts are empty: the database reads missing elements as null, and each column
 * costs time.
 */
function textsIfAny<Row>(rows: readonly Row[], textOf: (row: Row) => string): Buffer {
  return rows.some((row) => textOf(row) !== '') ? textArray(rows.map(textOf)) : NO_TEXTS;
}

/** Units that were given back of operations recorded before. */
async function writeReturned({ query }: Queryable, book: Book): Promise<void> {
  const operations = changedRows(book.operations, book.changed.operations);
  const returned = operations.filter((one) => one.returned.length > 0);
  if (returned.length === 0) return;
  await query({
    name: 'write-quota-returned',
    text: `
      update backline.quota_operations o set returned = g.returned
      from unnest($1::text[], $2::text[], $3::text[]) as g (subject, key, returned)
      where o.subject = g.subject and o.key = g.key`,
    values: [
      textArray(returned.map(({ subject }) => subject)),
      textArray(returned.map(({ key }) => key)),
      textArray(returned.map((one) => JSON.stringify(one.returned))),
    ],
  });
}

/** As JSON: the other subjects of a receipt; empty without any. */
function othersOf({ subject, answer: { receipt } }: OperationRecord): string {
  if (receipt.every((line) => line.subject === subject)) return '';
  return JSON.stringify([...new Set(receipt.map((line) => line.subject))].filter((other) => other !== subject));
}

async function writeHolds({ query }: Queryable, book: Book): Promise<void> {
  const holds = changedRows(book.holds, book.changed.holds);
  await query({
    name: 'write-quota-holds',
    text: `
      insert into backline.quota_holds
        (subject, key, quota, kind, owner, state, amount, lines, expires_at, settled_at)
      select subject, key, quota, kind, owner, state, amount, lines, to_timestamp(expires / 1000.0),
        to_timestamp(nullif(settled, ${NO_TIME}) / 1000.0)
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
        $9::bigint[], $10::bigint[])
        as g (subject, key, quota, kind, owner, state, amount, lines, expires, settled)
      on conflict (subject, key) do update
      set state = excluded.state, amount = excluded.amount, lines = excluded.lines, expires_at = excluded.expires_at,
        settled_at = excluded.settled_at`,
    values: [
      textArray(holds.map(({ subject }) => subject)),
      textArray(holds.map(({ key }) => key)),
      textArray(holds.map(({ quota }) => quota)),
      textArray(holds.map(({ kind }) => kind)),
      textArray(holds.map(({ owner }) => owner)),
      textArray(holds.map(({ state }) => state)),
      bigintArray(holds.map(({ amount }) => amount)),
      textArray(holds.map(({ lines }) => JSON.stringify(lines))),
      bigintArray(holds.map(({ expiresAtMs }) => expiresAtMs)),
      bigintArray(holds.map(({ settledAtMs }) => settledAtMs ?? NO_TIME)),
    ],
  });
}

async function writeSlots({ query }: Queryable, book: Book): Promise<void> {
  const slots = changedRows(book.slots, book.changed.slots);
  await query({
    name: 'write-quota-slots',
    text: `
      insert into backline.quota_slots (subject, quota, session, holder, since_at, expires_at, ended, ended_by)
      select subject, quota, session, holder, to_timestamp(since / 1000.0), to_timestamp(expires / 1000.0), ended, ended_by
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[])
        as g (subject, quota, session, holder, since, expires, ended, ended_by)
      on conflict (subject, quota, session) do update
      set holder = excluded.holder, since_at = excluded.since_at, expires_at = excluded.expires_at,
        ended = excluded.ended, ended_by = excluded.ended_by`,
    values: [
      textArray(slots.map(({ subject }) => subject)),
      textArray(slots.map(({ quota }) => quota)),
      textArray(slots.map(({ session }) => session)),
      textArray(slots.map(({ holder }) => holder)),
      bigintArray(slots.map(({ sinceMs }) => sinceMs)),
      bigintArray(slots.map(({ expiresAtMs }) => expiresAtMs)),
      textArray(slots.map(({ ended }) => ended)),
      textArray(slots.map(({ endedBy }) => endedBy)),
    ],
  });
}
