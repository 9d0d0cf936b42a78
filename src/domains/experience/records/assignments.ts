import { hash } from 'node:crypto';
import { isStorable } from '#kernel/base/storable-text.ts';
import type { Database } from '#kernel/postgres/database.ts';

/** PostgreSQL index keys have at most 2,704 bytes, which include the record name. */
const UNIT_BYTES_MAX = 2_000;

/** The stored form of a unit: unstorable or too long ones are hashed. */
function keptUnit(unit: string): string {
  const fits = isStorable(unit) && Buffer.byteLength(unit) <= UNIT_BYTES_MAX;
  return fits ? unit : `sha256:${hash('sha256', Buffer.from(unit, 'utf16le'), 'hex')}`;
}

/** A variant to record for a unit. */
export interface AssignmentEntry {
  readonly unit: string;
  /** Record name: the experiment and its iteration. */
  readonly record: string;
  readonly variant: string;
  /** Retention since the last read. */
  readonly days: number;
}

/** Variants on record. */
export interface AssignmentStore {
  /** Variants of these units, by record, without expired ones. Each read renews them. */
  readonly read: (
    keys: readonly { readonly unit: string; readonly record: string }[],
    now: Temporal.Instant,
  ) => Promise<ReadonlyMap<string, string>>;
  /** Records variants; returns those on record now: the first write wins. */
  readonly keep: (entries: readonly AssignmentEntry[], now: Temporal.Instant) => Promise<ReadonlyMap<string, string>>;
  /** Erases all records of a unit; returns their number. */
  readonly erase: (unit: string) => Promise<number>;
  /** Deletes expired records. */
  readonly maintain: (now: Temporal.Instant) => Promise<void>;
}

interface Row {
  readonly record: string;
  readonly variant: string;
}

/** Renewed at most once a day, so that frequent reads do not cause frequent writes. */
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
      // Sorted, so that concurrent writers of the same units cannot deadlock.
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
