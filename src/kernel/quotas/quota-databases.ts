import { randomUUID } from 'node:crypto';
import type { Refusal } from '#kernel/base/failures.ts';
import { quotaRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { openDatabase, type Database, type Queryable } from '#kernel/postgres/database.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import { untilAnswers } from '#kernel/postgres/wait.ts';

type Databases = readonly [Database, ...Database[]];

/** Where use is kept. */
export interface QuotaDatabases {
  /** In the order that subjects are spread by. */
  readonly all: Databases;
  /** Closes those that were opened here. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the databases that use is spread over. Which ones, and in which order, is written down in the main one with the
 * first use, and holds from then on: by their number a subject finds its counters.
 *
 * Refuses `quotas/database-twice`, and `quotas/other-databases` when they are not those of before.
 *
 * @param main has everything else, and use as well when no others are named
 * @param migrations bring the schema of the others up to date, in the process that does so with that of the main one
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
      `Of the databases for use, number ${twice + 1} is the same as number ${ids.indexOf(ids[twice] ?? '') + 1}.`,
    );
  }
  const own = await idOf(main);
  await main.transaction(async ({ query }) => {
    await query('lock table backline.quota_databases in exclusive mode');
    const before = (await query<{ id: string }>('select id from backline.quota_databases order by place')).map(
      ({ id }) => id,
    );
    if (before.join() === ids.join()) return;
    // Only the main one can be asked here whether anything was used.
    const isFree = before.length === 0 || (before.join() === own && !(await hasUse({ query })));
    if (!isFree) throw otherDatabases(before, ids);
    await query('delete from backline.quota_databases');
    for (const [place, id] of ids.entries()) {
      await query({ text: 'insert into backline.quota_databases (place, id) values ($1, $2)', values: [place, id] });
    }
  });
}

/** What tells a database from all others, made when it is first asked for. */
async function idOf({ query }: Database): Promise<string> {
  await query({
    text: 'insert into backline.quota_identity (id) values ($1) on conflict do nothing',
    values: [randomUUID()],
  });
  const [row] = await query<{ id: string }>('select id from backline.quota_identity');
  if (row === undefined) throw new Error('a database for use has no identity');
  return row.id;
}

async function hasUse({ query }: Queryable): Promise<boolean> {
  return (await query('select from backline.quota_subjects limit 1')).length > 0;
}

function otherDatabases(before: readonly string[], now: readonly string[]): Refusal {
  const known = now.map((id) => before.indexOf(id));
  const places = known.map((place) => (place === -1 ? 'a new one' : `number ${place + 1} of before`));
  return quotaRefusal(
    'other-databases',
    `Use is spread over ${before.length} ${before.length === 1 ? 'database' : 'databases'}, and these are others: ${places.join(', ')}.`,
  );
}
