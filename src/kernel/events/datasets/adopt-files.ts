import { randomUUID } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '#kernel/base/log.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import { nameOfFile, parsePath, publish, removeFile, syncFolders, WORK, type FilePlace } from './files.ts';
import type { AdoptAnswer } from './jobs.ts';
import { commitAdoption, type DatasetFile, readProgress } from './manifest.ts';
import { copyLog, expiryOf, type LiveType, WRITER } from './roll-window.ts';
import { runJob } from './run-job.ts';
import { literal } from './sql-text.ts';

/** The folder of unreadable files; no type begins with a dot. */
const LOST = '.lost';

interface Parts {
  readonly database: Database;
  readonly connection: Connection;
  readonly directory: string;
  readonly log: Log;
}

/**
 * Adopts files of the folder that the database does not list: left behind by a process that was killed, or written after the
 * backup from which the database was restored. Lists their fresh rows, removes files without fresh rows, and moves
 * unreadable files aside. Gives how many files were adopted.
 */
export async function adoptFiles(
  { database, connection, directory, log }: Parts,
  folder: {
    readonly unlisted: readonly string[];
    readonly counting: readonly DatasetFile[];
    readonly missing: ReadonlySet<string>;
  },
  { types, now }: { readonly types: ReadonlyMap<string, LiveType>; readonly now: Temporal.Instant },
  signal: AbortSignal,
): Promise<number> {
  const places = new Map(
    folder.unlisted.flatMap((path) => {
      const place = parsePath(path);
      return place === undefined ? [] : [[path, place] as const];
    }),
  );
  if (places.size === 0) return 0;
  const groups = groupsOf(places, folder);
  const scratch = `${WORK}/adopt-${randomUUID()}`;
  try {
    const { untilTx } = await readProgress(connection);
    const names = [...new Set(groups.map(({ type }) => type))].map(literal).join(', ');
    const { stream } = await copyLog(database, `tx >= '${untilTx}'::xid8 and type in (${names})`);
    const job = { does: 'adopt', ...WRITER.engine, scratch, groups } as const;
    const { files } = await runJob(job, { directory, limits: WRITER.limits, input: stream, signal });
    const adopted: DatasetFile[] = [];
    for (const file of files) {
      const place = places.get(file.path);
      if (place === undefined || file.fresh === 0) continue;
      adopted.push({
        ...(await placeFreshRows(directory, file, place)),
        type: place.type,
        day: place.day,
        rows: file.fresh,
        late: file.late,
        unread: file.unread,
        expiresOn: expiryOf(place.day, types.get(place.type)?.spec.retention),
        createdAt: now,
      });
    }
    await syncFolders(
      directory,
      adopted.map(({ path }) => path),
    );
    const replaced = replacedBy(
      adopted,
      folder.counting.filter(({ path }) => folder.missing.has(path)),
    );
    if (!(await commitAdoption(connection, adopted, replaced, now))) {
      throw new Error('another process changed the files although this one holds the lock');
    }
    const counts = new Set(adopted.map(({ path }) => path));
    for (const { path, fault } of files) {
      if (fault !== undefined) await moveAside(directory, path);
      else if (!counts.has(path)) await removeFile(directory, path);
    }
    say(log, files, replaced.length);
    return adopted.length;
  } finally {
    await rm(join(directory, scratch), { recursive: true, force: true });
  }
}

function groupsOf(
  places: ReadonlyMap<string, FilePlace>,
  { counting, missing }: { readonly counting: readonly DatasetFile[]; readonly missing: ReadonlySet<string> },
) {
  const keyOf = ({ type, day }: { readonly type: string; readonly day: string }): string => `${type} ${day}`;
  const present = Map.groupBy(
    counting.filter(({ path }) => !missing.has(path)),
    keyOf,
  );
  return [...Map.groupBy(places, ([, place]) => keyOf(place))].flatMap(([key, found]) => {
    const [first] = found;
    if (first === undefined) return [];
    const { type, day } = first[1];
    return [
      { type, day, found: found.map(([path]) => path), counting: (present.get(key) ?? []).map(({ path }) => path) },
    ];
  });
}

/** The file with the fresh rows: the found one if all of its rows are fresh, else a new one. */
async function placeFreshRows(
  directory: string,
  { path, to, rows, fresh }: AdoptAnswer['files'][number],
  { type, day, fromTx, untilTx }: FilePlace,
): Promise<Pick<DatasetFile, 'path' | 'bytes' | 'fromTx' | 'untilTx'>> {
  if (fresh === rows) return { path, bytes: (await stat(join(directory, path))).size, fromTx, untilTx };
  const own = nameOfFile(type, day, fromTx, untilTx);
  return { path: own, bytes: await publish(directory, to, own), fromTx, untilTx };
}

/** Missing files whose rows are in an adopted file, into which they were merged after the backup. */
function replacedBy(adopted: readonly DatasetFile[], missing: readonly DatasetFile[]): readonly DatasetFile[] {
  const replaced = adopted.flatMap((file) => {
    const within = missing.filter(
      ({ type, day, fromTx, untilTx }) =>
        type === file.type && day === file.day && fromTx >= file.fromTx && untilTx <= file.untilTx,
    );
    const rows = within.reduce((sum, one) => sum + one.rows, 0);
    return rows <= file.rows ? within : [];
  });
  return [...new Set(replaced)];
}

async function moveAside(directory: string, path: string): Promise<void> {
  const to = join(directory, LOST, `${path}.${randomUUID().slice(0, 8)}`);
  await makeFolder(dirname(to));
  await rename(join(directory, path), to);
}

function say(log: Log, files: AdoptAnswer['files'], replaced: number): void {
  const adopted = files.filter(({ fresh }) => fresh > 0);
  const lost = files.filter(({ fault }) => fault !== undefined);
  const rows = adopted.reduce((sum, { fresh }) => sum + fresh, 0);
  const removed = files.length - adopted.length - lost.length;
  if (adopted.length > 0)
    log.warn({ files: adopted.length, rows, replaced }, 'datasets: adopted files that no table listed');
  if (removed > 0) log.info({ files: removed }, 'datasets: removed files whose rows are all in others');
  if (lost.length > 0) {
    log.error(
      { files: lost.length, first: lost[0]?.path, fault: lost[0]?.fault, to: LOST },
      'datasets: unreadable files moved aside',
    );
  }
}
