import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Refusal } from '#kernel/base/failures.ts';
import type { Database, Queryable, Transaction } from '../database.ts';
import { migrate } from '../migrations.ts';
import type { Migration } from '../migrations/migration.ts';
import { postgresRefusal } from '../refusals.ts';
import { fileOf, quoteName, type BackedUpTable, type DatabaseBackup } from './tables.ts';
import type { OnTable } from './write-backup.ts';

/** Checks every file of a database in a backup, before anything is written anywhere. Throws a Refusal. */
export async function requireWholeBackup(folder: string, { tables }: DatabaseBackup): Promise<void> {
  for (const { name, bytes, sha256 } of tables) {
    const hash = createHash('sha256');
    let found = 0;
    try {
      for await (const chunk of createReadStream(join(folder, fileOf(name))) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        found += chunk.length;
      }
    } catch (error) {
      throw damageRefusal(name, error instanceof Error ? error.message : String(error));
    }
    if (found !== bytes || hash.digest('hex') !== sha256)
      throw damageRefusal(name, `${found} of ${bytes} bytes, or other ones`);
  }
}

/**
 * Fills an empty database from a backup, with the schema that it was made of: the next start brings it up to date. A failure leaves
 * the database as empty as it was.
 *
 * @param migrations all that this program knows
 */
export async function readBackup(
  database: Database,
  { folder, backup }: { readonly folder: string; readonly backup: DatabaseBackup },
  migrations: readonly Migration[],
  onTable: OnTable,
): Promise<void> {
  await requireEmpty(database);
  const applied = new Set(backup.schema);
  const known = migrations.filter(({ number }) => applied.has(number));
  if (known.length < applied.size) {
    const missing = backup.schema.filter((number) => !known.some((one) => one.number === number));
    throw postgresRefusal(
      'backup-too-new',
      `The backup has migrations that this version does not know: ${missing.join(', ')}.`,
    );
  }
  try {
    await migrate(database, known);
    await database.patient.transaction(async (connection) => {
      const names = backup.tables.map(({ name }) => name);
      for (const { name, of, bound } of backup.parts) {
        await connection.query(
          `create table if not exists backline.${quoteName(name)} partition of backline.${quoteName(of)} ${bound}`,
        );
      }
      // Migrations fill some of them.
      await connection.query(`truncate ${names.map((name) => `backline.${quoteName(name)}`).join(', ')}`);
      for (const table of backup.tables) {
        await readTable(connection, table, folder);
        onTable(table);
      }
      for (const { name, value } of backup.sequences) {
        await connection.query({
          text: 'select setval($1::regclass, $2::bigint)',
          values: [`backline.${quoteName(name)}`, value],
        });
      }
    });
  } catch (error) {
    await database.patient.query('drop schema if exists backline cascade');
    throw error;
  }
  await database.patient.query('analyze');
}

async function requireEmpty({ query }: Queryable): Promise<void> {
  const [found] = await query<{ tables: number }>(
    `select count(*) as tables from pg_tables where schemaname = 'backline'`,
  );
  if (found === undefined || found.tables === 0) return;
  throw postgresRefusal('not-empty', `The database has ${found.tables} tables of Backline already.`);
}

async function readTable(
  connection: Transaction,
  { name, columns, rows }: BackedUpTable,
  folder: string,
): Promise<void> {
  const table = `backline.${quoteName(name)}`;
  const unpacked = createGunzip();
  const packed = pipeline(createReadStream(join(folder, fileOf(name))), unpacked);
  packed.catch(() => {});
  await connection.copyIn(`copy ${table} (${columns.map(quoteName).join(', ')}) from stdin`, unpacked);
  await packed;
  const [found] = await connection.query<{ rows: number }>(`select count(*) as rows from only ${table}`);
  if (found?.rows !== rows) throw damageRefusal(name, `${found?.rows ?? 0} of ${rows} rows`);
}

function damageRefusal(table: string, why: string): Refusal {
  return postgresRefusal(
    'backup-damaged',
    `The file of the table ${table} in the backup is not as it was written: ${why}.`,
  );
}
