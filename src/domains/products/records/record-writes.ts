import { contentHash } from '#kernel/base/ids.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import type { RecordWrite } from './contract.ts';

/** How long a key is good for at least: as long as those of use. */
const KEPT_DAYS = 32;

interface WriteRow {
  readonly fingerprint: string;
  readonly answer: object | null;
}

/**
 * Does something once in the life of its key: who sends the same again is given the first answer, and waits for it while
 * it is under way. Refuses `http/key-reused` when something else was asked under the key. What is refused has not
 * happened, and its key is free.
 *
 * @param now instead of the time of the database
 * @param listeners whom the work was about: the answer goes when one of them is erased
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

/** Removes answers that are too old to be given again; gives how many. */
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
