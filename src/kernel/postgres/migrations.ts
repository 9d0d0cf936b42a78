import { Refusal } from '#kernel/base/failures.ts';
import { postgresRefusal } from './refusals.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { isReadOnlySession, operatorsError, type Database, type Queryable } from './database.ts';
import { ADVISORY_LOCKS } from './locks.ts';
import type { Migration } from './migrations/migration.ts';
import { resourceStore } from './migrations/0001-resource-store.ts';
import { access } from './migrations/0002-access.ts';
import { severalProcesses } from './migrations/0003-several-processes.ts';
import { events } from './migrations/0004-events.ts';
import { datasets } from './migrations/0005-datasets.ts';
import { quotas } from './migrations/0007-quotas.ts';
import { releaseCounts } from './migrations/0009-release-counts.ts';
import { releaseEvidence } from './migrations/0010-release-evidence.ts';
import { writes } from './migrations/0011-writes-20261129.ts';
import { recordReads } from './migrations/0012-record-reads-20261129.ts';
import { quarantine } from './migrations/0014-quarantine-20261129.ts';
import { attempts } from './migrations/0015-attempts-20261129.ts';
import { releaseAuthors } from './migrations/0016-release-authors-20261129.ts';
import { releaseCells } from './migrations/0017-release-cells-20261129.ts';
import { releaseClustering } from './migrations/0018-release-clustering-20261129.ts';
import { releaseCellsUntil } from './migrations/0019-release-cells-until-20261129.ts';
import { unfiledEvents } from './migrations/0020-unfiled-events-20261129.ts';
import { installation } from './migrations/0021-installation-20261129.ts';
import { datasetFields } from './migrations/0022-dataset-fields-20261129.ts';
import { writerBeat } from './migrations/0024-writer-beat-20261129.ts';

/** Those of the kernel. Modules have their own; all are applied in the one order of their numbers. */
export const KERNEL_MIGRATIONS: readonly Migration[] = [
  resourceStore,
  access,
  severalProcesses,
  events,
  datasets,
  quotas,
  releaseCounts,
  releaseEvidence,
  writes,
  recordReads,
  quarantine,
  attempts,
  releaseAuthors,
  releaseCells,
  releaseClustering,
  releaseCellsUntil,
  unfiledEvents,
  installation,
  datasetFields,
  writerBeat,
];

/**
 * Brings the schema `backline` up to date; several processes may do so at once. Refuses a database that a newer
 * version of the program has changed beyond what this one understands, and `postgres/read-only` where the schema is not up to
 * date and cannot be changed.
 *
 * @param migrations in the order of their numbers; one with a lower number than those applied is applied all the same, as
 *   when a module is added to a program
 */
export async function migrate(database: Database, migrations: readonly Migration[]): Promise<void> {
  try {
    await applyMissing(database, migrations);
  } catch (error) {
    if (!isReadOnlySession(error)) throw error;
    await requireCurrent(database, migrations);
  }
  await requireWhole(database);
}

async function applyMissing(database: Database, migrations: readonly Migration[]): Promise<void> {
  await database.patient.transaction(async ({ query }) => {
    await query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.migrations})`);
    await query('create schema if not exists backline');
    await query(`
      create table if not exists backline.migrations (
        number integer primary key,
        name text not null,
        needs integer not null,
        at timestamptz not null default now()
      )`);
    // Of what was applied; null in rows of programs that kept none.
    await query('alter table backline.migrations add column if not exists checksum text');
    await requireSame(query, migrations);
  });
  for (;;) {
    const done = await database.patient.transaction(async ({ query }) => {
      await query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.migrations})`);
      const applied = await query<{ number: number; needs: number }>('select number, needs from backline.migrations');
      requireOldEnough(applied, migrations);
      const numbers = new Set(applied.map(numberOf));
      const next = migrations.find(({ number }) => !numbers.has(number));
      if (next === undefined) return true;
      await applyStep(query, next);
      await query({
        text: 'insert into backline.migrations (number, name, needs, checksum) values ($1, $2, $3, $4)',
        values: [next.number, next.name, next.needs, checksumOf(next)],
      });
      return false;
    });
    if (done) return;
  }
}

function requireOldEnough(
  applied: readonly { readonly number: number; readonly needs: number }[],
  migrations: readonly Migration[],
): void {
  const known = migrations.at(-1)?.number ?? 0;
  const needs = Math.max(0, ...applied.map((one) => one.needs));
  if (needs <= known) return;
  throw postgresRefusal(
    'schema-too-new',
    `The database has schema ${Math.max(...applied.map(numberOf))}, which needs a program that knows at least schema ${needs}; ` +
      `this one knows ${known}.`,
  );
}

/** Reads whether a database that takes no writes has the whole schema of this program. */
async function requireCurrent({ query }: Database, migrations: readonly Migration[]): Promise<void> {
  const [table] = await query<{ name: string | null }>("select to_regclass('backline.migrations')::text as name");
  // Old programs had no column for the checksum.
  const applied =
    (table?.name ?? null) === null
      ? []
      : await query<AppliedMigration & { readonly needs: number }>(
          "select number, name, needs, to_jsonb(m) ->> 'checksum' as checksum from backline.migrations m order by number",
        );
  requireOldEnough(applied, migrations);
  for (const one of applied) requireOwn(one, migrations);
  const numbers = new Set(applied.map(numberOf));
  const missing = migrations.filter(({ number }) => !numbers.has(number));
  const [first] = missing;
  if (first === undefined) return;
  const steps = `${missing.length} ${missing.length === 1 ? 'step' : 'steps'}`;
  throw postgresRefusal(
    'read-only',
    `The database is read-only and its schema lacks ${steps}, from ${first.number} (${first.name}) on.`,
  );
}

async function applyStep(query: Queryable['query'], { number, name, sql }: Migration): Promise<void> {
  try {
    await query(sql);
  } catch (error) {
    const refusal = operatorsError(error);
    if (refusal instanceof Refusal) throw refusal;
    const why = error instanceof Error ? error.message : String(error);
    throw postgresRefusal('migration-failed', `Step ${number} (${name}) of the schema cannot be applied: ${why}.`);
  }
}

function numberOf({ number }: { readonly number: number }): number {
  return number;
}

/** Tells one text of a migration from any other. */
export function checksumOf({ sql }: Migration): string {
  return contentHash(sql);
}

/**
 * Refuses a database that a program with other migrations has changed: what this one takes for granted may not be there.
 * Rows of programs that kept no checksum get the one of this program.
 */
async function requireSame(query: Queryable['query'], migrations: readonly Migration[]): Promise<void> {
  const applied = await query<AppliedMigration>(
    'select number, name, checksum from backline.migrations order by number',
  );
  for (const one of applied) {
    const own = requireOwn(one, migrations);
    if (own === undefined || one.checksum !== null) continue;
    await query({
      text: 'update backline.migrations set checksum = $2 where number = $1',
      values: [one.number, checksumOf(own)],
    });
  }
}

interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  /** Null in rows of programs that kept none. */
  readonly checksum: string | null;
}

/** The migration of this program under the number of an applied one. Refuses one that is not the same. */
function requireOwn(
  { number, name, checksum }: AppliedMigration,
  migrations: readonly Migration[],
): Migration | undefined {
  const own = migrations.find((one) => one.number === number);
  if (own === undefined || checksum === null || checksum === checksumOf(own)) return own;
  throw postgresRefusal(
    'other-migration',
    `The database was changed by the migration ${number} "${name}" of another program; the ${number} of this one is "${own.name}", and not the same.`,
  );
}

/** Some tables that have a primary key. Keys come last in a restore: where one is missing, others are too. */
const WITH_KEY = ['objects', 'changes', 'revisions', 'quota_counters', 'quota_operations', 'subscriptions'];

/** Refuses a schema of which only a part is there: a restore that ended in the middle has tables, and no keys yet. */
async function requireWhole(database: Database): Promise<void> {
  const lacking = await database.query<{ name: string }>({
    text: `
      select c.relname as name from pg_class c
      where c.relnamespace = 'backline'::regnamespace and c.relname = any ($1::text[])
        and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
      order by c.relname`,
    values: [WITH_KEY],
  });
  if (lacking.length === 0) return;
  throw postgresRefusal(
    'not-whole',
    `Part of the schema "backline" is missing: ${lacking.map(({ name }) => name).join(', ')} have no primary key.`,
  );
}
