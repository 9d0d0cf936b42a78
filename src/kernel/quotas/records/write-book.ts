import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { Book } from '../book.ts';

/** Stands for a time that is not there: the binary arrays have no nulls. */
const NO_TIME = Number.MIN_SAFE_INTEGER;

/** Writes what changed: counters and ledger in one statement, reservations and slots where there are any. */
export async function writeBook(connection: Queryable, book: Book): Promise<void> {
  if (book.changed.counters.size + book.changed.operations.size > 0) await writeCounted(connection, book);
  if (book.changed.holds.size > 0) await writeHolds(connection, book);
  if (book.changed.slots.size > 0) await writeSlots(connection, book);
}

function changed<Row>(all: ReadonlyMap<string, Row>, ids: ReadonlySet<string>): readonly Row[] {
  return [...ids].flatMap((id) => all.get(id) ?? []);
}

async function writeCounted({ query }: Queryable, book: Book): Promise<void> {
  const counters = changed(book.counters, book.changed.counters);
  const operations = changed(book.operations, book.changed.operations);
  await query({
    name: 'write-quota-operations',
    text: `
      with counted as (
        insert into backline.quota_counters as c (subject, bucket, window_key, used, entries, until_at, updated_at)
        select subject, bucket, window_key, used, entries, to_timestamp(nullif(until, ${NO_TIME}) / 1000.0),
          to_timestamp($1::bigint / 1000.0)
        from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[])
          as g (subject, bucket, window_key, used, entries, until)
        on conflict (subject, bucket, window_key) do update
        set used = excluded.used, entries = excluded.entries, updated_at = excluded.updated_at
      )
      insert into backline.quota_operations (subject, key, kind, fingerprint, at, denied, answer, returned, others)
      select subject, key, kind, fingerprint, to_timestamp($1::bigint / 1000.0), outcome = 'denied', answer, returned,
        case when others = '[]' then '{}' else array(select jsonb_array_elements_text(others::jsonb)) end
      from unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
        as g (subject, key, kind, fingerprint, outcome, answer, returned, others)
      on conflict (subject, key) do update set returned = excluded.returned`,
    values: [
      book.nowMs,
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
      textArray(operations.map(({ answer }) => JSON.stringify(answer))),
      textArray(operations.map(({ returned }) => (returned.length === 0 ? '' : JSON.stringify(returned)))),
      textArray(operations.map(({ subject, answer }) => JSON.stringify(othersOf(subject, answer.receipt)))),
    ],
  });
}

function othersOf(subject: string, receipt: readonly { readonly subject: string }[]): readonly string[] {
  return [...new Set(receipt.map((line) => line.subject))].filter((other) => other !== subject);
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
