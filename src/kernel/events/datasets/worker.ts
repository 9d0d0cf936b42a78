import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { answerQuery, parseDataset } from './answer-query.ts';
import { faultOf } from './fault.ts';
import type {
  Fault,
  Job,
  MergeAnswer,
  MergeJob,
  ParseAnswer,
  ParseJob,
  Reads,
  RollAnswer,
  RollJob,
  Tables,
} from './jobs.ts';
import { listLiteral, literal } from './sql-text.ts';

/** A row of the log: the largest event, with room for its escapes. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

/** Rows wait in memory until so many go into the pipe at once: each write costs a trip to another thread. */
const WRITE_BYTES = 2 * 1024 * 1024;

/** As the columns of the COPY that feeds us, see `copyWindow`. */
const STAGED = `{
  type: 'VARCHAR', id: 'VARCHAR', client: 'VARCHAR', pseudonym: 'UUID', event_at: 'TIMESTAMP', sent_at: 'TIMESTAMP',
  received_at: 'TIMESTAMP', corrected_at: 'TIMESTAMP', revision: 'VARCHAR', payload: 'VARCHAR'
}`;

const PARQUET = 'format parquet, compression zstd';

/**
 * The child process that DuckDB runs in, so that a query that takes too much takes no server along. It does one job,
 * answers, and is ended by its parent; when that is gone, it ends itself.
 */
let scratch: string | undefined;
process.once('disconnect', () => {
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  // Not `exit`: that waits for what DuckDB is doing.
  process.kill(process.pid, 'SIGKILL');
});
process.once('message', (job: Job) => {
  scratch = job.scratch;
  mkdirSync(job.scratch, { recursive: true });
  perform(job).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ fault: faultOf(error) }),
  );
});

async function perform(job: Job): Promise<unknown> {
  switch (job.does) {
    case 'roll':
      return roll(job, await open(job, join(job.scratch, 'stage.duckdb')));
    case 'merge':
      return merge(job, await open(job, ':memory:'));
    case 'query':
      return answerQuery(job, await open(job, ':memory:'), askParent);
    case 'parse':
      return parse(job, await open(job, ':memory:'));
    default:
      return job satisfies never;
  }
}

/** The parent knows the files; it answers a query's one question. */
function askParent(reads: Reads): Promise<Tables> {
  const answer = new Promise<Tables>((resolve) => process.once('message', (tables: Tables) => resolve(tables)));
  process.send?.({ reads });
  return answer;
}

async function parse({ datasets }: ParseJob, connection: DuckDBConnection): Promise<ParseAnswer> {
  await connection.run('set enable_external_access = false');
  await connection.run('set lock_configuration = true');
  const faults: (Fault | null)[] = [];
  for (const dataset of datasets) {
    faults.push(
      await parseDataset(connection, dataset).then(
        () => null,
        (error: unknown) => faultOf(error),
      ),
    );
  }
  return { faults };
}

async function open(job: Job, path: string): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(path, {
    threads: String(job.threads),
    memory_limit: `${job.memoryMb}MB`,
    temp_directory: join(job.scratch, 'spill'),
    max_temp_directory_size: `${job.spillMb}MB`,
    // Files have no order of their own; keeping one costs memory.
    preserve_insertion_order: String(job.does === 'query'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  const connection = await instance.connect();
  await connection.run(`set TimeZone = 'UTC'`);
  await connection.run('set errors_as_json = true');
  return connection;
}

/**
 * Stages the rows in a database on disk, out of memory, and makes a file of each type and day. One pass with
 * PARTITION_BY would hold a buffer for each of them: 100 types took more than 500 MB.
 */
async function roll(job: RollJob, connection: DuckDBConnection): Promise<RollAnswer> {
  // Compressing what is read once takes as long as everything else of the staging.
  await connection.run(`pragma force_compression = 'uncompressed'`);
  const fifo = join(job.scratch, 'rows');
  // Node gives children sockets for pipes, which cannot be opened as files.
  execFileSync('mkfifo', [fifo]);
  const staged = connection.run(`
    create table stage as select * from read_csv(${literal(fifo)}, auto_detect = false, header = false, columns = ${STAGED},
      delim = e'\\x02', quote = e'\\x01', escape = e'\\x01', nullstr = '', allow_quoted_nulls = false,
      max_line_size = ${LINE_BYTES_MAX})`);
  await Promise.all([staged, pipeline(process.stdin, createWriteStream(fifo, { highWaterMark: WRITE_BYTES }))]);
  const plans = new Map(job.types.map((plan) => [plan.type, plan]));
  const files: RollAnswer['files'] = [];
  for (const [type, day] of await texts(connection, 'select distinct type, corrected_at::date::text from stage')) {
    const { select, unread } = plans.get(type ?? '') ?? job.otherwise;
    const rows = `from stage where type = ${literal(type ?? '')} and corrected_at::date = ${literal(day ?? '')}::date`;
    const path = join(job.scratch, `${files.length}.parquet`);
    const written = await connection.run(`copy (select ${select} ${rows}) to ${literal(path)} (${PARQUET})`);
    const [[late, whole] = []] = await texts(
      connection,
      `select bool_or(received_at::date > corrected_at::date + 1)::text, count(*) filter (${unread})::text ${rows}`,
    );
    files.push({
      type: type ?? '',
      day: day ?? '',
      rows: written.rowsChanged,
      late: late === 'true',
      unread: Number(whole),
      path,
    });
  }
  const promised = `received_at < timezone('UTC', ${literal(job.completeUntil)}::timestamptz)`;
  const counts = `select count(*)::text, count(*) filter (${promised})::text from stage`;
  const [[rows, overdue] = []] = await texts(connection, counts);
  return { rows: Number(rows), overdue: Number(overdue), files };
}

async function merge({ from, to }: MergeJob, connection: DuckDBConnection): Promise<MergeAnswer> {
  const rows = `read_parquet(${listLiteral(from)}, union_by_name = true, hive_partitioning = false)`;
  const written = await connection.run(`copy (select * from ${rows}) to ${literal(to)} (${PARQUET})`);
  return { rows: written.rowsChanged };
}

async function texts(connection: DuckDBConnection, sql: string): Promise<string[][]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRows().map((row) => row.map(String));
}
