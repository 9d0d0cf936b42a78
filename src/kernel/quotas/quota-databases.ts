import { randomUUID } from 'node:crypto';
import type { Refusal } from '#kernel/base/failures.ts';
import { quotaRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { openDatabase, type Database, type Queryable } from '#kernel/postgres/database.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import { untilAnswers } from '#kernel/postgres/wait.ts';

type Databases = readonly [Database, ...Database[]];

/** The databases that hold use. */
export interface QuotaDatabases {
  /** The order is permanent: subjects are assigned by position. */
  readonly all: Databases;
  /** Closes the databases that this call opened. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the databases that hold use. The main database records which ones and in which order, at the first use. Both
 * are permanent: a subject finds its counters by the position of its database.
 *
 * Refuses `quotas/database-twice`, and `quotas/other-databases` when the list differs from the recorded one.
 *
 * @param main has everything else, and use as well when no others are named
 * @param migrations of the schema of the others; only in the process that migrates the main one
 */
export async function openQuotaDatabases(parts: {
  readonly main: Database;
  readonly urls: readonly string[];
  readonly migrations: readonly Migration[] | undefined;
  readonly log: Log;
}): Promise<QuotaDatabases> {
  const { main, urls, migrations, log } = parts;
  const opened = urls.map(openDatabase);
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((database) => database.close()));
  };
  try {
    for (const database of opened) {
      await untilAnswers(database, log);
      if (migrations !== undefined) await migrate(database, migrations);
    }
    const [first = main, ...others] = opened;
    const all: Databases = [first, ...others];
    await requireSame(main, all);
    return { all, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function requireSame(main: Database, all: Databases): Promise<void> {
  const ids = await Promise.all(all.map(idOf));
  const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index);
  if (twice !== -1) {
    throw quotaRefusal(
      'database-twice',
      `Quota database number ${twice + 1} is the same as number ${ids.indexOf(ids[twice] ?? '') + 1}.`,
    );
  }
  // A read-only database has them on record.
  if ((await recordedIds(main)).join() === ids.join()) return;
  const own = await idOf(main);
  await main.transaction(async ({ query }) => {
    await query('lock table backline.quota_databases in exclusive mode');
    const before = await recordedIds({ query });
    if (before.join() === ids.join()) return;
    // Only for the main database can this show whether any use is recorded.
    const isFree = before.length === 0 || (before.join() === own && !(await hasUse({ query })));
    if (!isFree) throw otherDatabases(before, ids);
    await query('delete from backline.quota_databases');
    for (const [place, id] of ids.entries()) {
      await query({ text: 'insert into backline.quota_databases (place, id) values ($1, $2)', values: [place, id] });
    }
  });
}

/** The identity of a database, created at the first call. */
async function idOf(database: Queryable): Promise<string> {
  const known = await recordedId(database);
  if (known !== undefined) return known;
  await database.query({
    text: 'insert into backline.quota_identity (id) values ($1) on conflict do nothing',
    values: [randomUUID()],
  });
  const made = await recordedId(database);
  if (made === undefined) throw new Error('a quota database has no identity');
  return made;
}

async function recordedId({ query }: Queryable): Promise<string | undefined> {
  const [row] = await query<{ id: string }>('select id from backline.quota_identity');
  return row?.id;
}

async function recordedIds({ query }: Queryable): Promise<readonly string[]> {
  const rows = await query<{ id: string }>('select id from backline.quota_databases order by place');
  return rows.map(({ id }) => id);
}

async function hasUse({ query }: Queryable): Promise<boolean> {
  return (await query('select from backline.quota_subjects limit 1')).length > 0;
}

function otherDatabases(before: readonly string[], now: readonly string[]): Refusal {
  const known = now.map((id) => before.indexOf(id));
  const places = known.map((place) => (place === -1 ? 'a new one' : `number ${place + 1} of the earlier list`));
  return quotaRefusal(
    'other-databases',
    `Use is stored in ${before.length} ${before.length === 1 ? 'database' : 'databases'}, and this list differs: ${places.join(', ')}.`,
  );
}
