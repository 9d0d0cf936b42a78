import { textArray } from '#kernel/postgres/arrays.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { beginDay } from '../event-days.ts';
import { dayOf } from './file-days.ts';
import type { RollAnswer } from './jobs.ts';

/** The place of a row in the log, as SQL. Rows of the log are never updated, so that it is stable. */
export const PLACE = 'tableoid::text || ctid::text';

const COLUMNS = 'type, id, client, pseudonym, event_at, sent_at, received_at, corrected_at, revision, payload';

/** Copies rows that no file can hold from these transactions of the log. */
export async function setAside(
  { query }: Queryable,
  rows: RollAnswer['aside'],
  window: { readonly from: bigint; readonly until: bigint },
  now: Temporal.Instant,
): Promise<void> {
  const kept = await query({
    text: `
      insert into backline.event_unfiled (${COLUMNS}, reason, set_aside_at)
      select ${COLUMNS}, reason, $3::timestamptz
      from (
        select ${PLACE} as place, ${COLUMNS} from backline.event_log where tx >= $4::text::xid8 and tx < $5::text::xid8
      ) l join unnest($1::text[], $2::text[]) as a (place, reason) using (place)
      returning 1`,
    values: [
      textArray(rows.map(({ place }) => place)),
      textArray(rows.map(({ reason }) => reason)),
      now.toString(),
      String(window.from),
      String(window.until),
    ],
  });
  if (kept.length !== rows.length) throw new Error(`of ${rows.length} rows ${kept.length} were set aside`);
}

/** Moves the rows that were set aside back to the end of the log, so that the next window retries them. */
export async function retryUnfiled(database: Database, now: Temporal.Instant): Promise<void> {
  const [row] = await database.query('select from backline.event_unfiled limit 1');
  if (row === undefined) return;
  const day = await beginDay(database, dayOf(now));
  await database.patient.query({
    text: `
      with again as (delete from backline.event_unfiled returning ${COLUMNS})
      insert into backline.event_log (day, ${COLUMNS}) select $1::date, ${COLUMNS} from again`,
    values: [day],
  });
}
