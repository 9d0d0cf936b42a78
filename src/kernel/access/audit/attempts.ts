import { hash } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { textArray } from '#kernel/postgres/arrays.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Attempt } from '#kernel/api/authority.ts';
import type { Author } from '#kernel/store/contract.ts';

const LIMITS = {
  /** Attempts in the queue of the database; during an outage, further ones are only in the log. */
  waitingMax: 10_000,
  /** Rows of one statement. */
  batchMax: 500,
  nameCharsMax: 1_000,
  /** Different attempts of one user and day that are named; with rows of 2 kB, 60 MB in 30 days. */
  namedMax: 1_000,
} as const;

/** The reason of the row that counts further attempts of one user and day. */
const NOT_NAMED = 'audit/not-named';

/** Records attempts that changed nothing; the history records changes. */
export interface AttemptLog {
  /** Resolves when the attempt is durable, or in the log because the database failed. */
  readonly keep: (author: Author, attempt: Attempt) => Promise<void>;
  /** Resolves when all earlier attempts are durable or in the log. */
  readonly flush: () => Promise<void>;
}

interface Waiting {
  readonly at: Temporal.Instant;
  readonly author: Author;
  readonly attempt: Attempt;
  readonly resolve: () => void;
}

/** Writes in batches: while one batch is in flight, the next one collects. */
export function attemptLog(
  database: Database,
  clock: Clock,
  log: Log,
  limits: { readonly namedMax: number } = LIMITS,
): AttemptLog {
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    // Attempts of one turn form one batch.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.slice(0, LIMITS.batchMax);
      waiting = waiting.slice(LIMITS.batchMax);
      try {
        await insert(database, batch, limits.namedMax);
      } catch (error) {
        log.error({ err: error, attempts: batch.map(inLog) }, 'audit: cannot record refused attempts');
      }
      for (const { resolve } of batch) resolve();
    }
    writing = undefined;
  }

  return {
    keep: (author, attempt) =>
      new Promise<void>((resolve) => {
        const item = { at: clock(), author, attempt, resolve };
        if (waiting.length >= LIMITS.waitingMax) {
          log.error({ attempts: [inLog(item)] }, 'audit: cannot record a refused attempt');
          return resolve();
        }
        waiting.push(item);
        writing ??= writeAll();
      }),
    flush: async () => writing,
  };
}

function inLog({ at, author, attempt }: Waiting): object {
  const { kind, ...rest } = attempt;
  return { at: at.toString(), user: author.user, requestId: author.requestId, kind: kind.id, ...rest };
}

interface Row {
  readonly first: Waiting;
  readonly alike: string;
  times: number;
  lastAt: Temporal.Instant;
}

/** One row for each attempt, or for equal attempts of one user and day. */
function rowsOf(batch: readonly Waiting[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const [index, item] of batch.entries()) {
    const alike = alikeOf(item);
    const key = alike === '' ? String(index) : `${dayOf(item.at)} ${alike} ${item.author.user}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { first: item, alike, times: 1, lastAt: item.at });
    else {
      row.times += 1;
      row.lastAt = item.at;
    }
  }
  return [...rows.values()];
}

/**
 * A digest of the properties that equal attempts share; empty for an attempt with an effect, like a token or an answer.
 */
function alikeOf({ author, attempt }: Waiting): string {
  const { kind, part, namespace, name, dryRun, code, reason } = attempt;
  if (code === CREATED && !dryRun) return '';
  const { address = '', verb = '' } = author.caller ?? {};
  const of = [address, verb, kind.id, part, namespace, name, dryRun, code, reason];
  return hash('sha256', JSON.stringify(of), 'base64url').slice(0, ALIKE_CHARS);
}

const CREATED = 201;
const ALIKE_CHARS = 22;

function dayOf(at: Temporal.Instant): string {
  return at.toString().slice(0, 'YYYY-MM-DD'.length);
}

async function insert(database: Database, batch: readonly Waiting[], namedMax: number): Promise<void> {
  const rows = rowsOf(batch);
  const texts = (read: (row: Row) => string) => textArray(rows.map(read));
  await database.query({
    name: 'keep-attempts',
    text: `
      with given as (
        select day::date, at::timestamptz, last_at::timestamptz, times::bigint, alike, request_id, author, caller, kind,
          part, namespace, name, dry_run::boolean, code::integer, reason
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
          $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
          as a (day, at, last_at, times, alike, request_id, author, caller, kind, part, namespace, name, dry_run, code,
            reason)
      ), named as (
        select day, author, count(*) as attempts from backline.attempts
        where (day, author) in (select day, author from given where alike <> '') and alike <> '' group by day, author
      ), placed as (
        select g.*, g.alike = '' or exists (
          select from backline.attempts k where k.day = g.day and k.author = g.author and k.alike = g.alike and k.alike <> ''
        ) or coalesce(n.attempts, 0)
          + row_number() over (partition by g.day, g.author, g.alike = '' order by g.at) <= $16::bigint as is_named
        from given g left join named n using (day, author)
      )
      insert into backline.attempts as kept
        (day, at, last_at, times, alike, request_id, author, caller, kind, part, namespace, name, dry_run, code, reason)
      select day, at, last_at, times, alike, request_id, author, caller, kind, part, namespace, name, dry_run, code, reason
      from placed where is_named
      union all
      select day, min(at), max(last_at), sum(times)::bigint, '${NOT_NAMED}', '', author, '{}', '', '', '', '', false, 0,
        '${NOT_NAMED}'
      from placed where not is_named group by day, author
      on conflict (day, author, alike) where alike <> ''
      do update set times = kept.times + excluded.times, last_at = greatest(kept.last_at, excluded.last_at)`,
    values: [
      texts(({ first }) => dayOf(first.at)),
      texts(({ first }) => first.at.toString()),
      texts(({ lastAt }) => lastAt.toString()),
      texts(({ times }) => String(times)),
      texts(({ alike }) => alike),
      texts(({ first }) => first.author.requestId),
      texts(({ first }) => first.author.user),
      texts(({ first }) => JSON.stringify(first.author.caller ?? {})),
      texts(({ first }) => first.attempt.kind.id),
      texts(({ first }) => first.attempt.part),
      texts(({ first }) => storable(first.attempt.namespace)),
      texts(({ first }) => storable(first.attempt.name)),
      texts(({ first }) => String(first.attempt.dryRun)),
      texts(({ first }) => String(first.attempt.code)),
      texts(({ first }) => first.attempt.reason),
      namedMax,
    ],
  });
}

/** Names of refused requests may hold any characters, also ones that the database cannot store. */
function storable(text: string): string {
  return text.slice(0, LIMITS.nameCharsMax).toWellFormed().replaceAll('\0', '\uFFFD');
}
