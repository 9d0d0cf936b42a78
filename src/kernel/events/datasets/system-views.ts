import type { Queryable } from '#kernel/postgres/database.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { DatasetSpec } from '../kinds/dataset.ts';
import type { Catalogue } from './sql-views.ts';
import { type DatasetFile, type Progress, readTotals } from './manifest.ts';
import { listLiteral, literal } from './sql-text.ts';

/** Days of the loss audit: as long as the log is kept to repair a loss. */
const AUDIT_DAYS = 3;

/** Creates a small table from JSON in DuckDB. */
function tableSetup(name: string, columns: Readonly<Record<string, string>>, rows: readonly object[]): string {
  const structure = JSON.stringify([columns]);
  return `create table ${name} as select unnest(from_json(${literal(JSON.stringify(rows))}::json, ${literal(structure)}), recursive := true)`;
}

/** `watermarks`: until when each EventType and Dataset is complete, and whether a Dataset meets its freshness goal. */
export async function watermarksSetup(
  connection: Queryable,
  { eventTypes, datasets }: Catalogue,
  { completeUntil }: Progress,
  now: Temporal.Instant,
): Promise<readonly string[]> {
  const totals = await readTotals(connection);
  const eventsUntil = new Map(
    [...eventTypes].map(([name, { lateness }]) => [
      name,
      completeUntil.subtract({ milliseconds: Temporal.Duration.from(lateness).total('milliseconds') }),
    ]),
  );
  const ofDataset = (name: string): Temporal.Instant =>
    [
      ...(datasets.get(name)?.eventTypes ?? []).map((type) => eventsUntil.get(type) ?? completeUntil),
      ...(datasets.get(name)?.datasets ?? []).map(ofDataset),
    ].reduce((least, at) => (Temporal.Instant.compare(at, least) < 0 ? at : least), completeUntil);
  const row = (kind: string, name: string, until: Temporal.Instant) => ({
    kind,
    name,
    complete_until: completeUntil.toString(),
    events_until: until.toString(),
    rows: kind === 'EventType' ? (totals.get(name)?.rows ?? 0) : null,
    files: kind === 'EventType' ? (totals.get(name)?.files ?? 0) : null,
    fresh: kind === 'Dataset' ? isFresh(datasets.get(name), completeUntil, now) : null,
  });
  const columns = {
    kind: 'VARCHAR',
    name: 'VARCHAR',
    complete_until: 'TIMESTAMPTZ',
    events_until: 'TIMESTAMPTZ',
    rows: 'BIGINT',
    files: 'BIGINT',
    fresh: 'BOOLEAN',
  };
  return [
    tableSetup('watermarks', columns, [
      ...[...eventsUntil].map(([name, until]) => row('EventType', name, until)),
      ...[...datasets.keys()].map((name) => row('Dataset', name, ofDataset(name))),
    ]),
  ];
}

/** Whether a Dataset meets its freshness goal. */
export function isFresh(
  spec: Pick<DatasetSpec, 'freshness'> | undefined,
  completeUntil: Temporal.Instant,
  now: Temporal.Instant,
): boolean {
  if (spec === undefined) return true;
  return now.since(completeUntil).total('milliseconds') <= durationMs(spec.freshness);
}

/** The first moment that the loss audit counts. */
export function auditFrom(now: Temporal.Instant): Temporal.Instant {
  return now.subtract({ hours: 24 * AUDIT_DAYS }).round({ smallestUnit: 'hour', roundingMode: 'floor' });
}

/** Most gaps in one answer. */
const GAPS_MAX = 10_000;

/** `missing_batches`: gaps in the sequence numbers of producers, in the days of the loss audit. */
export async function missingBatchesSetup({ query }: Queryable, from: Temporal.Instant): Promise<readonly string[]> {
  const rows = await query<{ client: string; producer: string; first: number; last: number; until: Temporal.Instant }>({
    text: `
      select client, producer, before + 1 as first, sequence - 1 as last, at as until
      from (
        select client, producer, sequence, at,
          lag(sequence) over (partition by client, producer order by sequence) as before
        from (
          select client, producer, sequence, min(received_at) as at from backline.event_batches
          where sequence is not null and received_at >= $1::timestamptz group by client, producer, sequence
        ) batches
      ) counted where sequence > before + 1 order by at desc limit $2`,
    values: [from.toString(), GAPS_MAX],
  });
  const columns = { client: 'VARCHAR', producer: 'VARCHAR', first: 'BIGINT', last: 'BIGINT', until: 'TIMESTAMPTZ' };
  const gaps = rows.map((row) => ({ ...row, until: row.until.toString() }));
  return [tableSetup('missing_batches', columns, gaps)];
}

/**
 * `loss_audit`: accepted events by the hour of their receipt, beside the rows in files and the rows that no file can hold.
 */
export async function lossAuditSetup(
  { query }: Queryable,
  files: readonly DatasetFile[],
  { untilTx }: Progress,
  from: Temporal.Instant,
): Promise<readonly string[]> {
  // Events that are not rolled yet are counted on neither side.
  const accepted = await query<{ type: string; hour: Temporal.Instant; accepted: number; aside: number }>({
    text: `
      select type, hour, sum(accepted)::bigint as accepted, sum(aside)::bigint as aside
      from (
        select type, date_trunc('hour', received_at) as hour, accepted, 0 as aside from backline.event_batches
        where received_at >= $1::timestamptz and tx < $2::text::xid8
        union all
        select type, date_trunc('hour', received_at), 0, 1 from backline.event_unfiled
        where received_at >= $1::timestamptz
      ) counted group by 1, 2`,
    values: [from.toString(), String(untilTx)],
  });
  const since = literal(from.toString());
  const branches = [...Map.groupBy(files, ({ type }) => type)].map(
    ([type, ofType]) => `
      select ${literal(type)} as type, received_at
      from read_parquet(${listLiteral(ofType.map(({ path }) => path))}, union_by_name = true, hive_partitioning = false)
      where received_at >= ${since}::timestamptz`,
  );
  branches.push(`select null::varchar as type, null::timestamptz as received_at where false`);
  const rows = accepted.map((row) => ({ ...row, hour: row.hour.toString() }));
  const columns = { type: 'VARCHAR', hour: 'TIMESTAMPTZ', accepted: 'BIGINT', aside: 'BIGINT' };
  return [
    tableSetup('accepted_events', columns, rows),
    `
        create view loss_audit as
        with filed as (
          select type, date_trunc('hour', received_at) as hour, count(*) as rows
          from (${branches.join(' union all ')}) group by all
        )
        select hour, type, coalesce(accepted, 0) as accepted, coalesce(rows, 0) as rows, coalesce(aside, 0) as set_aside,
          coalesce(accepted, 0) - coalesce(rows, 0) - coalesce(aside, 0) as difference
        from accepted_events full join filed using (hour, type)`,
  ];
}
