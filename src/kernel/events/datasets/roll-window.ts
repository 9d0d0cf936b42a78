import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, Database, Queryable } from '#kernel/postgres/database.ts';
import type { EventTypeSpec } from '../kinds/event-type-spec.ts';
import { isUnread, selectStaged } from './columns.ts';
import { dayOf, plusDays } from './file-days.ts';
import { folderOf, publish, syncFolders, WORK } from './files.ts';
import type { TypePlan } from './jobs.ts';
import { commitWindow, type DatasetFile, type Progress } from './manifest.ts';
import { type JobLimits, runJob } from './run-job.ts';

/** Memory of one child that writes files; with PostgreSQL it stays below 2 GB. */
export const WRITER = {
  engine: { memoryMb: 512, spillMb: 20_000, threads: 2 },
  limits: { residentMb: 1_500, msMax: 1_800_000 } satisfies JobLimits,
} as const;

/** Days for which events of a type are kept that is not declared: it may come back. */
const UNDECLARED_DAYS = 30;

/** A live event type, as far as files are concerned. */
export interface LiveType {
  readonly spec: EventTypeSpec;
  /** Its own revision, and those that were live before it: types only gain fields. */
  readonly revisions: readonly string[];
}

export interface Window {
  readonly before: Progress;
  readonly after: Progress;
  readonly types: ReadonlyMap<string, LiveType>;
  readonly now: Temporal.Instant;
}

export interface Rolled {
  readonly files: readonly DatasetFile[];
  readonly rows: number;
  /** Rows that came although everything of their time was said to be in files. */
  readonly overdue: number;
}

/**
 * Writes the rows of a window of the log into files and commits them with the progress: all of it or nothing, at
 * whatever instant the process is killed. `connection` holds the lock.
 */
export async function rollWindow(
  parts: { readonly database: Database; readonly connection: Connection; readonly directory: string },
  { before, after, types, now }: Window,
  signal: AbortSignal,
): Promise<Rolled> {
  const { database, connection, directory } = parts;
  if (!(await hasRows(connection, before.untilTx, after.untilTx))) {
    await commit([]);
    return { files: [], rows: 0, overdue: 0 };
  }
  const scratch = `${WORK}/roll-${randomUUID()}`;
  try {
    const { stream, rows } = await copyWindow(database, before.untilTx, after.untilTx);
    const answer = await runJob(
      {
        does: 'roll',
        ...WRITER.engine,
        scratch,
        types: [...types].map(([type, live]) => planOf(type, live)),
        otherwise: { select: selectStaged(undefined, []), unread: isUnread([]) },
        completeUntil: before.completeUntil.toString(),
      },
      { directory, limits: WRITER.limits, input: stream, signal },
    );
    const filed = answer.files.reduce((sum, file) => sum + file.rows, 0);
    const copied = await rows;
    if (filed !== copied || answer.rows !== copied) {
      throw new Error(`of ${copied} rows of the log ${answer.rows} were staged and ${filed} were filed`);
    }
    const files: DatasetFile[] = [];
    for (const { path: from, type, day, rows: count, late, unread } of answer.files) {
      const path = `${folderOf(type, day)}/${before.untilTx}-${after.untilTx}.parquet`;
      const bytes = await publish(directory, from, path);
      const expiresOn = expiryOf(day, types.get(type)?.spec.retention);
      files.push({
        path,
        type,
        day,
        fromTx: before.untilTx,
        untilTx: after.untilTx,
        rows: count,
        bytes,
        late,
        unread,
        expiresOn,
        createdAt: now,
      });
    }
    await syncFolders(
      directory,
      files.map(({ path }) => path),
    );
    await commit(files);
    await summarize(connection);
    return { files, rows: copied, overdue: answer.overdue };
  } finally {
    await rm(join(directory, scratch), { recursive: true, force: true });
  }

  async function commit(files: readonly DatasetFile[]): Promise<void> {
    if (await commitWindow(connection, files, before, after)) return;
    throw new Error('another process rolled the log although this one holds the lock');
  }
}

async function hasRows({ query }: Queryable, from: bigint, until: bigint): Promise<boolean> {
  if (from === until) return false;
  const rows = await query(
    `select from backline.event_log where tx >= '${from}'::xid8 and tx < '${until}'::xid8 limit 1`,
  );
  return rows.length > 0;
}

/**
 * Tells the index what has been written since: PostgreSQL does so only when it vacuums, and until then every window
 * would read all of it again.
 */
async function summarize({ query }: Queryable): Promise<void> {
  await query(`
    select brin_summarize_new_values(i.indexrelid) from pg_inherits p join pg_index i on i.indrelid = p.inhrelid
    join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
    where p.inhparent = 'backline.event_log'::regclass and a.amname = 'brin'`);
}

/**
 * The rows of a window, as the child reads them (see `STAGED`). JSON holds no control characters, so that with these
 * as separator and quote almost nothing is quoted.
 */
function copyWindow(database: Database, from: bigint, until: bigint): ReturnType<Database['copyOut']> {
  const utc = (column: string) => `${column} at time zone 'UTC'`;
  return database.copyOut(`
    copy (
      select type, id, client, pseudonym, ${utc('event_at')}, ${utc('sent_at')}, ${utc('received_at')},
        ${utc('corrected_at')}, revision, payload
      from backline.event_log where tx >= '${from}'::xid8 and tx < '${until}'::xid8
    ) to stdout (format csv, delimiter e'\\x02', quote e'\\x01', escape e'\\x01')`);
}

function planOf(type: string, { spec, revisions }: LiveType): TypePlan {
  return { type, select: selectStaged(spec, revisions), unread: isUnread(revisions) };
}

function expiryOf(day: string, retention: string | undefined): string {
  if (retention === undefined) return plusDays(day, UNDECLARED_DAYS);
  const end = Temporal.PlainDate.from(day).add({ days: 1 }).toZonedDateTime('UTC').toInstant();
  return dayOf(end.add({ milliseconds: Temporal.Duration.from(retention).total('milliseconds') }));
}
