import { access, constants, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Refusal } from '#kernel/base/failures.ts';
import { datasetRefusal } from '#kernel/events/refusals.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';

/** Folders of work in progress; no type begins with a dot. */
export const WORK = '.work';
/** Less free space than this is none: a window of the log must fit, staged and written. */
const FREE_BYTES_MIN = 512 * 1024 * 1024;
/** A query's folder that is older was left behind by a process that was killed. */
const QUERY_MS_MAX = 3_600_000;

/** Where the events of a type and day lie. */
function folderOf(type: string, day: string): string {
  return `${encodeURIComponent(type).replace(/^\./, '%2E')}/day=${day}`;
}

/** Names of files of ours: transactions from (included) until (excluded), and what makes the name unique. */
const NAME = /^(\d{1,20})-(\d{1,20})(?:-[0-9a-f]{8})?\.parquet$/;

/** What the path of a file says of its rows. */
export interface FilePlace {
  readonly type: string;
  readonly day: string;
  readonly fromTx: bigint;
  readonly untilTx: bigint;
}

/**
 * A path for a new file. Never one that was there before: a database that was restored counts the same transactions a
 * second time, and windows of what is merged overlap.
 */
export function nameOfFile(type: string, day: string, fromTx: bigint, untilTx: bigint): string {
  return `${folderOf(type, day)}/${fromTx}-${untilTx}-${randomUUID().slice(0, 8)}.parquet`;
}

/** Reads a path that `nameOfFile` made; undefined for the files of others. */
export function parsePath(path: string): FilePlace | undefined {
  const [folder = '', dayFolder = '', name = ''] = path.split('/');
  const [, from, until] = NAME.exec(name) ?? [];
  const [, day] = /^day=(\d{4}-\d\d-\d\d)$/.exec(dayFolder) ?? [];
  if (from === undefined || until === undefined || day === undefined) return undefined;
  try {
    const type = decodeURIComponent(folder);
    // What another program named otherwise is not ours.
    if (folderOf(type, day) !== `${folder}/${dayFolder}` || type.includes('\0')) return undefined;
    return { type, day, fromTx: BigInt(from), untilTx: BigInt(until) };
  } catch {
    return undefined;
  }
}

/** Makes the folder of datasets as a process starts. Refuses `datasets/not-writable`: waiting does not mend that. */
export async function makeDatasetsFolder(directory: string): Promise<void> {
  await makeFolder(directory, 0o700).catch((error: unknown) => {
    throw notWritable(
      directory,
      error instanceof Error ? error.message : String(error),
      'Name a folder that this user may make and write to with --datasets.',
    );
  });
}

/** Refuses a folder that files cannot be written to. */
export async function requireWritable(directory: string): Promise<void> {
  const because = await makeFolder(join(directory, WORK))
    .then(() => access(directory, constants.W_OK))
    .then(() => statfs(directory))
    .then(({ bavail, bsize }) =>
      bavail * bsize < FREE_BYTES_MIN ? `only ${Math.floor((bavail * bsize) / 1e6)} MB are free` : undefined,
    )
    .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  if (because === undefined) return;
  throw notWritable(
    directory,
    because,
    'Make room there, let this process write there, or name another folder. Until then events stay in PostgreSQL.',
  );
}

function notWritable(directory: string, because: string, remedy: string): Refusal {
  const message = `Datasets cannot be written to ${directory}: ${because}.`;
  return datasetRefusal('not-writable', message, { remedy });
}

/** Moves a finished file to its place, durably; gives its bytes. Only a power cut before `syncFolders` can undo it. */
export async function publish(directory: string, from: string, to: string): Promise<number> {
  const file = await open(join(directory, from), 'r+');
  try {
    await file.sync();
    await makeFolder(dirname(join(directory, to)));
    await rename(join(directory, from), join(directory, to));
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** Makes the entries of these files durable, up to the folder of datasets. */
export async function syncFolders(directory: string, paths: readonly string[]): Promise<void> {
  const folders = new Set(['.']);
  for (const path of paths) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  for (const folder of folders) {
    const handle = await open(join(directory, folder), 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** Those of these files that are not there. */
export async function allMissing(directory: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
  const missing = new Set<string>();
  for (const path of paths) await access(join(directory, path)).catch(() => missing.add(path));
  return missing;
}

export async function removeFile(directory: string, path: string): Promise<void> {
  await rm(join(directory, path), { force: true });
}

/** What is in a folder, and what should be. */
export interface FolderContent {
  /** Files of ours that no table lists. */
  readonly unlisted: readonly string[];
  /** Files that a table lists and that are not there. */
  readonly missing: ReadonlySet<string>;
}

/**
 * Looks at a folder, and removes work in progress that a process left behind when it was killed. Call only as the holder of
 * the lock, while nothing is being written.
 */
export async function lookThrough(directory: string, listed: ReadonlySet<string>): Promise<FolderContent> {
  const unlisted: string[] = [];
  const found = new Set<string>();
  for (const type of await namesIn(directory)) {
    if (type.startsWith('.')) continue;
    for (const day of await namesIn(join(directory, type))) {
      for (const name of await namesIn(join(directory, type, day))) {
        const path = `${type}/${day}/${name}`;
        found.add(path);
        if (!listed.has(path) && parsePath(path) !== undefined) unlisted.push(path);
      }
    }
  }
  for (const name of await namesIn(join(directory, WORK))) {
    const path = join(directory, WORK, name);
    const abandoned = !name.startsWith('query-') || Date.now() - (await stat(path)).mtimeMs > QUERY_MS_MAX;
    if (abandoned) await rm(path, { recursive: true, force: true });
  }
  return { unlisted, missing: listed.difference(found) };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return entries.map(({ name }) => name);
}
