import { eventRefusal } from './refusals.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { inTransaction } from './lane.ts';

/**
 * For how long an id is remembered at least, in days: the same event sent again within this is one event. A type that is
 * accepted later than that has its ids remembered for longer.
 */
export const REMEMBERED_DAYS_MIN = 7;
/** Partitions are there this many days ahead, so that nobody waits for them at midnight. */
const DAYS_AHEAD = 2;

const PARTITIONED = ['event_log', 'event_ids'] as const;

/** Keeps off writers, and waits for those under way. Held until the end of the transaction. */
export const WITHOUT_WRITERS = 'lock table backline.event_day in exclusive mode';
/** Keeps off a change of the day, and erasures. Held until the end of the transaction. */
export const AS_WRITER = 'lock table backline.event_day in row share mode';

export function dayOf(now: Temporal.Instant): string {
  return now.toZonedDateTimeISO('UTC').toPlainDate().toString();
}

/** Begins a day for all writers, unless a later one has begun; gives the day that they write then. */
export async function beginDay(database: Database, day: string): Promise<string> {
  return inTransaction(database, async (connection) => {
    await connection.query(WITHOUT_WRITERS);
    await countAnew(connection);
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
 * A database that was restored into another PostgreSQL counts its transactions from the beginning, below those that its log
 * holds: what is not in files yet gets the number of now, so that it comes next, and what is gets the lowest. Each process
 * comes here before it writes its first event, so that no row has a new number before.
 */
async function countAnew({ query }: Queryable): Promise<void> {
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

export async function countAnewIfRestored(database: Database): Promise<void> {
  await inTransaction(database, async (connection) => {
    await connection.query(WITHOUT_WRITERS);
    await countAnew(connection);
  });
}

/**
 * Makes the partitions of the coming days, and drops what is remembered of ids that no longer count.
 *
 * @param rememberedDays for how long ids count, of the type for which it is longest
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

/** Only while writers are kept off: two that make the same partition would get into each other's way. */
async function makePartitions(connection: Queryable, day: string): Promise<void> {
  const next = Temporal.PlainDate.from(day).add({ days: 1 }).toString();
  const present = new Set(await partitions(connection));
  for (const table of PARTITIONED) {
    const name = partitionName(table, day);
    if (present.has(name)) continue;
    // Made first and attached then: readers of the whole table need not be waited for.
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
