import type { Clock } from '#kernel/base/clock.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { allMissing } from './files.ts';
import type { Reads, Tables } from './jobs.ts';
import { type DatasetFile, type Progress, readFiles, readProgress } from './manifest.ts';
import { type Catalogue, namesOf, viewsOf } from './sql-views.ts';
import { auditFrom, lossAuditSetup, missingBatchesSetup, watermarksSetup } from './system-views.ts';

/** Reads the tables of a query in one database snapshot. */
export async function queryTables(
  { database, directory, clock }: { readonly database: Database; readonly directory: string; readonly clock: Clock },
  { names, lists }: Reads,
  catalogue: Catalogue,
): Promise<{ readonly tables: Tables; readonly progress: Progress }> {
  return database.transaction(async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only');
    const progress = await readProgress(connection);
    const read = namesOf(names, catalogue);
    const files = await readFiles(connection, [...read.eventTypes]);
    const audited: DatasetFile[] = [];
    const system: string[] = [];
    if (names.includes('watermarks')) system.push(...(await watermarksSetup(connection, catalogue, progress, clock())));
    if (names.includes('missing_batches')) {
      system.push(...(await missingBatchesSetup(connection, auditFrom(clock()))));
    }
    if (names.includes('loss_audit')) {
      const from = auditFrom(clock());
      const all = await readFiles(connection);
      // A file holds no events that were received after it was written.
      const late = all.filter(({ createdAt }) => Temporal.Instant.compare(createdAt, from) >= 0);
      // Rows of a missing file are lost, which is what the audit reports.
      const missing = await allMissing(
        directory,
        late.map(({ path }) => path),
      );
      audited.push(...late.filter(({ path }) => !missing.has(path)));
      system.push(...(await lossAuditSetup(connection, audited, progress, from)));
    }
    const { setup, datasets } = viewsOf(read, lists, catalogue, files);
    const paths = new Set([...files, ...audited].map(({ path }) => path));
    return { tables: { files: [...paths], setup: [...setup, ...system], datasets }, progress };
  });
}
