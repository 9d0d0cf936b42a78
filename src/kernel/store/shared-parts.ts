import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { StoreLimits } from './limits.ts';
import type { Memory } from './memory.ts';
import type { Tail } from './tail.ts';
import type { TextsAtRest } from './texts-at-rest.ts';
import type { WriterRole } from './writer-role.ts';
import { readWriter, type WriterRow } from './writer-row.ts';

/** The state that the parts of a store on a shared database share. */
export interface SharedParts<Operation> {
  readonly database: Database;
  readonly memory: Memory;
  readonly kinds: Map<string, Kind>;
  readonly texts: TextsAtRest;
  readonly tail: Tail;
  readonly role: WriterRole<Operation>;
  readonly limits: StoreLimits;
  readonly clock: Clock;
  readonly log: Log | undefined;
  /** Aborted when the store closes. */
  readonly stop: AbortSignal;
  /** Tells why this process has to start anew. */
  readonly tellLost: (why: string) => void;
}

/** The writer as it is now. Notices a database that has less than this process. */
export async function writerNow<Operation>(parts: SharedParts<Operation>): Promise<WriterRow> {
  // Never more than there is in the database, whatever is written meanwhile.
  const { version: known } = parts.memory;
  const writer = await readWriter(parts.database);
  if (writer.version < known) parts.tellLost(describeRestore(writer.version, known));
  return writer;
}

/** Why a process has to start anew: it shows what the database no longer holds. */
export function describeRestore(version: number, known: number): string {
  return `The database is at version ${version} and was at ${known} before: it was restored or replaced.`;
}
