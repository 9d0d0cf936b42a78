import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '#kernel/base/version.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { runningPostgres, startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { readBackup, requireWholeBackup } from '#kernel/postgres/backup/read-backup.ts';
import type { DatabaseBackup } from '#kernel/postgres/backup/tables.ts';
import { writeBackup, type OnTable } from '#kernel/postgres/backup/write-backup.ts';
import { allMigrations } from './catalogue.ts';
import { startRefusal } from './refusals.ts';

/** The installation that is backed up, or restored into. */
export interface BackupPlace {
  /** Absent: the embedded PostgreSQL of the data folder. */
  readonly databaseUrl: string | undefined;
  /** In the order in which the program has them. */
  readonly quotaDatabaseUrls: readonly string[];
  readonly data: string;
  readonly datasets: string | undefined;
}

/** Says what is being done, for people who wait. */
export type OnProgress = (text: string) => void;

/** Written last: a folder without it is no whole backup. */
const INDEX = 'backup.json';
const FORMAT = 1;

interface BackupIndex {
  readonly format: number;
  readonly program: string;
  readonly at: string;
  /** The main database, then those of quotas. */
  readonly databases: readonly DatabaseBackup[];
  readonly files: number;
  readonly hasKeys: boolean;
}

/** Of the data folder: without the keys no Secret can be opened, without the rest kubeconfigs are handed out again. */
const KEY_FILES = ['encryption-keys', 'pki', 'admin-token'];

/**
 * Writes a backup into a new folder while the program runs: the databases, each as it is at one moment, then the files of datasets, so
 * that no file is older than the database, then the keys.
 */
export async function backUp(
  place: BackupPlace,
  folder: string,
  {
    withKeys,
    onProgress,
    now,
  }: { readonly withKeys: boolean; readonly onProgress: OnProgress; readonly now: Temporal.Instant },
): Promise<void> {
  await requireEmptyFolder(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const databases: DatabaseBackup[] = [];
  await withEachDatabase(place, async (database, index) => {
    databases.push(await writeBackup(database, join(folder, databaseFolder(index)), sayTable(onProgress)));
  });
  const files = await copyFolder(datasetsOf(place), join(folder, 'datasets'));
  onProgress(`${files} files of datasets`);
  if (withKeys) await copyParts(place.data, join(folder, 'keys'));
  const index: BackupIndex = {
    format: FORMAT,
    program: version,
    at: now.toString({ smallestUnit: 'second' }),
    databases,
    files,
    hasKeys: withKeys,
  };
  await writeWhole(join(folder, INDEX), `${JSON.stringify(index, null, 2)}\n`);
}

/**
 * Restores a backup into empty databases and a data folder without an installation. Everything is checked before anything is
 * written; what fails leaves the databases empty.
 */
export async function restore(
  place: BackupPlace,
  folder: string,
  { keys, onProgress }: { readonly keys: string | undefined; readonly onProgress: OnProgress },
): Promise<void> {
  const index = await readIndex(folder);
  const keyFolder = keys ?? join(folder, 'keys');
  if (!existsSync(join(keyFolder, 'encryption-keys')))
    throw startRefusal('backup-without-keys', `There is no ${join(keyFolder, 'encryption-keys')}.`);
  const wanted = 1 + place.quotaDatabaseUrls.length;
  if (wanted !== index.databases.length) {
    throw startRefusal(
      'backup-of-others',
      `The backup is of ${index.databases.length} databases, and ${wanted} are named.`,
    );
  }
  for (const part of [...KEY_FILES, 'datasets']) {
    if (existsSync(join(place.data, part)))
      throw startRefusal('backup-in-the-way', `${place.data} has ${part} already.`);
  }
  for (const [at, backup] of index.databases.entries())
    await requireWholeBackup(join(folder, databaseFolder(at)), backup);
  onProgress('every file of the databases is as it was written');
  await withEachDatabase(place, async (database, at) => {
    const from = { folder: join(folder, databaseFolder(at)), backup: index.databases[at] as DatabaseBackup };
    await readBackup(database, from, allMigrations(), sayTable(onProgress));
  });
  const files = await copyFolder(join(folder, 'datasets'), datasetsOf(place));
  onProgress(`${files} files of datasets`);
  await copyParts(keyFolder, place.data);
}

/** Works on one database after the other; the embedded one is started where it does not run. */
async function withEachDatabase(
  { databaseUrl, quotaDatabaseUrls, data }: BackupPlace,
  work: (database: Database, index: number) => Promise<void>,
): Promise<void> {
  const known = databaseUrl ?? (existsSync(data) ? await runningPostgres(data) : undefined);
  const started = known === undefined ? await startEmbeddedPostgres({ dataDirectory: data }) : undefined;
  try {
    for (const [index, url] of [known ?? started?.url ?? '', ...quotaDatabaseUrls].entries()) {
      const database = openDatabase(url);
      try {
        await work(database, index);
      } finally {
        await database.close();
      }
    }
  } finally {
    await started?.close();
  }
}

async function readIndex(folder: string): Promise<BackupIndex> {
  let text: string;
  try {
    text = await readFile(join(folder, INDEX), 'utf8');
  } catch {
    throw startRefusal(
      'no-backup',
      `There is no ${join(folder, INDEX)}: the folder is no backup, or one that did not end.`,
    );
  }
  const index = JSON.parse(text) as BackupIndex;
  if (index.format === FORMAT) return index;
  throw startRefusal(
    'no-backup',
    `${join(folder, INDEX)} has the format ${index.format}; this version reads ${FORMAT}.`,
  );
}

function databaseFolder(index: number): string {
  return index === 0 ? 'database' : `quotas-${index}`;
}

function datasetsOf({ datasets, data }: BackupPlace): string {
  return datasets ?? join(data, 'datasets');
}

function sayTable(onProgress: OnProgress): OnTable {
  return ({ name, rows }) => onProgress(`${name}: ${rows.toLocaleString('en-US')} ${rows === 1 ? 'row' : 'rows'}`);
}

async function requireEmptyFolder(folder: string): Promise<void> {
  if (existsSync(folder) && (await readdir(folder)).length > 0) {
    throw startRefusal('backup-in-the-way', `${folder} is not empty.`);
  }
}

/** Copies what is there, and gives the number of files. One that is removed meanwhile was replaced by another one. */
async function copyFolder(from: string, into: string): Promise<number> {
  if (!existsSync(from)) return 0;
  await mkdir(into, { recursive: true, mode: 0o700 });
  let files = 0;
  for (const name of await readdir(from, { recursive: true })) {
    const path = join(from, name);
    try {
      if (!(await stat(path)).isFile()) continue;
      await cp(path, join(into, name), { preserveTimestamps: true });
      files += 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return files;
}

async function copyParts(from: string, into: string): Promise<void> {
  await mkdir(into, { recursive: true, mode: 0o700 });
  for (const part of KEY_FILES) {
    if (existsSync(join(from, part))) await cp(join(from, part), join(into, part), { recursive: true });
  }
}
