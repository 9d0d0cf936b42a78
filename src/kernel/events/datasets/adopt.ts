import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { faultOf } from './fault.ts';
import type { AdoptAnswer, AdoptJob } from './jobs.ts';
import { UNREAD } from './columns.ts';
import { stage } from './roll.ts';
import { identifier, listLiteral, literal, PARQUET } from './sql-text.ts';

/** The key of a row, in files and in the staged log. */
const KEY = (id: string): string =>
  `concat_ws(chr(31), ${id}, client, coalesce(pseudonym::varchar, ''), epoch_us(event_at), epoch_us(received_at), epoch_us(corrected_at))`;

type AdoptedFile = AdoptAnswer['files'][number];

/**
 * Finds the fresh rows of unlisted files: those that are neither in listed files nor in the log, whose rows come on standard
 * input. If only some rows of a file are fresh, they are written into a file of their own.
 */
export async function adopt(job: AdoptJob, connection: DuckDBConnection): Promise<AdoptAnswer> {
  await stage(job, connection);
  const files: AdoptedFile[] = [];
  for (const { type, day, found, counting } of job.groups) {
    const inLog = `select ${KEY('id')} as _key from stage where fault is null and type = ${literal(type)} and corrected_at::date = ${literal(day)}::date`;
    const inFiles = counting.length === 0 ? '' : `union all select ${KEY('event_id')} from ${rowsOf(counting)}`;
    await connection.run(
      `create or replace temp table known as select _key, count(*) as times from (${inLog} ${inFiles}) group by _key`,
    );
    for (const path of found) {
      const to = join(job.scratch, `${files.length}.parquet`);
      files.push(await adoptFile(connection, path, to).catch((error: unknown) => unreadable(path, error)));
    }
  }
  return { files };
}

async function adoptFile(connection: DuckDBConnection, path: string, to: string): Promise<AdoptedFile> {
  const keyed = `select *, ${KEY('event_id')} as _key from ${rowsOf([path])}`;
  await connection.run(`
    create or replace temp table fresh as
    select f.* exclude (_nth)
    from (select *, row_number() over (partition by _key) as _nth from (${keyed})) f
    left join (select _key, sum(times) as times from known group by _key) k using (_key)
    where _nth > coalesce(k.times, 0)`);
  await connection.run('insert into known select _key, count(*) from fresh group by _key');
  const { rowsChanged } = await connection.run(
    `copy (select * exclude (_key) from fresh) to ${literal(to)} (${PARQUET})`,
  );
  const counts = await connection.runAndReadAll(`
    select (select count(*) from ${rowsOf([path])})::varchar, count(${identifier(UNREAD)})::varchar,
      coalesce(bool_or(received_at::date > corrected_at::date + 1), false)::varchar
    from fresh`);
  const [[rows, unread, late] = []] = counts.getRows();
  return { path, to, rows: Number(rows), fresh: rowsChanged, unread: Number(unread), late: late === 'true' };
}

function unreadable(path: string, error: unknown): AdoptedFile {
  return { path, to: '', rows: 0, fresh: 0, unread: 0, late: false, fault: faultOf(error).kind };
}

function rowsOf(paths: readonly string[]): string {
  return `read_parquet(${listLiteral(paths)}, union_by_name = true, hive_partitioning = false)`;
}
