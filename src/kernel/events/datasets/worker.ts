import './keep-byte-order-marks.ts';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { makeFolder } from '#kernel/base/make-folder.ts';
import { adopt } from './adopt.ts';
import { answerQuery, parseDataset } from './answer-query.ts';
import { faultOf } from './fault.ts';
import type { Fault, Job, MergeAnswer, MergeJob, ParseAnswer, ParseJob, Reads, Tables } from './jobs.ts';
import { roll } from './roll.ts';
import { listLiteral, literal, PARQUET } from './sql-text.ts';

/**
 * The child process that DuckDB runs in, so that an oversized query does not crash the server. It does one job, answers, and
 * is ended by its parent; when the parent is gone, it ends itself.
 */
let scratch: string | undefined;
process.once('disconnect', () => {
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
  // Not `exit`, which waits for DuckDB.
  process.kill(process.pid, 'SIGKILL');
});
process.once('message', (job: Job) => {
  scratch = job.scratch;
  const performed = makeFolder(job.scratch).then(() => perform(job));
  performed.then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ fault: faultOf(error) }),
  );
});

async function perform(job: Job): Promise<unknown> {
  switch (job.does) {
    case 'roll':
      return roll(job, await open(job, join(job.scratch, 'stage.duckdb')));
    case 'adopt':
      return adopt(job, await open(job, join(job.scratch, 'stage.duckdb')));
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

/** Asks the parent for the tables of a query. */
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
    // Files need no order; keeping one costs memory.
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

async function merge({ merges }: MergeJob, connection: DuckDBConnection): Promise<MergeAnswer> {
  const merged: MergeAnswer['merged'] = [];
  for (const { from, to } of merges) {
    const rows = `read_parquet(${listLiteral(from)}, union_by_name = true, hive_partitioning = false)`;
    const one = connection.run(`copy (select * from ${rows}) to ${literal(to)} (${PARQUET})`).then(
      ({ rowsChanged }) => ({ rows: rowsChanged }),
      (error: unknown) => ({ rows: 0, fault: faultOf(error).kind }),
    );
    merged.push(await one);
  }
  return { merged };
}
