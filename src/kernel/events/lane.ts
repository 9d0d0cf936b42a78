import { Unavailable } from '#kernel/base/failures.ts';
import type { Connection, Database, Queryable } from '#kernel/postgres/database.ts';

/**
 * Transactions one after the other on a connection of their own, which is made anew when it was lost. It keeps what the
 * server has parsed and planned, and it may break at any moment without anybody listening.
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
        // A connection that cannot do it now, or not even go back, is given up, and its transaction with it.
        const goBack = error instanceof Unavailable ? close() : connection.query('rollback');
        await goBack.catch(() => close().catch(() => {}));
        throw error;
      }
    },
  };
}

/** One transaction, on a connection for it alone, which may take long. */
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
