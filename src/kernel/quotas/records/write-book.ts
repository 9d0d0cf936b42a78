import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { idOf, type Book } from '../book.ts';
import { answerText } from './answer-text.ts';

/** Stands for a time that is not there: the binary arrays have no nulls. */
const NO_TIME = Number.MIN_SAFE_INTEGER;

/** Subjects as they were when the decision was made, by the marks of whoever changed them last. */
export type Versions = ReadonlyMap<string, number>;

/** Writes what changed, in the transaction that holds the subjects. */
export async function writeBook(connection: Queryable, book: Book, versions: Versions, mark: number): Promise<void> {
  const { counters, operations, holds, slots } = book.changed;
  if (counters.size + operations.size + holds.size > 0) {
    const recorded = await recordBook(connection, book, versions, mark, undefined);
    if ('changed' in recorded) throw new Error('subjects of quotas changed under their lock');
  }
  if (operations.size > 0) await writeReturned(connection, book);
  if (holds.size > 0) await writeHolds(connection, book);
  if (slots.size > 0) await writeSlots(connection, book);
}

function changed<Row>(all: ReadonlyMap<string, Row>, ids: ReadonlySet<string>): readonly Row[] {
  const rows: Row[] = [];
  for (const id of ids) {
    const row = all.get(id);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

/**
 * Writes counters and new operations, and marks the subjects, in one statement, which takes the subjects as well.
 * Gives the time of the database. Nothing is written when one of them has another version, when a key is taken, or when
 * the clocks are further apart than `apartMs`: then it gives the subjects that have changed, if it was that.
 */
export async function recordBook(
  { query }: Queryable,
  book: Book,
  versions: Versions,
  mark: number,
  apartMs: number | undefined,
): Promise<{ readonly nowMs: number } | { readonly changed: readonly string[] }> {
  const counters = changed(book.counters, book.changed.counters);
  const operations = changed(book.operations, book.changed.operations).filter(
    ({ subject, key }) => !book.recorded.has(idOf(subject, key)),
  );
  const [row] = await query<{ ours: number | null; changed: string | null }>({
    name: 'record-quotas',
    text: `select ours, changed from backline.record_quotas($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
    values: [
      book.nowMs,
      apartMs ?? null,
      mark,
      textArray([...versions.keys()]),
      bigintArray([...versions.values()]),
      textArray(counters.map(({ subject }) => subject)),
      textArray(counters.map(({ bucket }) => bucket)),
      textArray(counters.map(({ window }) => window)),
      bigintArray(counters.map(({ used }) => used)),
      textArray(counters.map(({ entries }) => (entries === undefined ? '' : JSON.stringify(entries)))),
      bigintArray(counters.map(({ untilMs }) => untilMs ?? NO_TIME)),
      textArray(operations.map(({ subject }) => subject)),
      textArray(operations.map(({ key }) => key)),
      textArray(operations.map(({ kind }) => kind)),
      textArray(operations.map(({ fingerprint }) => fingerprint)),
      textArray(operations.map(({ answer }) => answer.outcome)),
      textArray(operations.map(({ subject, answer }) => answerText(subject, answer))),
      textArray(operations.map(({ subject, answer }) => othersOf(subject, answer.receipt))),
    ],
  });
  if (row === undefined) throw new Error('what was decided about quotas was not recorded');
  const { ours, changed: others } = row;
  return ours === null ? { changed: JSON.parse(others ?? '[]') as string[] } : { nowMs: ours };
}

/** What was given back of operations that were recorded before. */
async function writeReturned({ query }: Queryable, book: Book): Promise<void> {
  const operations = changed(book.operations, book.changed.operations);
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

/** As JSON: the subjects of a receipt besides the one whose operation it is. */
function othersOf(subject: string, receipt: readonly { readonly subject: string }[]): string {
  if (receipt.every((line) => line.subject === subject)) return '[]';
  return JSON.stringify([...new Set(receipt.map((line) => line.subject))].filter((other) => other !== subject));
}

async function writeHolds({ query }: Queryable, book: Book): Promise<void> {
  const holds = changed(book.holds, book.changed.holds);
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
      set state = excluded.state, expires_at = excluded.expires_at, settled_at = excluded.settled_at`,
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
  const slots = changed(book.slots, book.changed.slots);
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
