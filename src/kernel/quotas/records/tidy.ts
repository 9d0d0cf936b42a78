import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { WAITS } from './counter-entries.ts';

const KEPT_DAYS = {
  /** Minimum lifetime of a key. A denial has charged nothing and is removed after it. */
  denial: 32,
  /** The ledger: a year and the time to settle it. */
  operation: 400,
  /** Settled reservations, which explain a late commit; offline leases stay as long as the ledger. */
  hold: 32,
  /** Counters of closed windows: a day of late use, and another for concurrent readers. */
  counter: 2,
  /** Ended sessions, which tell a device why. */
  slot: 1,
} as const;

/**
 * Removes records past their retention; gives how many rows.
 *
 * @param now replaces the time of the database
 */
export async function tidyRecords({ query }: Queryable, now: Temporal.Instant | undefined): Promise<number> {
  const days = (name: keyof typeof KEPT_DAYS): string =>
    `coalesce($1::timestamptz, now()) - interval '${KEPT_DAYS[name]} days'`;
  let removed = 0;
  for (const rows of [
    `quota_operations where denied and at < ${days('denial')}`,
    `quota_operations where at < ${days('operation')}`,
    `quota_holds where settled_at < ${days('hold')} and kind <> 'offline'`,
    `quota_holds where settled_at < ${days('operation')}`,
    `quota_counters where until_at < ${days('counter')} and not ${WAITS}`,
    `quota_slots where expires_at < ${days('slot')}`,
  ]) {
    const [row] = await query<{ count: number }>({
      text: `with gone as (delete from backline.${rows} returning 1) select count(*) from gone`,
      values: [now?.toString() ?? null],
    });
    removed += row?.count ?? 0;
  }
  return removed;
}

/** Subjects with reservations that have expired and were not settled since. */
export async function subjectsWithExpired(
  { query }: Database,
  now: Temporal.Instant | undefined,
  subjectsMax: number,
): Promise<readonly string[]> {
  const rows = await query<{ subject: string }>({
    text: `
      select distinct subject from backline.quota_holds
      where state = 'held' and kind <> 'slice' and expires_at <= coalesce($1::timestamptz, now()) limit $2`,
    values: [now?.toString() ?? null, subjectsMax],
  });
  return rows.map(({ subject }) => subject);
}
