import { textArray } from '#kernel/postgres/arrays.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { EndedSlice } from '../rules/contract.ts';

/**
 * Marks the slices of these buckets as recalled; gives how many nodes may return units. Needs no lock on the subject:
 * it changes no count.
 */
export async function recallSlices(
  { query }: Database,
  { subject, buckets, node }: { readonly subject: string; readonly buckets: readonly string[]; readonly node: string },
  now: Temporal.Instant | undefined,
): Promise<number> {
  const rows = await query({
    name: 'recall-quota-slices',
    text: `
      update backline.quota_holds set recalled_at = coalesce(recalled_at, now())
      where subject = $1 and state = 'held' and kind = 'slice'
        and exists (select from jsonb_array_elements(lines::jsonb) as line where line ->> 'bucket' = any ($2::text[]))
        and (owner = $3 or expires_at > coalesce($4::timestamptz, now()))
      returning 1`,
    values: [subject, textArray(buckets), node, now?.toString() ?? null],
  });
  return rows.length;
}

/** Keys of the slices of a node that others wait for. */
export async function readRecalledSlices({ query }: Database, node: string): Promise<readonly string[]> {
  const rows = await query<{ key: string }>({
    name: 'recalled-quota-slices',
    text: `
      select key from backline.quota_holds
      where owner = $1 and state = 'held' and kind = 'slice' and recalled_at is not null`,
    values: [node],
  });
  return rows.map(({ key }) => key);
}

/** Slices of which no unit can be settled any more; the oldest first. */
export async function readEndedSlices(
  { query }: Database,
  now: Temporal.Instant | undefined,
): Promise<readonly EndedSlice[]> {
  return query<EndedSlice>({
    text: `
      select subject, key, owner as node, amount from backline.quota_holds
      where state = 'held' and kind = 'slice' and expires_at <= coalesce($1::timestamptz, now())
      order by expires_at limit 1000`,
    values: [now?.toString() ?? null],
  });
}
