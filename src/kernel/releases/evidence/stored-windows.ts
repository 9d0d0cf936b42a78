import type { Queryable } from '#kernel/postgres/database.ts';
import type { CellState } from './cell-state.ts';
import { cellColumns } from './stored-cells.ts';
import { parseReading, writeReading } from './stored-answer.ts';
import type { StoredWindow } from './tally.ts';

/** Retention of the evidence after the last window of a release. */
const KEPT_DAYS = 90;
/**
 * Windows of one page, read in one turn of the event loop: a release of a month that is judged twice a minute has 90,000 for each
 * guardrail.
 */
const PAGE_ROWS = 200;
/** Time without cells after a leap of the clock; longer leaps back may count some events twice. */
const CELLS_UNKNOWN_MS = 3_600_000;

interface Row {
  readonly guardrail: string;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly stage: number;
  readonly scope: number | null;
  readonly share: number;
  readonly reading: unknown;
  readonly judge_version: number;
  readonly at: Temporal.Instant;
}

/**
 * Stores a window. False when another engine has stored one of that time before: that one counts. `cells` is the state by cell at
 * its end, stored only with it, in the same statement.
 */
export async function storeWindow(
  { query }: Queryable,
  uid: string,
  kept: StoredWindow,
  cells: CellState | undefined,
): Promise<boolean> {
  const { guardrail, fromMs, toMs, stage, scope, share, reading, judgeVersion, atMs } = kept;
  const columns = cells === undefined ? undefined : cellColumns(cells);
  const rows = await query({
    name: 'keep-release-window',
    text: `
      with kept as (
        insert into backline.release_intervals
          (uid, guardrail, from_ms, to_ms, stage, scope, share, reading, judge_version, at)
        select $1, $2, $3::bigint, $4::bigint, $5::integer, $6::integer, $7::double precision, $8::jsonb, $9::integer,
          $10::timestamptz
        where coalesce((
          select to_ms from backline.release_intervals where uid = $1 and guardrail = $2 and from_ms < $4::bigint
          order by from_ms desc limit 1
        ), 0) <= $3::bigint
        on conflict (uid, guardrail, from_ms) do nothing
        returning from_ms
      ), state as (
        insert into backline.release_clustering
          (uid, guardrail, scope, release_cells, scope_cells, seen_stage, seen_cells, until_ms)
        select $1, $2, $11::integer, $12::bytea, $13::bytea, $14::integer, $15::bytea, $4::bigint
        from kept where $12::bytea is not null
        on conflict (uid, guardrail) do update set
          scope = excluded.scope, release_cells = excluded.release_cells, scope_cells = excluded.scope_cells,
          seen_stage = excluded.seen_stage, seen_cells = excluded.seen_cells, until_ms = excluded.until_ms
      )
      select from_ms from kept`,
    values: [
      uid,
      guardrail,
      fromMs,
      toMs,
      stage,
      scope ?? null,
      share,
      writeReading(reading),
      judgeVersion,
      Temporal.Instant.fromEpochMilliseconds(atMs).toString(),
      columns?.scope ?? null,
      columns?.release_cells ?? null,
      columns?.scope_cells ?? null,
      columns?.seen_stage ?? null,
      columns?.seen_cells ?? null,
    ],
  });
  return rows.length > 0;
}

/** The windows of a guardrail in the order of time, by page. */
export async function* readWindows(
  { query }: Queryable,
  uid: string,
  guardrail: string,
  pageRows: number = PAGE_ROWS,
): AsyncIterable<readonly StoredWindow[]> {
  for (let afterMs = -1; ;) {
    const rows = await query<Row>({
      name: 'read-release-windows',
      text: `
        select guardrail, from_ms, to_ms, stage, scope, share, reading, judge_version, at
        from backline.release_intervals where uid = $1 and guardrail = $2 and from_ms > $3::bigint
        order by from_ms limit $4::integer`,
      values: [uid, guardrail, afterMs, pageRows],
    });
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(keptOf);
    if (rows.length < pageRows) return;
    afterMs = last.from_ms;
  }
}

/**
 * Deletes the windows of a guardrail that end after a moment. The sums of their cells stay, and events up to their end are not
 * added again; this lasts an hour at most, whichever clock was wrong.
 */
export async function dropWindowsAfter(
  { query }: Queryable,
  uid: string,
  guardrail: string,
  endMs: number,
): Promise<void> {
  await query({
    text: `
      with dropped as (
        delete from backline.release_intervals where uid = $1 and guardrail = $2 and to_ms > $3::bigint
      )
      update backline.release_clustering set until_ms = $4::bigint
      where uid = $1 and guardrail = $2 and until_ms > $4::bigint`,
    values: [uid, guardrail, endMs, endMs + CELLS_UNKNOWN_MS],
  });
}

/** Deletes the windows and cells of releases without recent measurements. */
export async function tidyWindows({ query }: Queryable, now: Temporal.Instant): Promise<void> {
  await query({
    text: `
      delete from backline.release_intervals using (
        select uid from backline.release_intervals
        where uid in (select distinct uid from backline.release_intervals where at < $1::timestamptz)
        group by uid having max(at) < $1::timestamptz
      ) as old
      where release_intervals.uid = old.uid`,
    values: [now.subtract({ hours: 24 * KEPT_DAYS }).toString()],
  });
  await query(`
    delete from backline.release_clustering
    where not exists (select from backline.release_intervals where release_intervals.uid = release_clustering.uid)`);
}

function keptOf(row: Row): StoredWindow {
  return {
    guardrail: row.guardrail,
    fromMs: row.from_ms,
    toMs: row.to_ms,
    stage: row.stage,
    ...(row.scope === null ? {} : { scope: row.scope }),
    share: row.share,
    reading: parseReading(row.reading),
    judgeVersion: row.judge_version,
    atMs: row.at.epochMilliseconds,
  };
}
