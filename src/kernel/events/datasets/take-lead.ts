import type { Connection } from '#kernel/postgres/database.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import { renumberIfRestored } from '../event-days.ts';
import { adoptFiles } from './adopt-files.ts';
import { claimFolder } from './claim-folder.ts';
import { lookThrough } from './files.ts';
import { noteFields } from './former-fields.ts';
import { readFiles } from './manifest.ts';
import type { Leadership, RollUpParts } from './roll-up-parts.ts';
import type { LiveType } from './roll-window.ts';
import { retryUnfiled } from './unfiled-events.ts';
import { Watermark } from './watermark.ts';

/** Acquires the roll-up lock on its own connection: losing the connection loses the lock. */
export async function takeLead(
  parts: RollUpParts,
  held: Leadership | undefined,
  types: ReadonlyMap<string, LiveType>,
): Promise<Leadership | undefined> {
  if (held !== undefined && !held.connection.isLost()) return held;
  const connection = await parts.database.connect('housekeeping');
  try {
    const [row] = await connection.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(${ADVISORY_LOCKS.rollUp}) as locked`,
    );
    if (row?.locked === true) {
      const installation = await takeOver(parts, connection, types);
      return {
        connection,
        installation,
        watermark: new Watermark(),
        notMerged: new Map(),
        noted: new Map(),
        maintainedAt: undefined,
        spanMax: undefined,
      };
    }
  } catch (error) {
    await connection.close().catch(() => {});
    throw error;
  }
  await connection.close();
  return undefined;
}

/** Reconciles folder and database once, before anything is written; gives the installation of the folder. */
async function takeOver(
  { database, directory, clock, log, metrics, signal, noteMissing }: RollUpParts,
  connection: Connection,
  types: ReadonlyMap<string, LiveType>,
): Promise<string> {
  const now = clock();
  await renumberIfRestored(database);
  const { installation, isOlder } = await claimFolder(connection, directory);
  if (isOlder) log.warn({ installation }, 'datasets: the database is older than the files; a backup was restored');
  const listed = await connection.query<{ path: string }>('select path from backline.dataset_files');
  const { unlisted, missing } = await lookThrough(directory, new Set(listed.map(({ path }) => path)));
  const counting = await readFiles(connection);
  const parts = { database, connection, directory, log };
  metrics.adopted.inc(await adoptFiles(parts, { unlisted, counting, missing }, { types, now }, signal));
  const files = await readFiles(connection);
  const filed = new Set(files.map(({ type }) => type));
  await noteFields(connection, new Map([...types].filter(([name]) => filed.has(name))));
  const lost = files.filter(({ path }) => missing.has(path));
  noteMissing(lost.length);
  if (lost.length > 0) {
    log.error({ files: lost.length, first: lost[0]?.path }, 'datasets: files are missing; is this the right folder?');
  }
  await retryUnfiled(database, now);
  return installation;
}
