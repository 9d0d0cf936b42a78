import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Refusal } from '#kernel/base/failures.ts';
import { datasetRefusal } from '#kernel/events/refusals.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { Connection } from '#kernel/postgres/database.ts';

/** The file that names the installation of a folder of datasets; no type begins with a dot. */
const MARKER = '.installation';

interface Marker {
  /** The installation; while its id changes, also the previous one. */
  readonly installations: readonly string[];
  /** How far the log was in files when this was written: a database that is behind it is an older copy. */
  readonly untilTx: bigint;
}

export interface Claim {
  readonly installation: string;
  /** Whether the database is an older copy of the one that last wrote here: a restored backup. */
  readonly isOlder: boolean;
}

/**
 * Claims a folder for this database, or confirms that it is claimed. Refuses `datasets/other-installation` for a folder of
 * another database. Call only as the holder of the lock.
 */
export async function claimFolder(connection: Connection, directory: string): Promise<Claim> {
  const marker = await readMarker(directory);
  const [row] = await connection.query<{ installation: string; until_tx: string }>(
    'select installation::text, until_tx::text from backline.rollup',
  );
  if (row === undefined) throw new Error('backline.rollup has no row');
  const untilTx = BigInt(row.until_tx);
  const { installation } = row;
  if (marker !== undefined && !marker.installations.includes(installation)) throw otherInstallation(directory);
  if (marker === undefined || marker.untilTx <= untilTx) {
    await writeMarker(directory, { installations: [installation], untilTx });
    return { installation, isOlder: false };
  }
  const next = randomUUID();
  // Both ids, until the database has the new one: if this is interrupted, the folder is still ours.
  await writeMarker(directory, { installations: [installation, next], untilTx: marker.untilTx });
  await connection.query({ text: 'update backline.rollup set installation = $1::uuid', values: [next] });
  await writeMarker(directory, { installations: [next], untilTx });
  return { installation: next, isOlder: true };
}

/** Writes into the folder how far the log is in its files. */
export async function noteProgress(directory: string, installation: string, untilTx: bigint): Promise<void> {
  await writeMarker(directory, { installations: [installation], untilTx });
}

/** Refuses a folder that is no longer claimed by this installation. */
export async function requireClaimed(directory: string, installation: string): Promise<void> {
  const marker = await readMarker(directory);
  if (marker !== undefined && !marker.installations.includes(installation)) throw otherInstallation(directory);
}

function otherInstallation(directory: string): Refusal {
  return datasetRefusal(
    'other-installation',
    `The files of datasets in ${directory} belong to another database than this one.`,
    {
      remedy: `Name another folder with --datasets. If this database takes the place of the one that wrote them, remove ${join(directory, MARKER)}: they are adopted then.`,
    },
  );
}

async function readMarker(directory: string): Promise<Marker | undefined> {
  const text = await readFile(join(directory, MARKER), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const marker = parseMarker(text);
  if (marker !== undefined) return marker;
  throw datasetRefusal('bad-marker', `${join(directory, MARKER)} cannot be read.`);
}

function parseMarker(text: string): Marker | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const { installations, untilTx } = value;
    const areTexts = Array.isArray(installations) && installations.every((id) => typeof id === 'string');
    if (!areTexts || typeof untilTx !== 'string' || !/^\d{1,20}$/.test(untilTx)) return undefined;
    return { installations, untilTx: BigInt(untilTx) };
  } catch {
    return undefined;
  }
}

async function writeMarker(directory: string, { installations, untilTx }: Marker): Promise<void> {
  const text = `${JSON.stringify({ installations, untilTx: String(untilTx) })}\n`;
  await writeWhole(join(directory, MARKER), text);
}
