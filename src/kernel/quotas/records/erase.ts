import type { Database } from '#kernel/postgres/database.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import { namesBelow } from '../rules/subject-name.ts';
import { ledgerText, parseLedgerText } from './ledger-text.ts';
import { lockSubjects } from './lock-subjects.ts';

const TABLES = ['quota_counters', 'quota_operations', 'quota_holds', 'quota_slots', 'quota_subjects'] as const;

/** The stored subject and the stored subjects below it. Every record of a subject has a row in `quota_subjects`. */
export async function subjectsFrom({ query }: Database, subject: string): Promise<readonly string[]> {
  const rows = await query<{ subject: string }>({
    text: 'select subject from backline.quota_subjects where subject = $1 or starts_with(subject, $2) order by subject',
    values: [subject, namesBelow(subject)],
  });
  return rows.map((row) => row.subject);
}

/**
 * Removes all records of a subject in one transaction, after the running decision. Receipts of other subjects lose its
 * name and its lines; their ledger rows stay.
 */
export function eraseSubject(database: Database, subject: string): Promise<number> {
  return database.transaction(async (connection) => {
    const { query } = connection;
    // Subjects whose receipts name each other would deadlock on each other's operations.
    await query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.quotaErasure})`);
    await lockSubjects(connection, [subject]);
    // In the lock order of all transactions.
    await query({
      text: 'select from backline.quota_counters where subject = $1 order by id for update',
      values: [subject],
    });
    let erased = 0;
    for (const table of TABLES) {
      const [row] = await query<{ count: number }>({
        text: `with gone as (delete from backline.${table} where subject = $1 returning 1) select count(*) from gone`,
        values: [subject],
      });
      erased += row?.count ?? 0;
    }
    const others = await query<{ subject: string; key: string; answer: string }>({
      text: `
        select subject, key, answer from backline.quota_operations
        where others is not null and others @> array[$1] order by subject, key for update`,
      values: [subject],
    });
    for (const { subject: other, key, answer } of others) {
      const entry = parseLedgerText(other, answer);
      const receipt = entry.answer.receipt.filter((line) => line.subject !== subject);
      const text = ledgerText({ ...entry, subject: other, answer: { ...entry.answer, receipt } });
      await query({
        text: `
          update backline.quota_operations set answer = $3, others = array_remove(others, $4)
          where subject = $1 and key = $2`,
        values: [other, key, text, subject],
      });
    }
    return erased + others.length;
  });
}
