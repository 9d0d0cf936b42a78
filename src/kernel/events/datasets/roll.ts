import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { faultOf } from './fault.ts';
import type { RollAnswer, RollJob } from './jobs.ts';
import { literal, PARQUET } from './sql-text.ts';

/** Largest row of the log: the largest event, with its escapes. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes that are buffered before a write into the pipe: each write costs a trip to another thread. */
const WRITE_BYTES = 2 * 1024 * 1024;
/** Most rows of one file that are set aside; more failures have another cause. */
const UNFIT_ROWS_MAX = 1_000;

/** The columns of the COPY on standard input, see `copyLog`, and the types of those that are not text. */
const STAGED: Readonly<Record<string, string | undefined>> = {
  type: undefined,
  id: undefined,
  client: undefined,
  pseudonym: 'UUID',
  event_at: 'TIMESTAMP',
  sent_at: 'TIMESTAMP',
  received_at: 'TIMESTAMP',
  corrected_at: 'TIMESTAMP',
  revision: undefined,
  payload: undefined,
  place: undefined,
};

/** Errors of DuckDB that one value of one row can cause. */
const FAULTS_OF_ROWS: ReadonlySet<string> = new Set(['Conversion', 'Invalid Input', 'Out of Range']);

type Aside = RollAnswer['aside'];

/**
 * Stages the rows in a database on disk, out of memory, and writes a file of each type and day. One pass with
 * PARTITION_BY would hold a buffer for each of them: 100 types took more than 500 MB. A row that no file can hold is set
 * aside and does not block the others.
 */
export async function roll(job: RollJob, connection: DuckDBConnection): Promise<RollAnswer> {
  await stage(job, connection);
  const plans = new Map(job.types.map((plan) => [plan.type, plan]));
  const aside = await unreadableRows(connection);
  const files: RollAnswer['files'] = [];
  const groups = await texts(
    connection,
    'select distinct type, corrected_at::date::text from stage where fault is null',
  );
  for (const [type = '', day = ''] of groups) {
    const { select, unread } = plans.get(type) ?? job.otherwise;
    const ofGroup = `from stage where fault is null and type = ${literal(type)} and corrected_at::date = ${literal(day)}::date`;
    const path = join(job.scratch, `${files.length}.parquet`);
    const written = await writeRows(connection, { select, rows: ofGroup, path, type });
    aside.push(...written.aside);
    if (written.rows === 0) continue;
    const [[late, whole] = []] = await texts(
      connection,
      `select bool_or(received_at::date > corrected_at::date + 1)::text, count(*) filter (${unread})::text ${written.from}`,
    );
    files.push({ type, day, rows: written.rows, late: late === 'true', unread: Number(whole), path });
  }
  const promised = `received_at < timezone('UTC', ${literal(job.completeUntil)}::timestamptz)`;
  const counts = `select count(*)::text, count(*) filter (${promised})::text from stage`;
  const [[rows, overdue] = []] = await texts(connection, counts);
  return { rows: Number(rows), overdue: Number(overdue), files, aside };
}

/** Reads the rows from standard input. An unreadable value becomes NULL, and `fault` names its column. */
export async function stage({ scratch }: Pick<RollJob, 'scratch'>, connection: DuckDBConnection): Promise<void> {
  // Compression would double the time of staging, and the rows are read once.
  await connection.run(`pragma force_compression = 'uncompressed'`);
  const fifo = join(scratch, 'rows');
  // Node gives children sockets instead of pipes, which cannot be opened as files.
  execFileSync('mkfifo', [fifo]);
  const names = Object.keys(STAGED);
  const values = names.map((name) => {
    const type = STAGED[name];
    return type === undefined ? name : `try_cast(${name} as ${type}) as ${name}`;
  });
  const faults = names.flatMap((name) => {
    const type = STAGED[name];
    return type === undefined
      ? []
      : [`when ${name} is not null and try_cast(${name} as ${type}) is null then '${name}'`];
  });
  // Each file has one day, whose year has four digits in its name.
  const inTime = `try_cast(corrected_at as TIMESTAMP) between timestamp '1970-01-01' and timestamp '9999-12-31 23:59:59.999999'`;
  const staged = connection.run(`
    create table stage as
    select ${values.join(', ')}, case ${faults.join(' ')} when not ${inTime} then 'corrected_at' end as fault
    from read_csv(${literal(fifo)}, auto_detect = false, header = false,
      columns = {${names.map((name) => `${name}: 'VARCHAR'`).join(', ')}},
      delim = e'\\x02', quote = e'\\x01', escape = e'\\x01', nullstr = '', allow_quoted_nulls = false,
      max_line_size = ${LINE_BYTES_MAX})`);
  await Promise.all([staged, pipeline(process.stdin, createWriteStream(fifo, { highWaterMark: WRITE_BYTES }))]);
}

async function unreadableRows(connection: DuckDBConnection): Promise<Aside> {
  const rows = await texts(connection, 'select place, type, fault from stage where fault is not null');
  return rows.map(([place = '', type = '', column = '']) => ({
    place,
    type,
    reason: `its ${column} cannot be read as a time or id`,
  }));
}

/** Writes rows into a file without those that make it fail. `from` selects the rows. */
async function writeRows(
  connection: DuckDBConnection,
  {
    select,
    rows,
    path,
    type,
  }: { readonly select: string; readonly rows: string; readonly path: string; readonly type: string },
): Promise<{ readonly rows: number; readonly from: string; readonly aside: Aside }> {
  const write = async (from: string): Promise<number> => {
    const { rowsChanged } = await connection.run(`copy (select ${select} ${from}) to ${literal(path)} (${PARQUET})`);
    return rowsChanged;
  };
  try {
    return { rows: await write(rows), from: rows, aside: [] };
  } catch (error) {
    if (!isOfRows(error)) throw error;
  }
  const unfit: { readonly row: number; readonly kind: string }[] = [];
  const [[first, last] = []] = await texts(connection, `select min(rowid)::text, max(rowid)::text ${rows}`);
  await findUnfit(Number(first), Number(last) + 1);
  if (unfit.length === 0) return { rows: await write(rows), from: rows, aside: [] };
  const from = `${rows} and rowid not in (${unfit.map(({ row }) => row).join(', ')})`;
  const kinds = new Map(unfit.map(({ row, kind }) => [String(row), kind]));
  const places = await texts(
    connection,
    `select rowid::text, place ${rows} and rowid in (${[...kinds.keys()].join(', ')})`,
  );
  const aside = places.map(([row = '', place = '']) => ({
    place,
    type,
    reason: `its fields cannot be read (${kinds.get(row)})`,
  }));
  return { rows: await write(from), from, aside };

  /** Bisects a failing range down to single rows. */
  async function findUnfit(low: number, high: number): Promise<void> {
    try {
      await write(`${rows} and rowid >= ${low} and rowid < ${high}`);
    } catch (error) {
      if (!isOfRows(error)) throw error;
      if (high - low === 1) {
        if (unfit.length === UNFIT_ROWS_MAX) throw error;
        unfit.push({ row: low, kind: faultOf(error).kind });
        return;
      }
      const middle = low + Math.floor((high - low) / 2);
      await findUnfit(low, middle);
      await findUnfit(middle, high);
    }
  }
}

function isOfRows(error: unknown): boolean {
  return FAULTS_OF_ROWS.has(faultOf(error).kind);
}

async function texts(connection: DuckDBConnection, sql: string): Promise<string[][]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRows().map((row) => row.map(String));
}
