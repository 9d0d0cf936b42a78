import type { Queryable } from '../database.ts';

export type LostPart = 'nothing' | 'the write' | 'its answer';

/** A database that fails before or after a write. */
export function losingDatabase(database: Queryable, lost: LostPart): Queryable {
  return {
    query: async (statement) => {
      if (lost === 'the write') throw new Error('never sent');
      const rows = await database.query<never>(statement);
      if (lost === 'its answer') throw new Error('lost on the way back');
      return rows;
    },
  };
}
