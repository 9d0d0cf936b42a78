import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection, Database, Queryable } from '#kernel/postgres/database.ts';
import type { EventTypeSpec } from '../kinds/event-type-spec.ts';
import { isUnread, selectStaged } from './columns.ts';
import { dayOf, plusDays } from './file-days.ts';
import { noteFields } from './former-fields.ts';
import { nameOfFile, publish, syncFolders, WORK } from './files.ts';
import type { RollAnswer, TypePlan } from './jobs.ts';
import { commitWindow, type DatasetFile, type Progress } from './manifest.ts';
import { PLACE, setAside } from './unfiled-events.ts';
import { type JobLimits, runJob } from './run-job.ts';

/** Memory of one child that writes files: with PostgreSQL below 2 GB. */
export const WRITER = {
  engine: { memoryMb: 512, spillMb: 20_000, threads: 2 },
  limits: { residentMb: 1_500, msMax: 1_800_000 } satisfies JobLimits,
} as const;

/** Retention in days of events of an undeclared type, which may be declared again. */
const UNDECLARED_DAYS = 30;

/** A live event type, as roll-ups need it. */
export interface LiveType {
  readonly spec: EventTypeSpec;
  /** The current revision and earlier ones: types only gain fields. */
  readonly revisions: readonly string[];
}

export interface Window {
  readonly before: Progress;
  readonly after: Progress;
  readonly types: ReadonlyMap<string, LiveType>;
  /** The last revision of each type whose fields are recorded. */
  readonly noted: Map<string, string>;
  readonly now: Temporal.Instant;
}

export interface RollResult {
  readonly files: readonly DatasetFile[];
  readonly rows: number;
  /** Rows that no file can hold. */
  readonly aside: RollAnswer['aside'];
  /** Rows that arrived after their time was declared complete. */
  readonly overdue: number;
}

/**
 * Writes the rows of a window of the log into files and commits them with the progress, atomically even if the process is
 * killed. `connection` holds the lock.
 */
export async function rollWindow(
  parts: { readonly database: Database; readonly connection: Connection; readonly directory: string },
  { before, after, types, noted, now }: Window,
  signal: AbortSignal,
): Promise<RollResult> {
  const { database, connection, directory } = parts;
  if (!(await hasRows(connection, before.untilTx, after.untilTx))) {
    await commit([], []);
    return { files: [], rows: 0, aside: [], overdue: 0 };
  }
  const scratch = `${WORK}/roll-${randomUUID()}`;
  try {
    const inWindow = `tx >= '${before.untilTx}'::xid8 and tx < '${after.untilTx}'::xid8`;
    const { stream, rows } = await copyLog(database, inWindow);
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
    const { aside } = answer;
    if (filed + aside.length !== copied || answer.rows !== copied) {
      const became = `${filed} were filed and ${aside.length} set aside`;
      throw new Error(`of ${copied} rows of the log ${answer.rows} were staged, ${became}`);
    }
    const files: DatasetFile[] = [];
    for (const { path: from, type, day, rows: count, late, unread } of answer.files) {
      const path = nameOfFile(type, day, before.untilTx, after.untilTx);
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
    await commit(files, aside);
    await summarize(connection);
    return { files, rows: filed, aside, overdue: answer.overdue };
  } finally {
    await rm(join(directory, scratch), { recursive: true, force: true });
  }

  async function commit(files: readonly DatasetFile[], aside: RollAnswer['aside']): Promise<void> {
    const fresh = new Map<string, LiveType>();
    for (const { type } of files) {
      const live = types.get(type);
      if (live !== undefined && noted.get(type) !== live.revisions.at(-1)) fresh.set(type, live);
    }
    const also = async (): Promise<void> => {
      await noteFields(connection, fresh);
      if (aside.length > 0) await setAside(connection, aside, { from: before.untilTx, until: after.untilTx }, now);
    };
    if (!(await commitWindow(connection, { files, before, after }, also))) {
      throw new Error('another process rolled the log although this one holds the lock');
    }
    for (const [type, { revisions }] of fresh) noted.set(type, revisions.at(-1) ?? '');
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
 * Summarizes new pages in the BRIN index. PostgreSQL does so only on vacuum, and until then every window would read all
 * new pages again.
 */
async function summarize({ query }: Queryable): Promise<void> {
  await query(`
    select brin_summarize_new_values(i.indexrelid) from pg_inherits p join pg_index i on i.indrelid = p.inhrelid
    join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
    where p.inhparent = 'backline.event_log'::regclass and a.amname = 'brin'`);
}

/**
 * Copies rows of the log in the form that the child reads (see `STAGED`). Separator and quote are control characters, which
 * JSON escapes, so that almost nothing is quoted.
 */
export function copyLog(database: Database, where: string): ReturnType<Database['copyOut']> {
  const utc = (column: string) => `${column} at time zone 'UTC'`;
  return database.copyOut(`
    copy (
      select type, id, client, pseudonym, ${utc('event_at')}, ${utc('sent_at')}, ${utc('received_at')},
        ${utc('corrected_at')}, revision, payload, ${PLACE}
      from backline.event_log where ${where}
    ) to stdout (format csv, delimiter e'\\x02', quote e'\\x01', escape e'\\x01')`);
}

function planOf(type: string, { spec, revisions }: LiveType): TypePlan {
  return { type, select: selectStaged(spec, revisions), unread: isUnread(revisions) };
}

/** The first day on which a file is expired, if its type is no longer declared. */
export function expiryOf(day: string, retention: string | undefined): string {
  if (retention === undefined) return plusDays(day, UNDECLARED_DAYS);
  const end = Temporal.PlainDate.from(day).add({ days: 1 }).toZonedDateTime('UTC').toInstant();
  return dayOf(end.add({ milliseconds: Temporal.Duration.from(retention).total('milliseconds') }));
}
