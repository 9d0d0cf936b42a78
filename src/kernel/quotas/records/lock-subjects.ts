import { textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';

/**
 * Takes the subjects for this transaction, always in the same order, so that two transactions wait for each other only
 * one way. Gives how many of them there are; those that are not are locked by nobody.
 */
export async function lockSubjects({ query }: Queryable, subjects: readonly string[]): Promise<number> {
  const rows = await query({
    name: 'lock-quota-subjects',
    text: 'select from backline.quota_subjects where subject = any ($1::text[]) order by subject for update',
    values: [textArray(subjects)],
  });
  return rows.length;
}

/** Makes those that are not there yet. By itself, ahead of the transaction that locks them. */
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
