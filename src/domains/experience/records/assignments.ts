import { hash } from 'node:crypto';
import { isStorable } from '#kernel/base/storable-text.ts';
import type { Database } from '#kernel/postgres/database.ts';

/** An index of PostgreSQL takes keys of 2,704 bytes, of which the name of the record is one part. */
const UNIT_BYTES_MAX = 2_000;

/** The unit as the table has it: what cannot be kept as it is, or is too long for an index, by its hash. */
function keptUnit(unit: string): string {
  const fits = isStorable(unit) && Buffer.byteLength(unit) <= UNIT_BYTES_MAX;
  return fits ? unit : `sha256:${hash('sha256', Buffer.from(unit, 'utf16le'), 'hex')}`;
}

/** A variant that a unit is to keep. */
export interface Kept {
  readonly unit: string;
  /** Name of the record: the experiment and its iteration. */
  readonly record: string;
  readonly variant: string;
  /** For how long, from the last time that it was asked for. */
  readonly days: number;
}

/** Variants on record. */
export interface AssignmentStore {
  /** The variants of these units, by record; those that ended are not there. Each read renews them. */
  readonly read: (
    keys: readonly { readonly unit: string; readonly record: string }[],
    now: Temporal.Instant,
  ) => Promise<ReadonlyMap<string, string>>;
  /** Records variants; gives those that are on record now, by record: the first one counts. */
  readonly keep: (entries: readonly Kept[], now: Temporal.Instant) => Promise<ReadonlyMap<string, string>>;
  /** Forgets everything about a unit; gives the number of records. */
  readonly erase: (unit: string) => Promise<number>;
  /** Drops what has ended. */
  readonly maintain: (now: Temporal.Instant) => Promise<void>;
}

interface Row {
  readonly record: string;
  readonly variant: string;
}

/** Renewed at most once a day: a record that is asked for all the time is not written all the time. */
const RENEW_AFTER = '1 day';

export function assignmentStore(database: Database): AssignmentStore {
  return {
    read: async (keys, now) => {
      const rows = await database.query<Row>({
        name: 'assignments-read',
        text: `
          with asked as (select * from unnest($1::text[], $2::text[]) as a (unit, record)),
          renewed as (
            update backline.assignments r
            set expires_at = $3::timestamptz + (r.expires_at - r.assigned_at), assigned_at = $3
            from asked a
            where r.unit = a.unit and r.record = a.record
              and r.expires_at > $3 and r.assigned_at < $3::timestamptz - interval '${RENEW_AFTER}'
          )
          select r.record, r.variant from backline.assignments r join asked a using (unit, record)
          where r.expires_at > $3`,
        values: [keys.map(({ unit }) => keptUnit(unit)), keys.map(({ record }) => record), now.toString()],
      });
      return byRecord(rows);
    },
    keep: async (entries, now) => {
      // Sorted, so that two that keep the same units at once do not wait for each other in a circle.
      const kept = entries.map((entry) => ({ ...entry, unit: keptUnit(entry.unit) }));
      const sorted = kept.toSorted((a, b) => (`${a.unit} ${a.record}` < `${b.unit} ${b.record}` ? -1 : 1));
      const rows = await database.query<Row>({
        name: 'assignments-keep',
        text: `
          insert into backline.assignments as r (unit, record, variant, assigned_at, expires_at)
          select unit, record, variant, $5, $5::timestamptz + make_interval(days => days)
          from unnest($1::text[], $2::text[], $3::text[], $4::int[]) as a (unit, record, variant, days)
          on conflict (unit, record) do update set
            variant = case when r.expires_at > $5 then r.variant else excluded.variant end,
            assigned_at = excluded.assigned_at,
            expires_at = excluded.expires_at
          returning r.record, r.variant`,
        values: [
          sorted.map(({ unit }) => unit),
          sorted.map(({ record }) => record),
          sorted.map(({ variant }) => variant),
          sorted.map(({ days }) => days),
          now.toString(),
        ],
      });
      return byRecord(rows);
    },
    erase: async (unit) => {
      const rows = await database.query({
        text: 'delete from backline.assignments where unit = $1 returning unit',
        values: [keptUnit(unit)],
      });
      return rows.length;
    },
    maintain: async (now) => {
      await database.patient.query({
        text: 'delete from backline.assignments where expires_at <= $1',
        values: [now.toString()],
      });
    },
  };
}

function byRecord(rows: readonly Row[]): ReadonlyMap<string, string> {
  return new Map(rows.map(({ record, variant }) => [record, variant]));
}
