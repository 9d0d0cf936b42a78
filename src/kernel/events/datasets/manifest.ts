import type { Queryable } from '#kernel/postgres/database.ts';

/** A Parquet file that counts: queries read it. */
export interface DatasetFile {
  /** Path below the folder of datasets. */
  readonly path: string;
  readonly type: string;
  /** UTC day of the events, by their corrected time. */
  readonly day: string;
  /** Transactions of the log whose rows it holds: from (included) until (excluded). */
  readonly fromTx: bigint;
  readonly untilTx: bigint;
  readonly rows: number;
  readonly bytes: number;
  /** Whether it holds events that were received later than the day after they happened. */
  readonly late: boolean;
  /** Rows whose properties are still unparsed JSON. */
  readonly unread: number;
  /** The first day on which it is expired, if its type is no longer declared. */
  readonly expiresOn: string;
  readonly createdAt: Temporal.Instant;
}

/** How far the log is in files. */
export interface Progress {
  readonly untilTx: bigint;
  readonly completeUntil: Temporal.Instant;
}

export async function readProgress({ query }: Queryable): Promise<Progress> {
  const [row] = await query<{ until_tx: string; complete_until: Temporal.Instant }>(
    'select until_tx::text, complete_until from backline.rollup',
  );
  if (row === undefined) throw new Error('backline.rollup has no row');
  return { untilTx: BigInt(row.until_tx), completeUntil: row.complete_until };
}

/** Reads the files that count, of these types or of all. */
export async function readFiles({ query }: Queryable, types?: readonly string[]): Promise<readonly DatasetFile[]> {
  const rows = await query<{
    path: string;
    type: string;
    day: string;
    from_tx: string;
    until_tx: string;
    rows: number;
    bytes: number;
    late: boolean;
    unread: number;
    expires_on: string;
    created_at: Temporal.Instant;
  }>({
    text: `
      select path, type, day::text, from_tx::text, until_tx::text, rows, bytes, late, unread, expires_on::text, created_at
      from backline.dataset_files
      where dropped_at is null and ($1::text[] is null or type = any ($1::text[]))
      order by type, day, from_tx, path`,
    values: [types ?? null],
  });
  return rows.map((row) => ({
    path: row.path,
    type: row.type,
    day: row.day,
    fromTx: BigInt(row.from_tx),
    untilTx: BigInt(row.until_tx),
    rows: row.rows,
    bytes: row.bytes,
    late: row.late,
    unread: row.unread,
    expiresOn: row.expires_on,
    createdAt: row.created_at,
  }));
}

/** Reads the rows and files of each type, over the files that count. */
export async function readTotals({ query }: Queryable): Promise<ReadonlyMap<string, { rows: number; files: number }>> {
  const rows = await query<{ type: string; rows: number; files: number }>(`
    select type, sum(rows)::bigint as rows, count(*) as files from backline.dataset_files
    where dropped_at is null group by type`);
  return new Map(rows.map(({ type, rows: count, files }) => [type, { rows: count, files }]));
}

/**
 * Adds files and the new progress in one transaction with `also`. False, and nothing written, when another process changed
 * the progress since `before`.
 */
export async function commitWindow(
  connection: Queryable,
  window: { readonly files: readonly DatasetFile[]; readonly before: Progress; readonly after: Progress },
  also: () => Promise<void>,
): Promise<boolean> {
  const { files, before, after } = window;
  return inTransaction(connection, async () => {
    await insertFiles(connection, files);
    await also();
    const moved = await connection.query({
      text: `
        update backline.rollup set until_tx = $2::text::xid8, complete_until = greatest(complete_until, $3::timestamptz)
        where until_tx = $1::text::xid8 returning one`,
      values: [String(before.untilTx), String(after.untilTx), after.completeUntil.toString()],
    });
    return moved.length === 1;
  });
}

/**
 * Lists adopted files, and unlists missing files whose rows they hold. False, and nothing written, when one of the missing
 * files no longer counts.
 */
export async function commitAdoption(
  connection: Queryable,
  adopted: readonly DatasetFile[],
  replaced: readonly DatasetFile[],
  now: Temporal.Instant,
): Promise<boolean> {
  return inTransaction(connection, async () => {
    const paths = replaced.map(({ path }) => path);
    const dropped = await dropFiles(connection, paths, now);
    await insertFiles(connection, adopted);
    return dropped === paths.length;
  });
}

/** Replaces files by one. False, and nothing written, when one of them no longer counts. */
export async function commitMerge(
  connection: Queryable,
  merged: DatasetFile,
  sources: readonly DatasetFile[],
): Promise<boolean> {
  return inTransaction(connection, async () => {
    const paths = sources.map(({ path }) => path);
    const dropped = await dropFiles(connection, paths, merged.createdAt);
    await insertFiles(connection, [merged]);
    return dropped === sources.length;
  });
}

/** Unlists files; gives how many of them counted. */
export async function dropFiles(
  { query }: Queryable,
  paths: readonly string[],
  now: Temporal.Instant,
): Promise<number> {
  const dropped = await query({
    text: `update backline.dataset_files set dropped_at = $2::timestamptz
           where path = any ($1::text[]) and dropped_at is null returning path`,
    values: [paths, now.toString()],
  });
  return dropped.length;
}

async function insertFiles({ query }: Queryable, files: readonly DatasetFile[]): Promise<void> {
  for (const file of files) {
    await query({
      name: 'insert-dataset-file',
      text: `
        insert into backline.dataset_files
          (path, type, day, from_tx, until_tx, rows, bytes, late, unread, expires_on, created_at)
        values ($1, $2, $3::date, $4::text::xid8, $5::text::xid8, $6, $7, $8, $9, $10::date, $11::timestamptz)`,
      values: [
        file.path,
        file.type,
        file.day,
        String(file.fromTx),
        String(file.untilTx),
        file.rows,
        file.bytes,
        file.late,
        file.unread,
        file.expiresOn,
        file.createdAt.toString(),
      ],
    });
  }
}

/** Commits on the connection that holds the lock, so that a process that lost the lock cannot commit. */
async function inTransaction({ query }: Queryable, work: () => Promise<boolean>): Promise<boolean> {
  await query('begin');
  try {
    const done = await work();
    await query(done ? 'commit' : 'rollback');
    return done;
  } catch (error) {
    // A lost connection has rolled back already.
    await query('rollback').catch(() => {});
    throw error;
  }
}
