import { noteProgress, requireClaimed } from './claim-folder.ts';
import type { RollAnswer } from './jobs.ts';
import { maintainDatasets } from './maintain-datasets.ts';
import { readProgress } from './manifest.ts';
import { nextWindow } from './next-window.ts';
import type { Leadership, RollUpParts } from './roll-up-parts.ts';
import { type LiveType, rollWindow } from './roll-window.ts';

export interface RollUpResult {
  readonly rows: number;
  readonly files: number;
  /** Everything that was received before is in files. */
  readonly completeUntil: Temporal.Instant;
}

/** Rolls the whole log, in as many windows as needed. */
export async function rollUp(
  parts: RollUpParts,
  leader: Leadership,
  types: ReadonlyMap<string, LiveType>,
): Promise<RollUpResult> {
  await requireClaimed(parts.directory, leader.installation);
  let result = await rollOnce(parts, leader, types);
  while (!result.isWhole) {
    const { rows, files } = result;
    const next = await rollOnce(parts, leader, types);
    result = { ...next, rows: rows + next.rows, files: files + next.files };
  }
  return result;
}

/** Rolls one window: the whole log, or a part after a failure. */
async function rollOnce(
  parts: RollUpParts,
  leader: Leadership,
  types: ReadonlyMap<string, LiveType>,
): Promise<RollUpResult & { readonly isWhole: boolean }> {
  const { database, directory, clock, metrics, signal } = parts;
  const { connection } = leader;
  const before = await readProgress(connection);
  const now = clock();
  const [seen] = await connection.query<{ xmin: string; xmax: string }>(
    'select pg_snapshot_xmin(s)::text as xmin, pg_snapshot_xmax(s)::text as xmax from pg_current_snapshot() s',
  );
  if (seen === undefined) throw new Error('PostgreSQL gave no snapshot');
  const xmin = BigInt(seen.xmin);
  const complete = leader.watermark.advance({ at: now, xmin, xmax: BigInt(seen.xmax) });
  const { after, span, isWhole } = nextWindow(before, { xmin, complete }, leader.spanMax);
  // Half of it, in case this window fails.
  leader.spanMax = span > 1n ? span / 2n : 1n;
  const { files, rows, aside, overdue } = await rollWindow(
    { database, connection, directory },
    { before, after, types, noted: leader.noted, now },
    signal,
  );
  leader.spanMax = isWhole ? undefined : span * 2n;
  if (files.length > 0) await noteProgress(directory, leader.installation, after.untilTx);
  metrics.rows.inc(rows);
  metrics.files.inc(files.length);
  metrics.overdue.inc(overdue);
  logAside(parts, aside);
  const written = new Set(files.map(({ type }) => type));
  await maintainDatasets(parts, leader, { written, types, progress: after, now });
  return { rows, files: files.length, completeUntil: after.completeUntil, isWhole };
}

/** Logs types and reasons, without the content of the events. */
function logAside({ metrics, log }: RollUpParts, aside: RollAnswer['aside']): void {
  metrics.aside.inc(aside.length);
  for (const [type, rows] of Map.groupBy(aside, ({ type }) => type)) {
    log.error(
      { type, events: rows.length, reason: rows[0]?.reason },
      'roll-up: events moved to quarantine, no file can hold them',
    );
  }
}
