import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, type DuckDBPreparedStatement, StatementType } from '@duckdb/node-api';
import { DatasetFault, QueryFault } from './fault.ts';
import type { QueryAnswer, QueryJob } from './jobs.ts';
import { listLiteral, literal } from './sql-text.ts';
import { sqlValue } from './sql-value.ts';

/** Runs one SELECT behind a fence: it reads the files that it was given, and nothing else of the machine. */
export async function answerQuery(job: QueryJob, connection: DuckDBConnection): Promise<QueryAnswer> {
  const out = join(job.scratch, 'out.parquet');
  await connection.run(`set allowed_paths = ${listLiteral([...job.files, out])}`);
  await connection.run('set enable_external_access = false');
  for (const { sql, dataset, optional } of job.setup) {
    await connection.run(sql).catch((error: unknown) => {
      if (optional === true) return;
      throw dataset === undefined ? error : new DatasetFault(dataset, error);
    });
  }
  await connection.run('set lock_configuration = true');
  const statement = await prepare(connection, job.sql);
  const columns = Array.from({ length: statement.columnCount }, (_, index) => ({
    name: statement.columnName(index),
    type: nameOfType(statement, index),
  }));
  if (job.format === 'check') return { columns, rowCount: 0, truncated: false };
  if (job.format === 'parquet') {
    const rowCount = await writeParquet(job, connection, out);
    return { columns, data: readFileSync(out).toString('base64'), rowCount, truncated: false };
  }
  const { rows, truncated } = await readRows(job, statement);
  const read = { columns, rowCount: rows.length, truncated };
  if (job.format === 'rows') return { ...read, rows };
  return { ...read, data: [columns.map(({ name }) => name), ...rows].map(csvLine).join('') };
}

/** Only a single SELECT (or what is one to DuckDB: FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE) gets through. */
async function prepare(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  if (/^(\s|;|--[^\n]*(\n|$)|\/\*[\s\S]*?\*\/)*$/.test(sql)) throw new QueryFault('Statement', 'there is no statement');
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) {
    const hint = /\bpivot\b/i.test(sql) ? '; a PIVOT must list its values: PIVOT … ON column IN (…)' : '';
    throw new QueryFault('Statement', `there are ${statements.count} statements${hint}`);
  }
  const statement = await statements.prepare(0);
  if (statement.statementType === StatementType.SELECT && !/^\s*pragma\b/i.test(sql)) {
    if (statement.parameterCount > 0)
      throw new QueryFault('Statement', 'it has parameters, and nothing gives their values');
    return statement;
  }
  throw new QueryFault(
    'Statement',
    `it is no SELECT but ${StatementType[statement.statementType] ?? 'something else'}`,
  );
}

function nameOfType(statement: DuckDBPreparedStatement, index: number): string {
  const type = statement.columnType(index);
  return type.alias ?? String(type);
}

async function readRows(
  { rowsMax, bytesMax }: QueryJob,
  statement: DuckDBPreparedStatement,
): Promise<{ readonly rows: unknown[][]; readonly truncated: boolean }> {
  const result = await statement.stream();
  const rows: unknown[][] = [];
  let bytes = 0;
  for await (const chunk of result.yieldRows()) {
    for (const values of chunk) {
      const row = values.map(sqlValue);
      bytes += JSON.stringify(row).length;
      if (rows.length === rowsMax || bytes > bytesMax) return { rows, truncated: true };
      rows.push(row);
    }
  }
  return { rows, truncated: false };
}

/** All or nothing: nobody looks into a file to see whether it is whole. */
async function writeParquet(job: QueryJob, connection: DuckDBConnection, out: string): Promise<number> {
  await connection.run(`create temp view result as ${job.sql}`);
  const { rowsChanged } = await connection.run(
    `copy (from result limit ${job.rowsMax + 1}) to ${literal(out)} (format parquet, compression zstd)`,
  );
  if (rowsChanged > job.rowsMax) throw new QueryFault('Size', `the result has more than ${job.rowsMax} rows`);
  const { size } = statSync(out);
  if (size > job.bytesMax) throw new QueryFault('Size', `the file has ${size} bytes, more than ${job.bytesMax}`);
  return rowsChanged;
}

/** RFC 4180, with a line feed; what is absent is empty, an empty text is quoted. */
function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvField).join(',')}\n`;
}

function csvField(value: unknown): string {
  if (value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
