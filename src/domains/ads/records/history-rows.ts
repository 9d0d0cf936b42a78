import { byteaArray, bigintArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';

/** A change of one row: of the version that was read, or of one that is not there yet. */
export interface RowChange {
  readonly key: string;
  readonly version: number | undefined;
  readonly untilDay: number;
  /** Key of the listener, for rows of devices and sessions. */
  readonly listener: string | undefined;
  readonly history: Buffer;
}

export interface StoredRow {
  readonly version: number;
  readonly history: Buffer;
}

/** Rows of many questions, in one statement. */
export async function readRows(
  { query }: Queryable,
  keys: ReadonlySet<string>,
): Promise<ReadonlyMap<string, StoredRow>> {
  const rows = await query<StoredRow & { readonly key: string }>({
    name: 'ad-histories-read',
    text: `select encode(key, 'hex') as key, version, history from backline.ad_histories where key = any ($1::bytea[])`,
    values: [byteaArray([...keys].map(bytesOf))],
  });
  return new Map(rows.map(({ key, version, history }) => [key, { version, history }]));
}

/**
 * Changes rows of many decisions in one statement; each decision changes all of its rows or none, and none where one of them
 * has another version by now. Gives which did. No two of them may name the same row. Rows are locked in one order, so that groups of several
 * processes wait for each other and never in a circle.
 *
 * The commit does not wait for the disk: when PostgreSQL or its machine crashes, exposures of the last second may be lost
 * (three times `wal_writer_delay`), and listeners may get these ads once more. A crash of this process loses nothing.
 */
export async function writeRows(database: Queryable, decisions: readonly (readonly RowChange[])[]): Promise<boolean[]> {
  const all = decisions.flatMap((changes, decision) => changes.map((change) => ({ ...change, decision })));
  const created = await createRows(
    database,
    all.filter(({ version }) => version === undefined),
  );
  const rows = all.map((change) => ({ ...change, version: change.version ?? created.get(change.key) ?? MISSING }));
  const written = await database.query<{ decision: number }>({
    name: 'ad-histories-write',
    text: `
      with asked as (
        select * from unnest($1::bytea[], $2::bigint[], $3::integer[], $4::integer[], $5::text[], $6::bytea[])
          as a (key, version, decision, until_day, listener, history)
      ), locked as materialized (
        select h.key, h.version from backline.ad_histories h
        where h.key = any ($1::bytea[]) order by h.key for update
      ), fits as materialized (
        select a.decision from asked a left join locked l using (key)
        group by a.decision having bool_and(l.version is not distinct from a.version)
      ), written as (
        update backline.ad_histories h set
          version = h.version + 1,
          until_day = a.until_day,
          listener = coalesce(decode(nullif(a.listener, ''), 'hex'), h.listener),
          history = a.history
        from asked a join fits using (decision) where h.key = a.key
      )
      select decision, set_config('synchronous_commit', 'off', true) from fits`,
    values: [
      byteaArray(rows.map(({ key }) => bytesOf(key))),
      bigintArray(rows.map(({ version }) => version)),
      rows.map(({ decision }) => decision),
      rows.map(({ untilDay }) => untilDay),
      rows.map(({ listener = '' }) => listener),
      byteaArray(rows.map(({ history }) => history)),
    ],
  });
  const fits = new Set(written.map(({ decision }) => decision));
  return decisions.map((_, decision) => fits.has(decision));
}

/** No row has it. */
const MISSING = -1;

/** Makes empty rows; gives the versions of those that were not there. */
async function createRows({ query }: Queryable, changes: readonly RowChange[]): Promise<ReadonlyMap<string, number>> {
  if (changes.length === 0) return new Map();
  const rows = await query<{ key: string; version: number }>({
    name: 'ad-histories-create',
    text: `
      insert into backline.ad_histories (key, until_day)
      select * from unnest($1::bytea[], $2::integer[]) as a (key, until_day) order by key
      on conflict (key) do nothing
      returning encode(key, 'hex') as key, version, set_config('synchronous_commit', 'off', true)`,
    values: [byteaArray(changes.map(({ key }) => bytesOf(key))), changes.map(({ untilDay }) => untilDay)],
  });
  return new Map(rows.map(({ key, version }) => [key, version]));
}

function bytesOf(key: string): Buffer {
  return Buffer.from(key, 'hex');
}
