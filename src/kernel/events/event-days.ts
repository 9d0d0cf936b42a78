import { eventRefusal } from './refusals.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { inTransaction } from './lane.ts';

/**
 * Days for which an event id is remembered at least: a retry within this time is a duplicate. Ids of types with a longer
 * lateness are remembered for longer.
 */
export const REMEMBERED_DAYS_MIN = 7;
/** Partitions are created this many days ahead, so that no writer waits for them at midnight. */
const DAYS_AHEAD = 2;

const PARTITIONED = ['event_log', 'event_ids'] as const;

/** Excludes writers, and waits for those under way. Held until the end of the transaction. */
export const WITHOUT_WRITERS = 'lock table backline.event_day in exclusive mode';
/** Excludes a change of the day and erasures. Held until the end of the transaction. */
export const AS_WRITER = 'lock table backline.event_day in row share mode';

export function dayOf(now: Temporal.Instant): string {
  return now.toZonedDateTimeISO('UTC').toPlainDate().toString();
}

/** Begins a day for all writers, unless a later one has begun; gives the current day. */
export async function beginDay(database: Database, day: string): Promise<string> {
  return inTransaction(database, async (connection) => {
    await connection.query(WITHOUT_WRITERS);
    await renumberLog(connection);
    await makePartitions(connection, day);
    const [row] = await connection.query<{ day: string }>({
      text: 'update backline.event_day set day = greatest(day, $1::date) returning day::text',
      values: [day],
    });
    if (row === undefined) throw eventRefusal('no-day', 'backline.event_day has no row.');
    return row.day;
  });
}

/**
 * Renumbers the log after a restore into another PostgreSQL, which counts transactions from the beginning, below those of
 * the log. Rows that are not in files get the current number, so that they are rolled next; rows in files get the lowest.
 * Each process calls this before it writes its first event, so that no row has a new number before.
 */
async function renumberLog({ query }: Queryable): Promise<void> {
  const [row] = await query<{ until_tx: string }>(`
    select until_tx::text from backline.rollup, pg_current_xact_id() as now
    where until_tx > now or exists (select from backline.event_log where tx > now)`);
  if (row === undefined) return;
  for (const table of ['event_log', 'event_batches']) {
    await query(`
      update backline.${table}
      set tx = case when tx < '${row.until_tx}'::xid8 then '0'::xid8 else pg_current_xact_id() end`);
  }
  await query('update backline.rollup set until_tx = pg_current_xact_id()');
}

export async function renumberIfRestored(database: Database): Promise<void> {
  await inTransaction(database, async (connection) => {
    await connection.query(WITHOUT_WRITERS);
    await renumberLog(connection);
  });
}

/**
 * Creates the partitions of the coming days, and drops those of ids that are no longer remembered.
 *
 * @param rememberedDays how long ids are remembered, of the type for which it is longest
 */
export async function turnPartitions(
  database: Database,
  today: string,
  rememberedDays = REMEMBERED_DAYS_MIN,
): Promise<void> {
  const date = Temporal.PlainDate.from(today);
  // A day more than needed: processes whose clocks are behind still write the day before.
  const oldest = partitionName('event_ids', date.subtract({ days: rememberedDays + 1 }).toString());
  const names = await partitions(database);
  const outdated = names.filter((name) => name.startsWith('event_ids_p') && name < oldest);
  const ahead = Array.from({ length: DAYS_AHEAD + 1 }, (_, days) => date.add({ days }).toString());
  const missing = ahead.filter((day) => PARTITIONED.some((table) => !names.includes(partitionName(table, day))));
  if (outdated.length + missing.length === 0) return;
  await inTransaction(database, async (connection) => {
    await connection.query(WITHOUT_WRITERS);
    for (const day of missing) await makePartitions(connection, day);
    for (const name of outdated) await connection.query(`drop table if exists backline.${name}`);
  });
}

/** Call only while writers are excluded: two that create the same partition would conflict. */
async function makePartitions(connection: Queryable, day: string): Promise<void> {
  const next = Temporal.PlainDate.from(day).add({ days: 1 }).toString();
  const present = new Set(await partitions(connection));
  for (const table of PARTITIONED) {
    const name = partitionName(table, day);
    if (present.has(name)) continue;
    // Created first and attached then, so that this does not wait for readers of the whole table.
    await connection.query(`create table backline.${name} (like backline.${table} including defaults)`);
    await connection.query(
      `alter table backline.${table} attach partition backline.${name} for values from ('${day}') to ('${next}')`,
    );
  }
}

async function partitions({ query }: Queryable): Promise<readonly string[]> {
  const rows = await query<{ name: string }>({
    text: `
      select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = any (array['backline.event_log', 'backline.event_ids']::regclass[])`,
  });
  return rows.map(({ name }) => name);
}

function partitionName(table: (typeof PARTITIONED)[number], day: string): string {
  return `${table}_p${day.replaceAll('-', '')}`;
}
