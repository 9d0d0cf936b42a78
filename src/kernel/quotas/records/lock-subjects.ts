import { textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';

/**
 * Locks the subjects for this transaction, always in the same order: no deadlocks. Gives how many exist; missing
 * subjects cannot be locked.
 */
export async function lockSubjects({ query }: Queryable, subjects: readonly string[]): Promise<number> {
  const rows = await query({
    name: 'lock-quota-subjects',
    text: 'select from backline.quota_subjects where subject = any ($1::text[]) order by subject for update',
    values: [textArray(subjects)],
  });
  return rows.length;
}

/** Adds missing subjects. Runs by itself, ahead of the transaction that locks them. */
export async function addSubjects({ query }: Queryable, subjects: readonly string[]): Promise<void> {
  await query({
    name: 'add-quota-subjects',
    text: `
      insert into backline.quota_subjects (subject)
      select subject from unnest($1::text[]) as g (subject) order by subject
      on conflict do nothing`,
    values: [textArray(subjects)],
  });
}
