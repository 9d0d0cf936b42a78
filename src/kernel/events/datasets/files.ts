import { access, constants, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Refusal } from '#kernel/base/failures.ts';
import { datasetRefusal } from '#kernel/events/refusals.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';

/** Folders of work in progress; no type begins with a dot. */
export const WORK = '.work';
/** Least free space of a writable folder: a window of the log must fit, staged and written. */
const FREE_BYTES_MIN = 512 * 1024 * 1024;
/** Older folders of queries were left behind by a killed process. */
const QUERY_MS_MAX = 3_600_000;

/** The folder of the events of a type and day. */
function folderOf(type: string, day: string): string {
  return `${encodeURIComponent(type).replace(/^\./, '%2E')}/day=${day}`;
}

/** File names: transactions from (included) until (excluded), and a unique suffix. */
const NAME = /^(\d{1,20})-(\d{1,20})(?:-[0-9a-f]{8})?\.parquet$/;

/** The parts of the path of a file. */
export interface FilePlace {
  readonly type: string;
  readonly day: string;
  readonly fromTx: bigint;
  readonly untilTx: bigint;
}

/**
 * A unique path for a new file. Transactions alone are not unique: a restored database counts the same ones again, and
 * windows of merged files overlap.
 */
export function nameOfFile(type: string, day: string, fromTx: bigint, untilTx: bigint): string {
  return `${folderOf(type, day)}/${fromTx}-${untilTx}-${randomUUID().slice(0, 8)}.parquet`;
}

/** Parses a path that `nameOfFile` made; undefined for other files. */
export function parsePath(path: string): FilePlace | undefined {
  const [folder = '', dayFolder = '', name = ''] = path.split('/');
  const [, from, until] = NAME.exec(name) ?? [];
  const [, day] = /^day=(\d{4}-\d\d-\d\d)$/.exec(dayFolder) ?? [];
  if (from === undefined || until === undefined || day === undefined) return undefined;
  try {
    const type = decodeURIComponent(folder);
    // Another program's file may have a similar name.
    if (folderOf(type, day) !== `${folder}/${dayFolder}` || type.includes('\0')) return undefined;
    return { type, day, fromTx: BigInt(from), untilTx: BigInt(until) };
  } catch {
    return undefined;
  }
}

/** Creates the folder of datasets as a process starts. Refuses `datasets/not-writable`, which no retry would fix. */
export async function makeDatasetsFolder(directory: string): Promise<void> {
  await makeFolder(directory, 0o700).catch((error: unknown) => {
    throw notWritable(
      directory,
      error instanceof Error ? error.message : String(error),
      'Name a folder that this user may make and write to with --datasets.',
    );
  });
}

/** Refuses a folder that is not writable. */
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

/** Moves a finished file to its place; gives its bytes. Durable after `syncFolders`. */
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

/** Makes the directory entries of these files durable, up to the folder of datasets. */
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

/** The files among these that do not exist. */
export async function allMissing(directory: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
  const missing = new Set<string>();
  for (const path of paths) await access(join(directory, path)).catch(() => missing.add(path));
  return missing;
}

export async function removeFile(directory: string, path: string): Promise<void> {
  await rm(join(directory, path), { force: true });
}

/** Differences between the folder and the list of files. */
export interface FolderContent {
  /** Our files that no table lists. */
  readonly unlisted: readonly string[];
  /** Listed files that do not exist. */
  readonly missing: ReadonlySet<string>;
}

/**
 * Compares a folder with the list of files, and removes work in progress of killed processes. Call only as the holder of the
 * lock, while nothing is being written.
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
