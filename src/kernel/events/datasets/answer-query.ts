import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api';
import { DatasetFault, faultOf, QueryFault } from './fault.ts';
import type { DatasetSql, QueryAnswer, QueryJob, Reads, Tables } from './jobs.ts';
import { parseSelect } from './parse-select.ts';
import { identifier, listLiteral, literal } from './sql-text.ts';
import { sqlValue } from './sql-value.ts';

/**
 * Runs one SELECT in a sandbox: it can read the given files and nothing else of the machine. Settings are locked and file
 * access is closed before foreign SQL is bound or run.
 *
 * @param tablesFor gives the tables of the names that the SELECT reads
 */
export async function answerQuery(
  job: QueryJob,
  connection: DuckDBConnection,
  tablesFor: (reads: Reads) => Promise<Tables>,
): Promise<QueryAnswer> {
  const out = join(job.scratch, 'out.parquet');
  const { files, setup, datasets } = await tablesFor(await parseSelect(connection, job.sql));
  await connection.run(`set allowed_paths = ${listLiteral([...files, out])}`);
  await connection.run('set enable_external_access = false');
  for (const sql of setup) await connection.run(sql);
  await connection.run('set lock_configuration = true');
  const broken = await makeDatasets(connection, datasets);
  const statement = await prepare(connection, job.sql).catch((error: unknown) => {
    throw faultOfDataset(error, broken) ?? error;
  });
  const names = Array.from({ length: statement.columnCount }, (_, index) => statement.columnName(index));
  const columns = uniqueNames(names).map((name, index) => ({ name, type: nameOfType(statement, index) }));
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

/** Creates views of Datasets; gives those that fail, by SQL name. Queries that read them fail with that fault. */
async function makeDatasets(
  connection: DuckDBConnection,
  datasets: readonly DatasetSql[],
): Promise<ReadonlyMap<string, DatasetFault>> {
  const broken = new Map<string, DatasetFault>();
  for (const dataset of datasets) {
    const { name, spellings, sql } = dataset;
    try {
      await parseDataset(connection, dataset);
      // Parsed as one SELECT before: the text cannot end this statement and begin another.
      for (const spelling of spellings) await connection.run(`create view main.${identifier(spelling)} as ${sql}`);
    } catch (error) {
      const fault = faultOfDataset(error, broken) ?? new DatasetFault(name, error);
      for (const spelling of spellings) broken.set(spelling.toLowerCase(), fault);
    }
  }
  return broken;
}

/** The fault of the Dataset that an error names as missing, because its view could not be created. */
function faultOfDataset(error: unknown, broken: ReadonlyMap<string, DatasetFault>): DatasetFault | undefined {
  const { missing } = faultOf(error);
  return missing?.what === 'Table' ? broken.get(missing.name.toLowerCase()) : undefined;
}

/** Refuses SQL of a Dataset that is not one SELECT over its inputs. Runs nothing of it. */
export async function parseDataset(connection: DuckDBConnection, { sql, inputs }: DatasetSql): Promise<void> {
  const { names } = await parseSelect(connection, sql);
  const allowed = inputs === undefined ? undefined : new Set(inputs);
  const other = names.find((name) => allowed?.has(name) === false);
  if (other === undefined) return;
  throw new QueryFault('Statement', `it reads "${other}", which is not among its eventTypes and datasets`);
}

/** Makes column names unique as DuckDB does in a table: track, track_1. */
function uniqueNames(names: readonly string[]): readonly string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 1; seen.has(unique) || (unique !== name && taken.has(unique)); count += 1)
      unique = `${name}_${count}`;
    seen.add(unique);
    return unique;
  });
}

async function prepare(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  const statements = await connection.extractStatements(sql);
  return statements.prepare(0);
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
      if (rows.length === rowsMax) return { rows, truncated: true };
      if (bytes > bytesMax) {
        const first = rows.length === 0 ? 'its first row has' : `its first ${rows.length + 1} rows have`;
        throw new QueryFault('Size', `${first} more than ${bytesMax} characters`);
      }
      rows.push(row);
    }
  }
  return { rows, truncated: false };
}

/** Writes the result as a file, or fails: a file has no sign that rows were cut off. */
async function writeParquet(job: QueryJob, connection: DuckDBConnection, out: string): Promise<number> {
  await connection.run(`create temp view result as ${job.sql}`);
  const { rowsChanged } = await connection.run(
    `copy (from result limit ${job.rowsMax + 1}) to ${literal(out)} (format parquet, compression zstd)`,
  );
  if (rowsChanged > job.rowsMax)
    throw new QueryFault('Size', `the result has more than ${job.rowsMax} rows: raise limit`);
  const { size } = statSync(out);
  if (size > job.bytesMax) throw new QueryFault('Size', `the file has ${size} bytes, more than ${job.bytesMax}`);
  return rowsChanged;
}

/** A line of CSV (RFC 4180) with a line feed. NULL is empty, an empty text is quoted. */
function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvField).join(',')}\n`;
}

function csvField(value: unknown): string {
  if (value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
