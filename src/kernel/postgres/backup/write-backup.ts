import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Database, Transaction } from '../database.ts';
import { postgresRefusal } from '../refusals.ts';
import {
  fileOf,
  quoteName,
  readParts,
  readSequences,
  readTables,
  type BackedUpTable,
  type DatabaseBackup,
} from './tables.ts';

/** Notes that a table is done. */
export type OnTable = (table: { readonly name: string; readonly rows: number }) => void;

/** The quickest. */
const GZIP_LEVEL = 1;
const NEWLINE = 10;

/**
 * Writes every table of the schema into files of a folder, as they are at one moment, while the program goes on. Each file is the
 * text form of COPY, packed.
 */
export async function writeBackup(database: Database, folder: string, onTable: OnTable): Promise<DatabaseBackup> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return database.patient.transaction(async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only');
    const [found] = await connection.query<{ name: string | null }>(
      "select to_regclass('backline.migrations')::text as name",
    );
    if (found?.name === null || found === undefined) {
      throw postgresRefusal('nothing-to-back-up', 'The database has no schema "backline".');
    }
    const applied = await connection.query<{ number: number }>(
      'select number from backline.migrations order by number',
    );
    const parts = await readParts(connection);
    const sequences = await readSequences(connection);
    const tables: BackedUpTable[] = [];
    for (const table of await readTables(connection)) {
      const written = await writeTable(connection, table, folder);
      tables.push(written);
      onTable(written);
    }
    return { schema: applied.map(({ number }) => number), tables, parts, sequences };
  });
}

async function writeTable(
  connection: Transaction,
  { name, columns }: Pick<BackedUpTable, 'name' | 'columns'>,
  folder: string,
): Promise<BackedUpTable> {
  const hash = createHash('sha256');
  let rows = 0;
  let bytes = 0;
  const statement = `copy backline.${quoteName(name)} (${columns.map(quoteName).join(', ')}) to stdout`;
  await pipeline(
    connection.copyOut(statement),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        // No row has a line break inside: COPY writes it as \n.
        for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) rows += 1;
        yield chunk;
      }
    },
    createGzip({ level: GZIP_LEVEL }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(join(folder, fileOf(name)), { mode: 0o600, flush: true }),
  );
  return { name, columns, rows, bytes, sha256: hash.digest('hex') };
}
