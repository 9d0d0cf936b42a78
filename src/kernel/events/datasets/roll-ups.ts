import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { gauge } from '#kernel/http/metrics.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { eventTypeSpec } from '../kinds/event-type-spec.ts';
import { Dataset } from '../kinds/dataset.ts';
import { DATASET, EVENT_TYPE } from '../kinds/identity.ts';
import { requireWritable } from './files.ts';
import { rollUp, type RollUpResult } from './roll-up.ts';
import { rollUpMetrics, type Leadership, type RollUpParts } from './roll-up-parts.ts';
import type { LiveType } from './roll-window.ts';
import { isFresh } from './system-views.ts';
import { takeLead } from './take-lead.ts';

/** Gives why a folder is not writable, or undefined. */
async function findFolderFault(directory: string): Promise<string | undefined> {
  return requireWritable(directory).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

export interface RollUpOptions {
  readonly database: Database;
  /** The folder of the files, shared by all processes of the installation. */
  readonly directory: string;
  /** The live world; undefined before it is loaded, and then nothing is rolled. */
  readonly world: () => World | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly rollUpSeconds?: number;
}

export const ROLL_UP_SECONDS = 15;

export interface RollUps {
  /** Rolls the log; undefined when another process does it, or the event types are not loaded yet. */
  readonly rollUpNow: () => Promise<RollUpResult | undefined>;
  /** Why the log is not rolled into files; undefined when it is. */
  readonly problem: () => string | undefined;
  /** Ends a roll-up under way; the next process repeats it. */
  readonly close: () => Promise<void>;
}

/** Shown in the public readiness check, so that it cites no event. */
const NOT_ROLLED = 'the event log was not rolled into files; the log of the server says why';

function missingOf(files: number): string {
  return `${files} files that count are not in the folder of datasets; the log of the server names one`;
}

/** The state of the last roll-up. */
interface RollUpState {
  /** Undefined while another process rolls. */
  leadership: Leadership | undefined;
  problem: string | undefined;
  missingFiles: number;
  completeUntil: Temporal.Instant | undefined;
}

/**
 * Rolls the event log into Parquet files, in one process at a time. While the folder is not writable, events wait in the log
 * and everything else works.
 */
export async function startRollUps(options: RollUpOptions): Promise<RollUps> {
  const { database, directory, clock, log, registry } = options;
  const stopped = new AbortController();
  const known = new Map<string, Set<string>>();
  const metrics = rollUpMetrics(registry);
  const state: RollUpState = {
    leadership: undefined,
    problem: await findFolderFault(directory),
    missingFiles: 0,
    completeUntil: undefined,
  };
  registerGauges(options, state);
  const noteMissing = (files: number): void => void (state.missingFiles = files);
  const parts: RollUpParts = { database, directory, clock, log, metrics, signal: stopped.signal, noteMissing };

  let last: Promise<unknown> = Promise.resolve();
  const rollUpNow = (): Promise<RollUpResult | undefined> => {
    const turn = last.then(attempt);
    last = turn.catch(() => {});
    return turn;
  };
  const timer = setInterval(
    () => {
      // Errors are logged and kept in `problem`.
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
      state.leadership = await takeLead(parts, state.leadership, types);
      const result = state.leadership === undefined ? undefined : await rollUp(parts, state.leadership, types);
      if (result !== undefined) state.completeUntil = result.completeUntil;
      state.problem = undefined;
      return result;
    } catch (error) {
      if (stopped.signal.aborted) return undefined;
      state.problem = error instanceof Refusal ? error.message : NOT_ROLLED;
      // The lines below the first one may cite an event.
      const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
      log.error({ error: why }, 'roll-up: failed; retrying');
      metrics.failures.inc();
      throw error;
    } finally {
      metrics.seconds.inc((performance.now() - started) / 1000);
    }
  }

  return {
    rollUpNow,
    problem: () => state.problem ?? (state.missingFiles === 0 ? undefined : missingOf(state.missingFiles)),
    close: async () => {
      clearInterval(timer);
      stopped.abort();
      await last;
      await state.leadership?.connection.close();
    },
  };
}

function registerGauges({ registry, clock, world }: RollUpOptions, state: RollUpState): void {
  /** Gives NaN while another process rolls. */
  const ofLeader = (measure: (until: Temporal.Instant) => number) => (): number =>
    state.completeUntil === undefined || state.leadership === undefined ? Number.NaN : measure(state.completeUntil);
  gauge(
    registry,
    'backline_rollup_lag_seconds',
    'Age of completeUntil: all older events are in files. NaN where another process rolls.',
    ofLeader((until) => clock().since(until).total('seconds')),
  );
  gauge(registry, 'backline_rollup_failing', 'Whether the last roll-up failed: 1 or 0.', () =>
    state.problem === undefined ? 0 : 1,
  );
  gauge(
    registry,
    'backline_datasets_stale',
    'Datasets that miss their freshness goal. NaN where another process rolls.',
    ofLeader(
      (until) =>
        [...(world()?.list(DATASET) ?? [])].filter((live) => !isFresh(Dataset.spec(live), until, clock())).length,
    ),
  );
}

/** The live event types, with the revisions that this process saw live before: types only gain fields. */
function liveTypes(world: World, known: Map<string, Set<string>>): ReadonlyMap<string, LiveType> {
  const types = new Map<string, LiveType>();
  // A type that is declared again under the same name may be another one.
  for (const name of known.keys()) if (world.get(EVENT_TYPE, name) === undefined) known.delete(name);
  for (const live of world.list(EVENT_TYPE)) {
    const revisions = known.get(live.name) ?? new Set();
    known.set(live.name, revisions.add(live.revision));
    types.set(live.name, { spec: eventTypeSpec(live), revisions: [...revisions] });
  }
  return types;
}
