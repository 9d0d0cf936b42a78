import type { Clock } from '#kernel/base/clock.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { touch } from './touch.ts';

/** An open transaction on records. */
export interface RecordTransaction extends Queryable {
  /** Database time, read after the locks are taken. */
  readonly now: () => Promise<Temporal.Instant>;
  /** Increments the versions of these listeners and notifies every process. */
  readonly touch: (listeners: readonly string[]) => Promise<void>;
  /** Writes the audit entry. */
  readonly note: (listeners: readonly string[], action: string, detail: object) => Promise<void>;
}

/** Runs work in record transactions; calls `changed` with the affected listeners after the commit. */
export function recordTransactions(
  database: Database,
  clock: Clock | undefined,
  changed: (listeners: readonly string[]) => void,
): <Result>(
  work: (transaction: RecordTransaction, touched: ReadonlySet<string>) => Promise<Result>,
  by?: string,
) => Promise<Result> {
  return async (work, by = 'system') => {
    const touched = new Set<string>();
    const result = await database.transaction(({ query: ask }) => {
      // A connection runs one statement at a time.
      let last: Promise<unknown> = Promise.resolve();
      const query: Queryable['query'] = (statement) => {
        const next = last.then(() => ask<never>(statement));
        last = next.catch(() => {});
        return next;
      };
      let at: Promise<Temporal.Instant> | undefined;
      const now = () => (at ??= timeOf({ query }, clock));
      const transaction: RecordTransaction = {
        query,
        now,
        touch: async (listeners) => {
          listeners.forEach((listener) => touched.add(listener));
          await touch({ query }, listeners);
        },
        note: async (listeners, action, detail) => note({ query }, listeners, { by, at: await now(), action, detail }),
      };
      return work(transaction, touched);
    });
    changed([...touched]);
    return result;
  };
}

async function timeOf({ query }: Queryable, clock: Clock | undefined): Promise<Temporal.Instant> {
  if (clock !== undefined) return clock();
  const [row] = await query<{ at: Temporal.Instant }>('select clock_timestamp() as at');
  if (row === undefined) throw new Error('the database has no time');
  return Temporal.Instant.fromEpochMilliseconds(row.at.epochMilliseconds);
}

async function note(
  { query }: Queryable,
  listeners: readonly string[],
  { by, at, action, detail }: { by: string; at: Temporal.Instant; action: string; detail: object },
): Promise<void> {
  await query({
    text: `insert into backline.subject_changes (at, listener, author, action, detail)
      select $1, listener, $2, $3, $4 from unnest($5::text[]) as l (listener)`,
    values: [at.toString(), by, action, JSON.stringify(detail), [...new Set(listeners)]],
  });
}
