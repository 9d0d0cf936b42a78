import { chooseMerges } from './choose-merge.ts';
import { forgetFields } from './former-fields.ts';
import { dropExpired, dropLogDays, mergeFiles, removeDropped } from './maintenance.ts';
import { type Progress, readFiles } from './manifest.ts';
import type { Leadership, RollUpParts } from './roll-up-parts.ts';
import type { LiveType } from './roll-window.ts';

/** Interval of the search for expired files and days. Merges run after each roll-up. */
const MAINTENANCE_MINUTES = 10;
/** Back-off of a type and day whose merge failed. */
const FAILED_MERGE_HOURS = 1;

/** The result of a roll-up, as far as maintenance needs it. */
interface RolledWindow {
  /** Types whose files were written. */
  readonly written: ReadonlySet<string>;
  readonly types: ReadonlyMap<string, LiveType>;
  readonly progress: Progress;
  readonly now: Temporal.Instant;
}

/** Merges new files and, at intervals, drops expired ones. */
export async function maintainDatasets(parts: RollUpParts, leader: Leadership, rolled: RolledWindow): Promise<void> {
  const { log, metrics, signal } = parts;
  const { written, progress, now } = rolled;
  const { connection, maintainedAt } = leader;
  const folder = { connection, directory: parts.directory };
  const due = maintainedAt === undefined || now.since(maintainedAt).total('minutes') >= MAINTENANCE_MINUTES;
  if (due) await dropOld(parts, leader, rolled);
  const files = due ? await readFiles(connection) : await readFiles(connection, [...written]);
  const { notMerged } = leader;
  for (const [key, until] of notMerged) if (Temporal.Instant.compare(until, now) <= 0) notMerged.delete(key);
  const chosen = chooseMerges(files, { completeUntil: progress.completeUntil, now }, (key) => notMerged.has(key));
  const { fewer, failed } = await mergeFiles(folder, chosen, now, signal);
  metrics.merged.inc(fewer);
  metrics.failedMerges.inc(failed.length);
  for (const { key, because } of failed) {
    notMerged.set(key, now.add({ hours: FAILED_MERGE_HOURS }));
    log.error({ files: key, because }, 'datasets: cannot merge files; they stay as they are');
  }
  if (due) leader.maintainedAt = now;
}

async function dropOld(
  { database, directory, log }: RollUpParts,
  { connection, noted }: Leadership,
  { types, progress, now }: RolledWindow,
): Promise<void> {
  const folder = { connection, directory };
  await dropExpired(folder, await readFiles(connection), types, now);
  await removeDropped(folder, now);
  for (const name of noted.keys()) if (!types.has(name)) noted.delete(name);
  await forgetFields(connection, types.keys());
  const days = await dropLogDays(database, progress, now);
  if (days.length > 0) log.info({ days }, 'roll-up: dropped days of the event log that are in files');
}
