import type { Database } from '#kernel/postgres/database.ts';
import type { CounterUse, UseRequest } from '../rules/contract.ts';

/** Counters of a subject as of one moment, in the order of bucket and window. One statement: none of it is of another moment. */
export async function listUse({ query }: Database, request: UseRequest): Promise<readonly CounterUse[]> {
  const { subject, after, rowsMax, slicesOf } = request;
  return query<CounterUse>({
    name: 'list-quota-use',
    text: `
      with counters as (
        select bucket, window_key, used from backline.quota_counters
        where subject = $1 and (bucket, window_key) > ($2, $3)
        order by bucket, window_key limit $4
      ), slices as (
        select h.key, line.bucket, line."window" as window_key, line.amount
        from backline.quota_holds h
        cross join jsonb_to_recordset(h.lines::jsonb) as line (bucket text, "window" text, amount bigint)
        where h.subject = $1 and h.state = 'held' and h.kind = 'slice'
      )
      select c.bucket, c.window_key as window, c.used, coalesce(sum(s.amount), 0)::bigint as reserved,
        coalesce(jsonb_agg(s.key) filter (where s.key is not null and starts_with(c.bucket, $5)), '[]') as slices
      from counters c left join slices s using (bucket, window_key)
      group by c.bucket, c.window_key, c.used order by c.bucket, c.window_key`,
    values: [subject, after?.bucket ?? '', after?.window ?? '', rowsMax, slicesOf],
  });
}
