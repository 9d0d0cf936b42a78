import type { Database } from '#kernel/postgres/database.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import type { WriterAddress } from './forwarding.ts';

/** The writer as the database shows it. */
export interface WriterRow {
  readonly epoch: number;
  /** The last one that was written. */
  readonly version: number;
  readonly beat: number;
  /** How much longer than usual the statement under way may take. */
  readonly patienceMs: number;
  /** Absent for a writer that takes no forwarded writes. */
  readonly address: WriterAddress | undefined;
}

export async function readWriter({ query }: Database): Promise<WriterRow> {
  const [row] = await query<Omit<WriterRow, 'address'> & { readonly address: string }>({
    name: 'writer',
    text: 'select epoch, version, beat, patience_ms as "patienceMs", address from backline.writer',
  });
  if (row === undefined) throw new Error('backline.writer has no row');
  const { address } = row;
  return { ...row, address: address === '' ? undefined : (JSON.parse(address) as WriterAddress) };
}

/** Ends the session that holds the writer's lock, unless it has shown a sign of life since this was read. */
export async function endWriterSession({ query }: Database, { epoch, version, beat }: WriterRow): Promise<void> {
  await query({
    text: `
      select pg_terminate_backend(l.pid) from pg_locks l, backline.writer w
      where l.locktype = 'advisory' and l.granted and l.objid = $1
        and l.database = (select oid from pg_database where datname = current_database())
        and w.epoch = $2 and w.version = $3 and w.beat = $4`,
    values: [ADVISORY_LOCKS.resourceWriter, epoch, version, beat],
  });
}
