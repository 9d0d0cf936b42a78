import { sealingWith } from '#kernel/access/encryption.ts';
import { systemTime } from '#kernel/base/time.ts';
import type { ReadinessCheck } from '#kernel/http/health.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { watchDatabase } from '#kernel/postgres/reachability.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import { openRecords, type Records } from './records.ts';
import type { SharedParts } from './shared.ts';

/** The database and the records that a process uses beside the store. */
export interface DatabaseParts {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly records: Records;
}

/** Opens the database of a process without the API, which still reads and writes records of listeners. */
export async function openDatabaseParts(
  shared: SharedParts,
  databaseUrl: string,
): Promise<DatabaseParts & { readonly check: ReadinessCheck }> {
  const { lifetime, encryptionKeyFile } = shared;
  const database = await lifetime.open(
    'database',
    () => openDatabase(databaseUrl),
    (open) => open.close(),
  );
  const { problem } = await lifetime.open(
    'reachability',
    () => watchDatabase(database, systemTime),
    (watched) => watched.stop(),
  );
  const sealing = await lifetime.step('encryption keys', () => sealingWith(encryptionKeyFile));
  const records = await openRecords(shared, { database, sealing, isOwner: false });
  return { database, sealing, records, check: { name: 'database', problem } };
}
