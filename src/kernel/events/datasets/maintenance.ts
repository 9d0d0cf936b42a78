import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import { WITHOUT_WRITERS } from '../event-days.ts';
import { chooseMerge } from './choose-merge.ts';
import { dayOf, firstDayKept, plusDays } from './file-days.ts';
import { folderOf, publish, removeFile, syncFolders, WORK } from './files.ts';
import { commitMerge, type DatasetFile, dropFiles, type Progress } from './manifest.ts';
import { type LiveType, WRITER } from './roll-window.ts';
import { runJob } from './run-job.ts';

/** How long a file stays that no longer counts: longer than any query may take. */
const GRACE_MINUTES = 15;
/** Days for which the log stays in PostgreSQL although it is in files: to compare, and to repair. */
const LOG_DAYS = 3;
/** Writers wait this long at most for a day of the log to be dropped. */
const LOCK_MS_MAX = 2_000;

interface Parts {
  readonly connection: Connection;
  readonly directory: string;
}

/** Makes files count no more whose events are older than their type keeps them; gives how many. */
export async function dropExpired(
  { connection }: Pick<Parts, 'connection'>,
  files: readonly DatasetFile[],
  types: ReadonlyMap<string, LiveType>,
  now: Temporal.Instant,
): Promise<number> {
  const expired = files.filter(({ type, day, expiresOn }) => {
    const live = types.get(type);
    return live === undefined ? expiresOn < dayOf(now) : day < firstDayKept(live.spec.retention, now);
  });
  if (expired.length === 0) return 0;
  return dropFiles(
    connection,
    expired.map(({ path }) => path),
    now,
  );
}

/** Merges small files, a few times at most; gives how many files there are less. */
export async function mergeFiles(
  { connection, directory }: Parts,
  files: readonly DatasetFile[],
  when: { readonly completeUntil: Temporal.Instant; readonly now: Temporal.Instant; readonly mergesMax: number },
  signal: AbortSignal,
): Promise<number> {
  const days = Map.groupBy(files, ({ type, day }) => `${type} ${day}`);
  let merges = 0;
  let fewer = 0;
  for (const ofDay of days.values()) {
    if (merges === when.mergesMax) break;
    const chosen = chooseMerge(ofDay, when.completeUntil, when.now);
    const [first] = chosen;
    if (first === undefined) continue;
    merges += 1;
    const scratch = `${WORK}/merge-${randomUUID()}`;
    const written = `${scratch}/merged.parquet`;
    try {
      const from = chosen.map(({ path }) => path);
      const job = { does: 'merge', ...WRITER.engine, scratch, from, to: written } as const;
      const { rows } = await runJob(job, { directory, limits: WRITER.limits, signal });
      const expected = chosen.reduce((sum, file) => sum + file.rows, 0);
      if (rows !== expected) throw new Error(`of ${expected} rows of ${from.length} files ${rows} were merged`);
      const fromTx = chosen.reduce((least, file) => (file.fromTx < least ? file.fromTx : least), first.fromTx);
      const untilTx = chosen.reduce((most, file) => (file.untilTx > most ? file.untilTx : most), first.untilTx);
      // The windows of what is merged may overlap those of what is not, so the name needs more than them.
      const path = `${folderOf(first.type, first.day)}/${fromTx}-${untilTx}-${randomUUID().slice(0, 8)}.parquet`;
      const bytes = await publish(directory, written, path);
      await syncFolders(directory, [path]);
      const merged = {
        ...first,
        path,
        fromTx,
        untilTx,
        rows,
        bytes,
        late: chosen.some(({ late }) => late),
        unread: chosen.reduce((sum, { unread }) => sum + unread, 0),
        expiresOn: chosen.reduce((most, file) => (file.expiresOn > most ? file.expiresOn : most), first.expiresOn),
        createdAt: when.now,
      };
      if (!(await commitMerge(connection, merged, chosen))) {
        throw new Error('another process changed the files although this one holds the lock');
      }
      fewer += chosen.length - 1;
    } finally {
      await rm(join(directory, scratch), { recursive: true, force: true });
    }
  }
  return fewer;
}

/** Removes files that have not counted for so long that nobody can be reading them. */
export async function removeDropped({ connection, directory }: Parts, now: Temporal.Instant): Promise<void> {
  const rows = await connection.query<{ path: string }>({
    text: 'select path from backline.dataset_files where dropped_at < $1::timestamptz',
    values: [now.subtract({ minutes: GRACE_MINUTES }).toString()],
  });
  for (const { path } of rows) await removeFile(directory, path);
  if (rows.length === 0) return;
  // After the files: a row without a file is found again, a file without a row only by the sweep.
  await connection.query({
    text: 'delete from backline.dataset_files where path = any ($1::text[])',
    values: [rows.map(({ path }) => path)],
  });
}

/** Drops days of the log that are in files and old enough; gives their names. A day that is in use stays until later. */
export async function dropLogDays(
  database: Database,
  { untilTx }: Progress,
  now: Temporal.Instant,
): Promise<readonly string[]> {
  const oldest = `event_log_p${plusDays(dayOf(now), -LOG_DAYS).replaceAll('-', '')}`;
  const days = await database.query<{ name: string }>({
    text: `
      select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'backline.event_log'::regclass and c.relname ~ '^event_log_p\\d{8}$' and c.relname < $1
      order by c.relname`,
    values: [oldest],
  });
  const dropped: string[] = [];
  for (const { name } of days) {
    const done = await database.transaction(async ({ query }) => {
      await query(`set local lock_timeout = ${LOCK_MS_MAX}`);
      await query(WITHOUT_WRITERS);
      const left = await query(`select from backline.${name} where tx >= '${untilTx}'::xid8 limit 1`);
      if (left.length > 0) return false;
      await query(`drop table backline.${name}`);
      return true;
    });
    if (done) dropped.push(name);
  }
  return dropped;
}
