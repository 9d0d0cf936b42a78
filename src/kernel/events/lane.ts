import { Unavailable } from '#kernel/base/failures.ts';
import type { Connection, Database, Queryable } from '#kernel/postgres/database.ts';

/**
 * Runs transactions one after the other on a connection of its own, and reconnects when it is lost. The connection keeps
 * prepared statements.
 */
export interface Lane {
  readonly transaction: <Result>(work: (connection: Queryable) => Promise<Result>) => Promise<Result>;
  readonly close: () => Promise<void>;
}

export function openLane(database: Database, patience?: Parameters<Database['connect']>[0]): Lane {
  let current: Connection | undefined;
  const close = async (): Promise<void> => {
    const closing = current;
    current = undefined;
    await closing?.close();
  };
  return {
    close,
    transaction: async (work) => {
      if (current?.isLost() === true) await close().catch(() => {});
      current ??= await database.connect(patience);
      const connection = current;
      try {
        await connection.query('begin');
        const result = await work(connection);
        await connection.query('commit');
        return result;
      } catch (error) {
        // A connection that is unavailable or cannot roll back is closed, which ends its transaction.
        const goBack = error instanceof Unavailable ? close() : connection.query('rollback');
        await goBack.catch(() => close().catch(() => {}));
        throw error;
      }
    },
  };
}

/** Runs one long transaction on a connection of its own. */
export async function inTransaction<Result>(
  database: Database,
  work: (connection: Queryable) => Promise<Result>,
): Promise<Result> {
  const lane = openLane(database, 'housekeeping');
  try {
    return await lane.transaction(work);
  } finally {
    await lane.close();
  }
}
