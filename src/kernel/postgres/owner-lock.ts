import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** The right to run the server on a data directory. */
export interface OwnerLock {
  /** Process id of the last owner; undefined when there was none. */
  readonly formerOwner: number | undefined;
  /** Records this process as the owner, for later ones. */
  readonly sign: () => void;
  readonly release: () => void;
}

/**
 * Takes the lock, or says which process holds it (`undefined` when that cannot be read).
 *
 * The lock is SQLite's own lock on an empty file. The operating system drops it with the process that holds it,
 * however that process ends; there is no pid to be mistaken for another process, and nothing stale to clean up.
 */
export function takeOwnerLock(path: string): OwnerLock | { readonly heldBy: number | undefined } {
  const holder = `${path}.pid`;
  const file = new DatabaseSync(path);
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (!isBusy(error)) throw error;
    return { heldBy: readPid(holder) };
  }
  return {
    formerOwner: readPid(holder),
    sign: () => writeFileSync(holder, `${process.pid}\n`),
    release: () => file.close(),
  };
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}

function readPid(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}
