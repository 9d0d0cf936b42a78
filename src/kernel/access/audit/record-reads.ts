import { accessRefusal } from '#kernel/access/refusals.ts';
import { badContinue } from '#kernel/api/list.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import type { VirtualList } from '#kernel/api/virtual.ts';
import { requiredValues, selectionOf } from '#kernel/api/selection.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { RecordRead, type RecordReadSpec } from '../kinds/record-read.ts';

const LIMITS = {
  /** Listeners and paths that are named for one reader and day: 2 MB, and more than a support agent handles. */
  namedMax: 10_000,
  /** Reads of one page, also when the caller asks for more. */
  pageMax: 500,
} as const;

/** A read of a listener's records, by `user:NAME` or `client:NAME`. */
interface Read {
  readonly by: string;
  readonly listener: string;
  readonly path: string;
  /** Refuses reads beyond the limit of a person; otherwise they are counted. */
  readonly isBounded: boolean;
}

/**
 * Records reads before their answers, one row for a day, reader, listener and path. A user at the limit is refused
 * until the next day; further reads of Clients and administrators are counted.
 */
export function keepReads(
  database: Database,
  clock: Clock,
  limits: { readonly namedMax: number } = LIMITS,
): (read: Read) => Promise<void> {
  return async ({ by, listener, path, isBounded }) => {
    if (await keep(by, listener, path, limits.namedMax)) return;
    if (!isBounded) return void (await keep(by, '', path, Number.MAX_SAFE_INTEGER));
    throw accessRefusal(
      'too-many-records',
      `User "${by.slice('user:'.length)}" read the records of ${limits.namedMax} listeners today, which is the limit.`,
    );
  };

  async function keep(by: string, listener: string, path: string, namedMax: number): Promise<boolean> {
    const rows = await database.query<{ times: number }>({
      name: 'keep-record-read',
      text: `
        insert into backline.record_reads as kept (day, reader, listener, path, times, first_at, last_at)
        select ($1::timestamptz at time zone 'UTC')::date, $2, $3, $4, 1, $1::timestamptz, $1::timestamptz
        where (
          select count(*) from backline.record_reads
          where day = ($1::timestamptz at time zone 'UTC')::date and reader = $2
        ) < $5 or exists (
          select 1 from backline.record_reads
          where day = ($1::timestamptz at time zone 'UTC')::date and reader = $2 and listener = $3 and path = $4
        )
        on conflict (day, reader, listener, path)
        do update set times = kept.times + 1, last_at = greatest(kept.last_at, excluded.last_at)
        returning times`,
      values: [clock().toString(), by, listener, path, namedMax],
    });
    return rows.length > 0;
  }
}

/** Drops reads from before a moment. */
export async function dropReads(database: Queryable, before: Temporal.Instant): Promise<void> {
  await database.query({
    text: `delete from backline.record_reads where day < ($1::timestamptz at time zone 'UTC')::date`,
    values: [before.toString()],
  });
}

/** Erases the reads of a listener's records; gives how many rows. */
export async function eraseReads(database: Database, listener: string): Promise<number> {
  const rows = await database.query({
    text: 'delete from backline.record_reads where listener = $1 returning number',
    values: [listener],
  });
  return rows.length;
}

/** Lists the reads, the last started first. */
export function recordReads(database: Database, version: () => number): VirtualList {
  return async (target, query) => {
    const { matches } = selectionOf(RecordRead, query, target.name);
    const wanted = requiredValues(query.fieldSelector);
    const limit = Math.min(query.limit === 0 ? LIMITS.pageMax : query.limit, LIMITS.pageMax);
    const below = target.name === undefined ? belowOf(query.continueToken) : numberOf(target.name) + 1;
    const rows = await database.query<RecordReadSpec & { number: number }>({
      text: `
        select number, day::text, reader, listener, path, times, first_at as "firstAt", last_at as "lastAt"
        from backline.record_reads
        where number < $1 and ($2::text is null or reader = $2) and ($3::text is null or listener = $3)
        order by number desc limit $4`,
      values: [
        below,
        wanted.get('reader') ?? null,
        wanted.get('listener') ?? null,
        target.name === undefined ? limit : 1,
      ],
    });
    const last = rows.at(-1);
    return {
      version: version(),
      entries: rows.map(entryOf).filter(matches),
      continueToken:
        target.name === undefined && last !== undefined && rows.length === limit ? String(last.number) : undefined,
      remaining: undefined,
    };
  };
}

function entryOf({ number, firstAt, lastAt, ...rest }: RecordReadSpec & { readonly number: number }): Entry {
  const name = `read-${number}`;
  const spec: RecordReadSpec = { ...rest, firstAt: String(firstAt), lastAt: String(lastAt) };
  const object = {
    apiVersion: RecordRead.apiVersion,
    kind: RecordRead.kind,
    metadata: { name, uid: name, creationTimestamp: spec.firstAt },
    spec,
  };
  return textEntry(RecordRead, object, 0);
}

const NAME = /^read-(\d{1,15})$/;

function numberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? -1);
}

function belowOf(token: string): number {
  if (token === '') return Number.MAX_SAFE_INTEGER;
  if (/^\d{1,15}$/.test(token)) return Number(token);
  throw badContinue();
}
