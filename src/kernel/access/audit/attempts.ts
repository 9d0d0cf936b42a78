import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { textArray } from '#kernel/postgres/arrays.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Attempt } from '#kernel/resources/api/authority.ts';
import type { Author } from '#kernel/resources/store-contract.ts';

const LIMITS = {
  /** Attempts that wait for the database; while it is away, more than these are only in the log. */
  waitingMax: 10_000,
  /** Rows of one statement. */
  batchMax: 500,
  nameCharsMax: 1_000,
} as const;

/** Keeps attempts that changed nothing; changes are on record with the change itself. */
export interface AttemptLog {
  /** Resolves when the attempt is durable, or could not be kept: then it is in the log. */
  readonly keep: (author: Author, attempt: Attempt) => Promise<void>;
  /** Resolves when everything given so far is kept. */
  readonly settled: () => Promise<void>;
}

interface Waiting {
  readonly at: Temporal.Instant;
  readonly author: Author;
  readonly attempt: Attempt;
  readonly done: () => void;
}

/** Writes in batches: while one is on its way, the next gathers. */
export function attemptLog(database: Database, clock: Clock, log: Log): AttemptLog {
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    // What came in the same turn goes out together.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.slice(0, LIMITS.batchMax);
      waiting = waiting.slice(LIMITS.batchMax);
      try {
        await insert(database, batch);
      } catch (error) {
        log.error({ err: error, attempts: batch.map(inLog) }, 'attempts to write could not be put on record');
      }
      for (const { done } of batch) done();
    }
    writing = undefined;
  }

  return {
    keep: (author, attempt) =>
      new Promise<void>((done) => {
        const item = { at: clock(), author, attempt, done };
        if (waiting.length >= LIMITS.waitingMax) {
          log.error({ attempts: [inLog(item)] }, 'an attempt to write could not be put on record');
          return done();
        }
        waiting.push(item);
        writing ??= writeAll();
      }),
    settled: async () => writing,
  };
}

function inLog({ at, author, attempt }: Waiting): object {
  const { kind, ...rest } = attempt;
  return { at: at.toString(), user: author.user, requestId: author.requestId, kind: kind.id, ...rest };
}

async function insert(database: Database, batch: readonly Waiting[]): Promise<void> {
  const texts = (read: (item: Waiting) => string) => textArray(batch.map(read));
  await database.query({
    name: 'keep-attempts',
    text: `
      insert into backline.attempts
        (at, request_id, author, caller, kind, part, namespace, name, dry_run, code, reason)
      select at::timestamptz, request_id, author, caller, kind, part, namespace, name, dry_run::boolean, code::integer,
        reason
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[])
        as a (at, request_id, author, caller, kind, part, namespace, name, dry_run, code, reason)`,
    values: [
      texts(({ at }) => at.toString()),
      texts(({ author }) => author.requestId),
      texts(({ author }) => author.user),
      texts(({ author }) => JSON.stringify(author.caller ?? {})),
      texts(({ attempt }) => attempt.kind.id),
      texts(({ attempt }) => attempt.part),
      texts(({ attempt }) => storable(attempt.namespace)),
      texts(({ attempt }) => storable(attempt.name)),
      texts(({ attempt }) => String(attempt.dryRun)),
      texts(({ attempt }) => String(attempt.code)),
      texts(({ attempt }) => attempt.reason),
    ],
  });
}

/** Names of refused requests may be anything, also what the database cannot hold. */
function storable(text: string): string {
  return text.slice(0, LIMITS.nameCharsMax).toWellFormed().replaceAll('\0', '\uFFFD');
}
