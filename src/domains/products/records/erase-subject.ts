import type { Database } from '#kernel/postgres/database.ts';
import { tell, touch } from './touch.ts';

/** Erases a listener. Members of the listener's subscription lose it. */
export function eraseSubject(
  database: Database,
  listener: string,
): Promise<{ readonly rows: number; readonly others: readonly string[] }> {
  return database.transaction(async (connection) => {
    const { query } = connection;
    const values = [listener];
    // Locks in the order of every change: subscriptions, listeners, then their rows.
    await query({ text: 'select from backline.subscriptions where manager = $1 order by id for update', values });
    const shared = await query<{ listener: string }>({
      text: `select m.listener from backline.subscription_members m join backline.subscriptions s on s.id = m.subscription
        where s.manager = $1 and m.listener <> $1`,
      values,
    });
    const others = shared.map((other) => other.listener);
    await query({
      text: 'select from backline.subjects where listener = any ($1::text[]) order by listener for update',
      values: [[listener, ...others]],
    });
    await touch(connection, others);
    await tell(connection, [listener]);
    const deleted = [
      'delete from backline.subscriptions where manager = $1 returning 1',
      'delete from backline.subscription_members where listener = $1 returning 1',
      'delete from backline.former_terms where listener = $1 or manager = $1 returning 1',
      'delete from backline.use_moves where owner = $1 returning 1',
      'delete from backline.grants where listener = $1 returning 1',
      'delete from backline.overrides where listener = $1 returning 1',
      `delete from backline.subject_changes where listener = $1 or detail ->> 'listener' = $1 returning 1`,
      'delete from backline.record_writes where listeners @> array[$1] returning 1',
      'delete from backline.subjects where listener = $1 returning 1',
    ];
    let rows = 0;
    for (const text of deleted) rows += (await query({ text, values })).length;
    return { rows, others };
  });
}
