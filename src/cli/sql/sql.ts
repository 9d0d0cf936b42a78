import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { query, type QueryStatus } from '../api/query.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, oneLine, type Io } from '../terminal/io.ts';

export interface SqlOptions extends ConnectionOptions {
  readonly filename?: string;
  readonly output: 'table' | 'csv' | 'json' | 'parquet';
  readonly file?: string;
  readonly limit?: number;
}

const FORMATS = { table: 'rows', json: 'rows', csv: 'csv', parquet: 'parquet' } as const;

/** `backline sql`: asks about events in SQL. */
export async function sql(given: string | undefined, options: SqlOptions, io: Io): Promise<number> {
  const spec = { sql: await statementOf(given, options.filename, io), ...formOf(options) };
  return printAnswer(await query(connectionFrom(options, io), spec), options, io);
}

/** The form of an answer that is printed so. */
export function formOf({ output, file, limit }: Omit<SqlOptions, 'filename'>): {
  readonly format: (typeof FORMATS)[typeof output];
  readonly limit: number | undefined;
} {
  if (output === 'parquet' && file === undefined) {
    throw new CliFailure('Parquet is not for a terminal.', {
      exitCode: EXIT.usage,
      remedy: 'Say where it goes: --file out.parquet.',
    });
  }
  return { format: FORMATS[output], limit };
}

/** Prints the answer to a question about events, or writes it to a file. */
export async function printAnswer(status: QueryStatus, options: SqlOptions, io: Io): Promise<number> {
  const { output, file } = options;
  const content = contentOf(output, status, io);
  if (file === undefined) (output === 'table' ? io.stdout : io.exact).write(content.toString());
  else await writeFile(resolve(io.directory, file), content);
  const footer = coloursFor(io.stderr, io.env).dim(footerOf(status));
  // Beside what programs read, not in it.
  if (output === 'table' && file === undefined) io.stdout.write(`${footer}\n`);
  else if (file !== undefined || status.truncated) io.stderr.write(`${footer}\n`);
  return exitOf(options, status.truncated);
}

/** A program that reads what was cut off, although nobody asked for less, must not take it for the whole. */
export function exitOf(
  { output, file, limit }: Pick<SqlOptions, 'output' | 'file' | 'limit'>,
  truncated: boolean,
): number {
  const isForPeople = output === 'table' && file === undefined;
  return truncated && limit === undefined && !isForPeople ? EXIT.failed : EXIT.ok;
}

async function statementOf(given: string | undefined, filename: string | undefined, io: Io): Promise<string> {
  if ((given === undefined) === (filename === undefined)) {
    throw new CliFailure('one query is needed, on the command line or in a file.', {
      exitCode: EXIT.usage,
      remedy: 'Like backline sql "select count(*) from play", or backline sql -f query.sql.',
    });
  }
  if (given !== undefined) return given;
  if (filename === '-') return text(Readable.from(io.stdin));
  const path = resolve(io.directory, filename ?? '');
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new CliFailure(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  });
}

function contentOf(output: SqlOptions['output'], status: QueryStatus, io: Io): string | Buffer {
  const { columns, rows = [], data = '' } = status;
  switch (output) {
    case 'csv':
      return data;
    case 'parquet':
      return Buffer.from(data, 'base64');
    case 'json': {
      const objects = rows.map((row) =>
        Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null])),
      );
      return `${JSON.stringify(objects, null, 2)}\n`;
    }
    case 'table':
      return `${tableText(status, coloursFor(io.stdout, io.env).bold)}\n`;
    default:
      return output satisfies never;
  }
}

const NUMERIC = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL\b.*)$/;
const GAP = '   ';

/** Columns as wide as their widest text, numbers to the right; what is absent is a dash. */
export function tableText(
  status: Pick<QueryStatus, 'columns' | 'rows'>,
  bold = (line: string): string => line,
): string {
  const { columns, rows = [] } = status;
  const lines = [columns.map(({ name }) => name), ...rows.map((row) => row.map((value) => oneLine(showValue(value))))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)));
  const [head = '', ...others] = lines.map((line) =>
    line
      .map((value, index) => {
        const width = widths[index] ?? 0;
        return NUMERIC.test(columns[index]?.type ?? '') ? value.padStart(width) : value.padEnd(width);
      })
      .join(GAP)
      .trimEnd(),
  );
  return [bold(head), ...others].join('\n');
}

function showValue(value: unknown): string {
  if (value === null) return '-';
  // A line break in a value would break the table.
  return (typeof value === 'string' ? value : JSON.stringify(value)).replace(/[\r\n\t]/g, ' ');
}

function footerOf({ rowCount, truncated, completeUntil }: QueryStatus): string {
  const rows = `${rowCount} ${rowCount === 1 ? 'row' : 'rows'}${truncated ? ' (there are more: --limit)' : ''}`;
  // Nothing has become a file yet: there is no time to tell.
  if (Date.parse(completeUntil) === 0) return `${rows} · no events are in files yet`;
  return `${rows} · complete until ${localTime(completeUntil)}`;
}

/** Today's times as the clock on the wall; others with their date. */
function localTime(instant: string): string {
  const at = Temporal.Instant.from(instant).toZonedDateTimeISO(Temporal.Now.timeZoneId());
  const time = at.toPlainTime().toString({ smallestUnit: 'second' });
  return at.toPlainDate().equals(Temporal.Now.plainDateISO()) ? time : `${at.toPlainDate().toString()} ${time}`;
}
