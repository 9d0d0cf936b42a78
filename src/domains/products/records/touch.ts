import type { Queryable } from '#kernel/postgres/database.ts';

/** Notifies every process of changed listeners, at commit. */
export const CHANGES_CHANNEL = 'backline_subjects';

/** Increments versions of listeners and notifies. Sorted, so that transactions cannot deadlock. */
export async function touch(connection: Queryable, listeners: readonly string[]): Promise<void> {
  const sorted = [...new Set(listeners)].sort();
  await connection.query({
    text: `insert into backline.subjects as s (listener) select * from unnest($1::text[]) order by 1
      on conflict (listener) do update set version = s.version + 1`,
    values: [sorted],
  });
  await tell(connection, sorted);
}

export async function tell({ query }: Queryable, listeners: readonly string[]): Promise<void> {
  await query({
    text: `select pg_notify('${CHANGES_CHANNEL}', listener) from unnest($1::text[]) as l (listener)`,
    values: [listeners],
  });
}
