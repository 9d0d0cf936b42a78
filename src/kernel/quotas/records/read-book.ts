import { textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { idOf, idOfCounter, idOfSlot, openBook, type Book, type Hold, type Slot } from '../rules/book.ts';
import { quotasOf, type PastOperation, type Line } from '../rules/contract.ts';
import { LATE_MS_MAX } from '../rules/bucket-use.ts';
import { parseEntries, WAITS } from './counter-entries.ts';
import { parseLedgerText } from './ledger-text.ts';

/** The records that a transaction reads. Pairs begin with the subject. */
export interface Needs {
  readonly subjects: ReadonlySet<string>;
  /** Operations, and reservations of the same name. */
  readonly keys: readonly (readonly [subject: string, key: string])[];
  readonly buckets: readonly (readonly [subject: string, bucket: string])[];
  readonly slots: readonly (readonly [subject: string, quota: string])[];
}

/** A timestamptz as whole milliseconds, the precision of our writes. */
const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint`;

/**
 * Reads the needed records as of one moment. The caller has locked the subjects, and then locks the counters too, or
 * reads a snapshot. Each look-up is LATERAL with a LIMIT or an OFFSET: that forces the index, also on tables that grew
 * since the plan was cached.
 *
 * @param nowMs replaces the time of the database
 */
export async function readBook(
  connection: Queryable,
  needs: Needs,
  holding: 'subjects' | 'snapshot',
  nowMs: number | undefined,
): Promise<Book> {
  const operations = await readOperations(connection, needs);
  const book = openBook(nowMs ?? operations[0]?.now ?? Number.NaN);
  for (const { subject, key, answer, returned } of operations) {
    if (subject === null) continue;
    const id = idOf(subject, key);
    book.recorded.add(id);
    book.operations.set(id, {
      subject,
      key,
      ...parseLedgerText(subject, answer),
      returned: returned === null ? [] : (JSON.parse(returned) as number[]),
    });
  }
  for (const { expires, settled, lines, ...hold } of await readHolds(connection, needs, book.nowMs)) {
    const parsed = JSON.parse(lines) as Line[];
    const times = { expiresAtMs: expires, settledAtMs: settled ?? undefined };
    book.holds.set(idOf(hold.subject, hold.key), { ...hold, lines: parsed, ...times });
  }
  const read = holding === 'subjects' ? takeCounters : readCounters;
  for (const row of await read(connection, pairsOf(needs, book), book.nowMs)) {
    const { id, subject, bucket, window_key, used, mark, entries, until } = row;
    const parsed = entries === null ? {} : parseEntries(entries);
    const counter = { subject, bucket, window: window_key, used, untilMs: until ?? undefined, ...parsed };
    book.counters.set(idOfCounter(counter), counter);
    book.rows.set(idOfCounter(counter), { id, mark });
  }
  if (needs.slots.length > 0) {
    for (const { since, expires, ended_by, ...slot } of await readSlots(connection, needs.slots)) {
      const read: Slot = { ...slot, sinceMs: since, expiresAtMs: expires, endedBy: ended_by };
      book.slots.set(idOfSlot(read), read);
    }
  }
  return book;
}

/** Operations of these subjects under a key. */
export async function findOperations(
  { query }: Queryable,
  subjects: readonly string[],
  key: string,
): Promise<readonly PastOperation[]> {
  const rows = await query<{ subject: string; answer: string }>({
    name: 'find-quota-operations',
    text: 'select subject, answer from backline.quota_operations where subject = any ($1::text[]) and key = $2',
    values: [textArray(subjects), key],
  });
  return rows.map(({ subject, answer: text }) => {
    const { answer } = parseLedgerText(subject, text);
    const buckets = answer.receipt.map(({ bucket }) => bucket);
    return { subject, atMs: answer.atMs, quotas: quotasOf(answer), buckets };
  });
}

/** The named buckets, and the buckets of receipts that may get units back. */
function pairsOf({ buckets }: Needs, book: Book): readonly (readonly [string, string])[] {
  const pairs = new Map(buckets.map((pair) => [idOf(...pair), pair]));
  const note = ({ subject, bucket }: Line): unknown => pairs.set(idOf(subject, bucket), [subject, bucket]);
  for (const { lines } of book.holds.values()) lines.forEach(note);
  for (const { answer } of book.operations.values()) answer.receipt.forEach(note);
  return [...pairs.values()];
}

interface OperationRow {
  readonly now: number;
  /** Null in the one row that stands for an empty result. */
  readonly subject: string | null;
  readonly key: string;
  readonly answer: string;
  readonly returned: string | null;
}

function readOperations({ query }: Queryable, { keys }: Needs): Promise<OperationRow[]> {
  return query<OperationRow>({
    name: 'read-quota-operations',
    text: `
      select ${ms('statement_timestamp()')} as now, o.*
      from (values (1)) as one left join (
        select f.* from unnest($1::text[], $2::text[]) as g (subject, key) cross join lateral (
          select subject, key, answer, returned from backline.quota_operations
          where subject = g.subject and key = g.key limit 1
        ) f
      ) o on true`,
    values: [textArray(keys.map(([subject]) => subject)), textArray(keys.map(([, key]) => key))],
  });
}

interface HoldRow extends Omit<Hold, 'lines' | 'expiresAtMs' | 'settledAtMs'> {
  readonly lines: string;
  readonly expires: number;
  readonly settled: number | null;
}

/** The named holds, the expired ones, and of the others of each subject the one that ends first. */
function readHolds({ query }: Queryable, { subjects, keys }: Needs, nowMs: number): Promise<HoldRow[]> {
  const columns = `subject, key, quota, kind, owner, state, amount, lines, ${ms('expires_at')} as expires,
    ${ms('settled_at')} as settled`;
  return query<HoldRow>({
    name: 'read-quota-holds',
    text: `
      select f.* from unnest($1::text[], $2::text[]) as g (subject, key) cross join lateral (
        select ${columns} from backline.quota_holds where subject = g.subject and key = g.key limit 1
      ) f
      union all
      select f.* from unnest($3::text[]) as g (subject) cross join lateral (
        select ${columns} from backline.quota_holds
        where subject = g.subject and state = 'held' and kind <> 'slice' and expires_at <= to_timestamp($4::bigint / 1000.0)
        offset 0
      ) f
      union all
      select f.* from unnest($3::text[]) as g (subject) cross join lateral (
        select ${columns} from backline.quota_holds
        where subject = g.subject and state = 'held' and kind <> 'slice' and expires_at > to_timestamp($4::bigint / 1000.0)
        order by expires_at limit 1
      ) f`,
    values: [
      textArray(keys.map(([subject]) => subject)),
      textArray(keys.map(([, key]) => key)),
      textArray([...subjects]),
      nowMs,
    ],
  });
}

interface CounterRow {
  readonly id: number;
  readonly subject: string;
  readonly bucket: string;
  readonly window_key: string;
  readonly used: number;
  readonly mark: number;
  readonly entries: string | null;
  readonly until: number | null;
}

const COUNTER_COLUMNS = `id, subject, bucket, window_key, used, mark, entries, ${ms('until_at')} as until`;

/** Windows that are not closed for good, and those whose units still have to be passed on. */
const openCounters = (columns: string): string => `
  select f.* from unnest($1::text[], $2::text[]) as g (subject, bucket) cross join lateral (
    select ${columns} from backline.quota_counters
    where subject = g.subject and bucket = g.bucket
      and (until_at is null or until_at > to_timestamp(($3::bigint - ${LATE_MS_MAX}) / 1000.0) or ${WAITS})
    offset 0
  ) f`;

type Pairs = readonly (readonly [subject: string, bucket: string])[];

function readCounters({ query }: Queryable, pairs: Pairs, nowMs: number): Promise<CounterRow[]> {
  return query<CounterRow>({
    name: 'read-quota-counters',
    text: openCounters(COUNTER_COLUMNS),
    values: counterValues(pairs, nowMs),
  });
}

/** Locks the counters too, in the order of all transactions: a writer from the cache takes no lock on the subject. */
function takeCounters({ query }: Queryable, pairs: Pairs, nowMs: number): Promise<CounterRow[]> {
  return query<CounterRow>({
    name: 'take-quota-counters',
    text: `
      with found as materialized (${openCounters('id')})
      select c.* from (select id from found order by id offset 0) g cross join lateral (
        select ${COUNTER_COLUMNS} from backline.quota_counters where id = g.id limit 1 for update
      ) c`,
    values: counterValues(pairs, nowMs),
  });
}

function counterValues(pairs: Pairs, nowMs: number): readonly [Buffer, Buffer, number] {
  return [textArray(pairs.map(([subject]) => subject)), textArray(pairs.map(([, bucket]) => bucket)), nowMs];
}

interface SlotRow extends Omit<Slot, 'sinceMs' | 'expiresAtMs' | 'endedBy'> {
  readonly since: number;
  readonly expires: number;
  readonly ended_by: string;
}

function readSlots({ query }: Queryable, slots: readonly (readonly [string, string])[]): Promise<SlotRow[]> {
  return query<SlotRow>({
    name: 'read-quota-slots',
    text: `
      select f.* from (select distinct * from unnest($1::text[], $2::text[])) as g (subject, quota) cross join lateral (
        select subject, quota, session, holder, ${ms('since_at')} as since, ${ms('expires_at')} as expires, ended, ended_by
        from backline.quota_slots where subject = g.subject and quota = g.quota
        offset 0
      ) f`,
    values: [textArray(slots.map(([subject]) => subject)), textArray(slots.map(([, quota]) => quota))],
  });
}
