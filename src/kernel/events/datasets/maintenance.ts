import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import { WITHOUT_WRITERS } from '../event-days.ts';
import { keyOf } from './choose-merge.ts';
import { dayOf, firstDayKept, plusDays } from './file-days.ts';
import { nameOfFile, publish, removeFile, syncFolders, WORK } from './files.ts';
import { commitMerge, type DatasetFile, dropFiles, type Progress } from './manifest.ts';
import { type LiveType, WRITER } from './roll-window.ts';
import { JobFailure, runJob } from './run-job.ts';

/** How long a file that no longer counts stays on disk: longer than any query may take. */
const GRACE_MINUTES = 15;
/** Days for which the log stays in PostgreSQL after it is in files, for the loss audit and for repair. */
const LOG_DAYS = 3;
/** Writers wait this long at most for a day of the log to be dropped. */
const LOCK_MS_MAX = 2_000;

interface Parts {
  readonly connection: Connection;
  readonly directory: string;
}

/** Unlists files whose events are older than the retention of their type; gives how many. */
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

export interface MergeResult {
  /** By how many the number of files fell. */
  readonly fewer: number;
  /** Failed merges, by type and day, and why. Their files are unchanged. */
  readonly failed: readonly { readonly key: string; readonly because: string }[];
}

/** Merges files, each list into one. A merge that fails does not stop the others. */
export async function mergeFiles(
  parts: Parts,
  merges: readonly (readonly DatasetFile[])[],
  now: Temporal.Instant,
  signal: AbortSignal,
): Promise<MergeResult> {
  if (merges.length === 0) return { fewer: 0, failed: [] };
  const { connection, directory } = parts;
  const scratch = `${WORK}/merge-${randomUUID()}`;
  try {
    const jobs = merges.map((files, index) => ({
      from: files.map(({ path }) => path),
      to: `${scratch}/${index}.parquet`,
    }));
    const job = { does: 'merge', ...WRITER.engine, scratch, merges: jobs } as const;
    const { merged } = await runJob(job, { directory, limits: WRITER.limits, signal });
    const failed: { key: string; because: string }[] = [];
    let fewer = 0;
    for (const [index, sources] of merges.entries()) {
      const { rows, fault } = merged[index] ?? { rows: 0, fault: 'there is no answer' };
      const expected = sources.reduce((sum, file) => sum + file.rows, 0);
      const because = fault ?? (rows === expected ? undefined : `of ${expected} rows ${rows} were merged`);
      const [first] = sources;
      if (first === undefined) continue;
      if (because !== undefined) {
        failed.push({ key: keyOf(first), because });
        continue;
      }
      const file = await publishMerged(directory, `${scratch}/${index}.parquet`, { sources, first, now });
      if (!(await commitMerge(connection, file, sources))) {
        throw new Error('another process changed the files although this one holds the lock');
      }
      fewer += sources.length - 1;
    }
    return { fewer, failed };
  } catch (error) {
    if (!(error instanceof JobFailure) || error.because === 'stopped') throw error;
    // One of the merges ends the child, and it is unknown which.
    const [first = []] = merges;
    if (merges.length === 1)
      return { fewer: 0, failed: first.slice(0, 1).map((file) => ({ key: keyOf(file), because: error.because })) };
    const middle = Math.ceil(merges.length / 2);
    const halves = [
      await mergeFiles(parts, merges.slice(0, middle), now, signal),
      await mergeFiles(parts, merges.slice(middle), now, signal),
    ];
    return {
      fewer: halves.reduce((sum, half) => sum + half.fewer, 0),
      failed: halves.flatMap((half) => half.failed),
    };
  } finally {
    await rm(join(directory, scratch), { recursive: true, force: true });
  }
}

/** Publishes the file that others were merged into. */
async function publishMerged(
  directory: string,
  written: string,
  of: { readonly sources: readonly DatasetFile[]; readonly first: DatasetFile; readonly now: Temporal.Instant },
): Promise<DatasetFile> {
  const { sources, first, now } = of;
  const fromTx = sources.reduce((least, file) => (file.fromTx < least ? file.fromTx : least), first.fromTx);
  const untilTx = sources.reduce((most, file) => (file.untilTx > most ? file.untilTx : most), first.untilTx);
  const path = nameOfFile(first.type, first.day, fromTx, untilTx);
  const bytes = await publish(directory, written, path);
  await syncFolders(directory, [path]);
  return {
    ...first,
    path,
    fromTx,
    untilTx,
    rows: sources.reduce((sum, { rows }) => sum + rows, 0),
    bytes,
    late: sources.some(({ late }) => late),
    unread: sources.reduce((sum, { unread }) => sum + unread, 0),
    expiresOn: sources.reduce((most, file) => (file.expiresOn > most ? file.expiresOn : most), first.expiresOn),
    createdAt: now,
  };
}

/** Removes files that were unlisted so long ago that no query can be reading them. */
export async function removeDropped({ connection, directory }: Parts, now: Temporal.Instant): Promise<void> {
  const rows = await connection.query<{ path: string }>({
    text: 'select path from backline.dataset_files where dropped_at < $1::timestamptz',
    values: [now.subtract({ minutes: GRACE_MINUTES }).toString()],
  });
  for (const { path } of rows) await removeFile(directory, path);
  if (rows.length === 0) return;
  // After the files: a row without a file is retried, a file without a row is found only by `lookThrough`.
  await connection.query({
    text: 'delete from backline.dataset_files where path = any ($1::text[])',
    values: [rows.map(({ path }) => path)],
  });
}

/** Drops days of the log that are in files and old enough; gives their names. A day in use is retried later. */
export async function dropLogDays(
  database: Database,
  { untilTx }: Progress,
  now: Temporal.Instant,
): Promise<readonly string[]> {
  const oldest = `event_log_p${plusDays(dayOf(now), -LOG_DAYS).replaceAll('-', '')}`;
  const days = await database.patient.query<{ name: string }>({
    text: `
      select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'backline.event_log'::regclass and c.relname ~ '^event_log_p\\d{8}$' and c.relname < $1
      order by c.relname`,
    values: [oldest],
  });
  const dropped: string[] = [];
  for (const { name } of days) {
    const done = await database.patient.transaction(async ({ query }) => {
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
