import type { Database, Queryable } from '#kernel/postgres/database.ts';
import type { Change } from '#kernel/store/contract.ts';

/** Columns that both sources have. */
interface RequestColumns {
  /** The version of a change, the number of an attempt: each source is ordered by it. */
  readonly number: number;
  readonly at: Temporal.Instant;
  readonly user: string;
  readonly requestId: string;
  /** JSON. */
  readonly caller: string;
  /** `Kind.id`. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface ChangeRow extends RequestColumns {
  readonly source: 'change';
  readonly type: Change['type'];
}

export interface AttemptRow extends RequestColumns {
  readonly source: 'attempt';
  readonly part: string;
  readonly dryRun: boolean;
  readonly code: number;
  readonly reason: string;
  /** The number of equal attempts of that day, and when the last one came. */
  readonly times: number;
  readonly lastAt: Temporal.Instant | null;
}

/** Conditions that both sources can look up. */
export interface RowFilter {
  readonly author?: string | undefined;
  readonly request_id?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** `Kind.id`s. */
  readonly kinds?: readonly string[] | undefined;
}

/** Changes by callers from outside, below a version, newest first. */
export async function changeRows(
  database: Database,
  filter: RowFilter,
  below: number,
  limit: number,
): Promise<readonly ChangeRow[]> {
  const { conditions, values } = conditionsOf(filter, 3);
  const rows = await database.query<Omit<ChangeRow, 'source'>>({
    text: `
      select version as number, at, author as "user", request_id as "requestId", caller, kind, namespace, name, type
      from backline.changes where caller <> '' and version < $1 ${conditions}
      order by version desc limit $2`,
    values: [below, limit, ...values],
  });
  return rows.map((row) => ({ source: 'change', ...row }));
}

/** Attempts below a number, newest first. */
export async function attemptRows(
  database: Database,
  filter: RowFilter,
  below: number,
  limit: number,
): Promise<readonly AttemptRow[]> {
  const { conditions, values } = conditionsOf(filter, 3);
  const rows = await database.query<Omit<AttemptRow, 'source'>>({
    text: `
      select number, at, author as "user", request_id as "requestId", caller, kind, namespace, name, part,
        dry_run as "dryRun", code, reason, times, last_at as "lastAt"
      from backline.attempts where number < $1 ${conditions}
      order by number desc limit $2`,
    values: [below, limit, ...values],
  });
  return rows.map((row) => ({ source: 'attempt', ...row }));
}

/** The texts of changes and of the version before each, as stored. */
export async function changedTexts(
  database: Database,
  versions: readonly number[],
): Promise<ReadonlyMap<number, { readonly before: string; readonly after: string }>> {
  const rows = await database.query<{ version: number; before: string; after: string }>({
    text: `
      select c.version, c.body as after, p.body as before
      from backline.changes c
      cross join lateral (
        select body from backline.changes b
        where b.kind = c.kind and b.namespace = c.namespace and b.name = c.name and b.version < c.version
        order by b.version desc limit 1
      ) p
      where c.version = any ($1::bigint[]) and c.type = 'MODIFIED'`,
    values: [versions],
  });
  return new Map(rows.map(({ version, before, after }) => [version, { before, after }]));
}

/** Drops attempts from before a moment. */
export async function dropAttempts(database: Queryable, before: Temporal.Instant): Promise<void> {
  await database.query({
    text: 'delete from backline.attempts where at < $1::timestamptz',
    values: [before.toString()],
  });
}

/** The filter as SQL whose parameters begin at `$first`. */
function conditionsOf(
  { kinds, ...columns }: RowFilter,
  first: number,
): { conditions: string; values: (string | readonly string[])[] } {
  const given = Object.entries(columns).flatMap(([column, value]) => (value === undefined ? [] : [{ column, value }]));
  const equal = given.map(({ column }, index) => `and ${column} = $${first + index}`);
  if (kinds === undefined) return { conditions: equal.join(' '), values: given.map(({ value }) => value) };
  return {
    conditions: [...equal, `and kind = any ($${first + given.length}::text[])`].join(' '),
    values: [...given.map(({ value }) => value), kinds],
  };
}
