import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { counter, gauge } from '#kernel/http/metrics.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import type { World } from '#kernel/resources/kind.ts';
import { eventTypeSpec } from '../kinds/event-type-spec.ts';
import { Dataset } from '../kinds/dataset.ts';
import { DATASET, EVENT_TYPE } from '../kinds/identity.ts';
import { adoptFiles } from './adopt-files.ts';
import { chooseMerges } from './choose-merge.ts';
import { claimFolder, noteProgress, requireClaimed } from './claim-folder.ts';
import { lookThrough, requireWritable } from './files.ts';
import { forgetFields, noteFields } from './former-fields.ts';
import { countAnewIfRestored } from '../event-days.ts';
import { dropExpired, dropLogDays, mergeFiles, removeDropped } from './maintenance.ts';
import type { RollAnswer } from './jobs.ts';
import { type Progress, readFiles, readProgress } from './manifest.ts';
import { type LiveType, rollWindow } from './roll-window.ts';
import { isFresh } from './system-views.ts';
import { tryUnfiledAgain } from './unfiled-events.ts';
import { Watermark } from './watermark.ts';

/** What is old is looked for this often; what a roll-up wrote is looked at at once. */
const MAINTENANCE_MINUTES = 10;
/** What could not be merged is left alone for so long. */
const FAILED_MERGE_HOURS = 1;

/** Why files cannot be written to a folder. */
async function unwritable(directory: string): Promise<string | undefined> {
  return requireWritable(directory).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

export interface RollUpOptions {
  readonly database: Database;
  /** Where the files lie. All processes of the installation see the same folder. */
  readonly directory: string;
  /** What is live now; undefined as long as that is not known, and then nothing is rolled. */
  readonly world: () => World | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly rollUpSeconds?: number;
}

export const ROLL_UP_SECONDS = 15;

interface RollUpResult {
  readonly rows: number;
  readonly files: number;
  /** Everything that was received before is in files. */
  readonly completeUntil: Temporal.Instant;
}

export interface RollUps {
  /** Rolls what there is; undefined when another process does it, or the event types are not known yet. */
  readonly rollUpNow: () => Promise<RollUpResult | undefined>;
  /** Why the log does not become files; undefined when all is well. */
  readonly problem: () => string | undefined;
  /** Ends what is under way: the next process begins it again. */
  readonly close: () => Promise<void>;
}

/** Said to everybody who asks whether the process is ready. */
const NOT_ROLLED = 'the event log was not rolled into files; the log of the server says why';

function missingOf(files: number): string {
  return `${files} files that count are not in the folder of datasets; the log of the server names one`;
}

/** What one process keeps while it holds the lock. */
interface Leadership {
  readonly connection: Connection;
  /** Whose the folder is. */
  readonly installation: string;
  readonly watermark: Watermark;
  maintainedAt: Temporal.Instant | undefined;
  /** Types and days whose files could not be merged, and until when that is not tried again. */
  readonly notMerged: Map<string, Temporal.Instant>;
  /** Revisions of types whose fields are on record. */
  readonly noted: Map<string, string>;
  /** Transactions of one window at most. A window that failed (too long, too large) is tried again as half. */
  spanMax: bigint | undefined;
}

/**
 * Rolls the event log into Parquet files, in one process at a time. A folder that cannot be written is a problem of files
 * alone: events wait in the log, and everything else goes on.
 */
export async function startRollUps(options: RollUpOptions): Promise<RollUps> {
  const { database, directory, clock, log, registry } = options;
  const stopped = new AbortController();
  const known = new Map<string, Set<string>>();
  const metrics = rollUpMetrics(registry);
  let leadership: Leadership | undefined;
  let problem = await unwritable(directory);
  let missingFiles = 0;
  let completeUntil: Temporal.Instant | undefined;
  gauge(
    registry,
    'backline_rollup_lag_seconds',
    'Age of the events until which all are in files; NaN where another process rolls.',
    () =>
      completeUntil === undefined || leadership === undefined
        ? Number.NaN
        : clock().since(completeUntil).total('seconds'),
  );
  gauge(registry, 'backline_rollup_failing', 'Whether the last roll-up failed: 1 or 0.', () =>
    problem === undefined ? 0 : 1,
  );

  gauge(
    registry,
    'backline_datasets_stale',
    'Datasets that lag further than they promise; NaN where another process rolls.',
    () => (completeUntil === undefined || leadership === undefined ? Number.NaN : stale(completeUntil)),
  );
  const stale = (until: Temporal.Instant): number =>
    [...(options.world()?.list(DATASET) ?? [])].filter((live) => !isFresh(Dataset.spec(live), until, clock())).length;

  let last: Promise<unknown> = Promise.resolve();
  const rollUpNow = (): Promise<RollUpResult | undefined> => {
    const turn = last.then(attempt);
    last = turn.catch(() => {});
    return turn;
  };
  const timer = setInterval(
    () => {
      // What is wrong is logged, and stands in `problem`.
      rollUpNow().catch(() => {});
    },
    (options.rollUpSeconds ?? ROLL_UP_SECONDS) * 1000,
  );

  async function attempt(): Promise<RollUpResult | undefined> {
    const world = options.world();
    if (stopped.signal.aborted || world === undefined) return undefined;
    const started = performance.now();
    try {
      await requireWritable(directory);
      const types = liveTypes(world, known);
      leadership = await lead(leadership, types);
      if (leadership === undefined) {
        problem = undefined;
        return undefined;
      }
      await requireClaimed(directory, leadership.installation);
      let result = await rollUp(leadership, types);
      while (!result.isWhole) {
        const { rows, files } = result;
        const next = await rollUp(leadership, types);
        result = { ...next, rows: rows + next.rows, files: files + next.files };
      }
      completeUntil = result.completeUntil;
      problem = undefined;
      return result;
    } catch (error) {
      if (stopped.signal.aborted) return undefined;
      problem = error instanceof Refusal ? error.message : NOT_ROLLED;
      // The lines below the first one may cite an event.
      const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
      log.error({ error: why }, 'the event log was not rolled into files');
      metrics.failures.inc();
      throw error;
    } finally {
      metrics.seconds.inc((performance.now() - started) / 1000);
    }
  }

  /** Holds the lock on a connection of its own, so that whoever loses one has lost the other. */
  async function lead(
    held: Leadership | undefined,
    types: ReadonlyMap<string, LiveType>,
  ): Promise<Leadership | undefined> {
    if (held !== undefined && !held.connection.isLost()) return held;
    const connection = await database.connect('housekeeping');
    try {
      const [row] = await connection.query<{ locked: boolean }>(
        `select pg_try_advisory_lock(${ADVISORY_LOCKS.rollUp}) as locked`,
      );
      if (row?.locked === true) {
        const installation = await takeOver(connection, types);
        return {
          connection,
          installation,
          watermark: new Watermark(),
          notMerged: new Map(),
          noted: new Map(),
          maintainedAt: undefined,
          spanMax: undefined,
        };
      }
    } catch (error) {
      await connection.close().catch(() => {});
      throw error;
    }
    await connection.close();
    return undefined;
  }

  /** Puts folder and database in order, once, before anything is written; gives whose the folder is. */
  async function takeOver(connection: Connection, types: ReadonlyMap<string, LiveType>): Promise<string> {
    const now = clock();
    await countAnewIfRestored(database);
    const { installation, isOlder } = await claimFolder(connection, directory);
    if (isOlder) log.warn({ installation }, 'the database is older than the files of datasets: a backup was restored');
    const listed = await connection.query<{ path: string }>('select path from backline.dataset_files');
    const { unlisted, missing } = await lookThrough(directory, new Set(listed.map(({ path }) => path)));
    const counting = await readFiles(connection);
    const parts = { database, connection, directory, log };
    metrics.adopted.inc(await adoptFiles(parts, { unlisted, counting, missing }, types, now, stopped.signal));
    const files = await readFiles(connection);
    const filed = new Set(files.map(({ type }) => type));
    await noteFields(connection, new Map([...types].filter(([name]) => filed.has(name))));
    const lost = files.filter(({ path }) => missing.has(path));
    missingFiles = lost.length;
    if (lost.length > 0) {
      log.error(
        { files: lost.length, first: lost[0]?.path },
        'files of datasets are missing: is this the right folder?',
      );
    }
    await tryUnfiledAgain(database, now);
    return installation;
  }

  /** Rolls one window: all that there is, or as much as did not fail before. */
  async function rollUp(
    leader: Leadership,
    types: ReadonlyMap<string, LiveType>,
  ): Promise<RollUpResult & { readonly isWhole: boolean }> {
    const { connection } = leader;
    const before = await readProgress(connection);
    const now = clock();
    const [seen] = await connection.query<{ xmin: string; xmax: string }>(
      'select pg_snapshot_xmin(s)::text as xmin, pg_snapshot_xmax(s)::text as xmax from pg_current_snapshot() s',
    );
    if (seen === undefined) throw new Error('PostgreSQL gave no snapshot');
    const xmin = BigInt(seen.xmin);
    const complete = leader.watermark.advance({ at: now, xmin, xmax: BigInt(seen.xmax) });
    const { spanMax } = leader;
    const isWhole = spanMax === undefined || before.untilTx + spanMax >= xmin;
    const after = isWhole
      ? { untilTx: xmin, completeUntil: later(before.completeUntil, complete) }
      : { untilTx: before.untilTx + spanMax, completeUntil: before.completeUntil };
    const span = after.untilTx - before.untilTx;
    // Half, should it fail.
    leader.spanMax = span > 1n ? span / 2n : 1n;
    const { files, rows, aside, overdue } = await rollWindow(
      { database, connection, directory },
      { before, after, types, noted: leader.noted, now },
      stopped.signal,
    );
    leader.spanMax = isWhole ? undefined : span * 2n;
    if (files.length > 0) await noteProgress(directory, leader.installation, after.untilTx);
    metrics.rows.inc(rows);
    metrics.files.inc(files.length);
    metrics.overdue.inc(overdue);
    sayAside(aside);
    await maintain(leader, new Set(files.map(({ type }) => type)), types, after, now);
    return { rows, files: files.length, completeUntil: after.completeUntil, isWhole };
  }

  /** Names types and reasons; what the events say is nobody's business here. */
  function sayAside(aside: RollAnswer['aside']): void {
    metrics.aside.inc(aside.length);
    for (const [type, rows] of Map.groupBy(aside, ({ type }) => type)) {
      log.error({ type, events: rows.length, reason: rows[0]?.reason }, 'events that no file can hold were set aside');
    }
  }

  async function maintain(
    leader: Leadership,
    written: ReadonlySet<string>,
    types: ReadonlyMap<string, LiveType>,
    progress: Progress,
    now: Temporal.Instant,
  ): Promise<void> {
    const { connection, maintainedAt } = leader;
    const parts = { connection, directory };
    const due = maintainedAt === undefined || now.since(maintainedAt).total('minutes') >= MAINTENANCE_MINUTES;
    if (due) {
      await dropExpired(parts, await readFiles(connection), types, now);
      await removeDropped(parts, now);
      for (const name of leader.noted.keys()) if (!types.has(name)) leader.noted.delete(name);
      await forgetFields(connection, types.keys());
      const days = await dropLogDays(database, progress, now);
      if (days.length > 0) log.info({ days }, 'days of the event log are in files and were dropped');
    }
    const files = due ? await readFiles(connection) : await readFiles(connection, [...written]);
    const { notMerged } = leader;
    for (const [key, until] of notMerged) if (Temporal.Instant.compare(until, now) <= 0) notMerged.delete(key);
    const chosen = chooseMerges(files, { completeUntil: progress.completeUntil, now }, (key) => notMerged.has(key));
    const { fewer, failed } = await mergeFiles(parts, chosen, now, stopped.signal);
    metrics.merged.inc(fewer);
    metrics.failedMerges.inc(failed.length);
    for (const { key, because } of failed) {
      notMerged.set(key, now.add({ hours: FAILED_MERGE_HOURS }));
      log.error({ files: key, because }, 'files could not be merged, and stay as they are');
    }
    if (due) leader.maintainedAt = now;
  }

  return {
    rollUpNow,
    problem: () => problem ?? (missingFiles === 0 ? undefined : missingOf(missingFiles)),
    close: async () => {
      clearInterval(timer);
      stopped.abort();
      await last;
      await leadership?.connection.close();
    },
  };
}

function later(before: Temporal.Instant, after: Temporal.Instant | undefined): Temporal.Instant {
  return after === undefined || Temporal.Instant.compare(before, after) > 0 ? before : after;
}

/** The live event types. Revisions that this process saw live before are known too: types only gain fields. */
function liveTypes(world: World, known: Map<string, Set<string>>): ReadonlyMap<string, LiveType> {
  const types = new Map<string, LiveType>();
  // One that comes back under the same name may be another.
  for (const name of known.keys()) if (world.get(EVENT_TYPE, name) === undefined) known.delete(name);
  for (const live of world.list(EVENT_TYPE)) {
    const revisions = known.get(live.name) ?? new Set();
    known.set(live.name, revisions.add(live.revision));
    types.set(live.name, { spec: eventTypeSpec(live), revisions: [...revisions] });
  }
  return types;
}

function rollUpMetrics(registry: Registry) {
  const count = (name: string, help: string) => counter(registry, `backline_rollup_${name}_total`, help);
  return {
    rows: count('rows', 'Events that became rows of files.'),
    files: count('files', 'Files that were written from the log.'),
    merged: count('merged_files', 'Files that there are less because they were merged.'),
    seconds: count('seconds', 'Time that roll-ups took.'),
    failures: count('failures', 'Roll-ups that failed.'),
    failedMerges: count('failed_merges', 'Merges that failed; their files stay as they are.'),
    adopted: count('adopted_files', 'Files that no table listed and that hold rows that are nowhere else.'),
    aside: count('set_aside_rows', 'Events that no file can hold, which were set aside.'),
    overdue: count('overdue_rows', 'Events that came after everything of their time was said to be in files.'),
  };
}
