import { contentHash } from '#kernel/base/ids.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { RecordWrite } from './contract.ts';

/** Minimum lifetime of a key, equal to that of use keys. */
const KEPT_DAYS = 32;

interface WriteRow {
  readonly fingerprint: string;
  readonly answer: object | null;
}

/**
 * Runs work once per key. A repetition waits while the first runs, and gets its answer. Refuses
 * `http/key-reused` for another request under the key. A refused request leaves its key free.
 *
 * @param now replaces the database time
 *
 * @param listeners the affected listeners: erasing one of them removes the answer
 */
export async function writeOnce<Result extends object>(
  { query }: Queryable,
  { path, key, request }: RecordWrite,
  { listeners, now }: { readonly listeners: ReadonlySet<string>; readonly now: Temporal.Instant | undefined },
  work: () => Promise<Result>,
): Promise<Result> {
  const fingerprint = contentHash(request);
  const begun = await query({
    text: `insert into backline.record_writes (path, key, fingerprint, at, listeners)
      values ($1, $2, $3, coalesce($4::timestamptz, now()), '{}') on conflict do nothing returning 1`,
    values: [path, key, fingerprint, now?.toString() ?? null],
  });
  if (begun.length === 0) {
    const [first] = await query<WriteRow>({
      text: 'select fingerprint, answer from backline.record_writes where path = $1 and key = $2',
      values: [path, key],
    });
    if (first === undefined || first.answer === null) throw new Error(`the write "${key}" has no answer`);
    if (first.fingerprint !== fingerprint && first.fingerprint !== '') throw keyReused(path, key);
    return first.answer as Result;
  }
  const result = await work();
  await query({
    text: 'update backline.record_writes set answer = $3, listeners = $4 where path = $1 and key = $2',
    values: [path, key, JSON.stringify(result), [...listeners]],
  });
  return result;
}

/** Removes expired answers; returns their number. */
export async function tidyWrites({ query }: Queryable, now: Temporal.Instant | undefined): Promise<number> {
  const [row] = await query<{ count: number }>({
    text: `with gone as (
        delete from backline.record_writes
        where at < coalesce($1::timestamptz, now()) - interval '${KEPT_DAYS} days' returning 1
      ) select count(*) from gone`,
    values: [now?.toString() ?? null],
  });
  return row?.count ?? 0;
}

function keyReused(path: string, key: string): Refusal {
  return httpRefusal('key-reused', `The key "${key}" named another request to ${path} before.`);
}
