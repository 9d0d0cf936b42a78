import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualKind } from '#kernel/resources/api/handler.ts';
import type { World } from '#kernel/resources/kind.ts';
import { datasetSpec } from '../kinds/dataset.ts';
import { eventTypeSpec } from '../kinds/event-type-spec.ts';
import { DATASET, EVENT_TYPE } from '../kinds/identity.ts';
import { WORK } from './files.ts';
import type { QueryAnswer, QueryJob } from './jobs.ts';
import { type DatasetFile, type Progress, readFiles, readProgress } from './manifest.ts';
import { Query, QUERY_LIMITS, type QuerySpec } from './query-kind.ts';
import { queryRefusal } from './query-refusal.ts';
import { JobFailure, runJob } from './run-job.ts';
import { type Catalogue, mentioned, type Setup, viewSetup } from './sql-views.ts';
import { auditFrom, lossAuditSetup, watermarksSetup } from './system-views.ts';

/** Queries at one time, each in a process of its own; more wait, and beyond that they are turned away. */
const RUNNING_MAX = 2;
const WAITING_MAX = 16;
const RETRY_SECONDS = 5;

export interface QueryMemory {
  /** DuckDB's own limit; what does not fit goes to disk. */
  readonly memoryMb: number;
  readonly spillMb: number;
  /** Of the whole process, which is ended beyond. */
  readonly residentMb: number;
}

const MEMORY: QueryMemory = { memoryMb: 512, spillMb: 10_000, residentMb: 1_400 };
const THREADS = 2;

export interface QueryOptions {
  readonly database: Database;
  /** The folder that roll-ups write to. */
  readonly directory: string;
  readonly world: () => World | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory?: QueryMemory;
}

export interface Queries {
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  /**
   * The rows of one SELECT, for parts of this program: one at a time, and never behind queries that people posted. Ended
   * by the signal, so that nobody waits for what nobody wants any more. Throws as a posted query is refused.
   */
  readonly ask: (sql: string, signal: AbortSignal) => Promise<readonly (readonly unknown[])[]>;
  /** Ends what is under way. */
  readonly close: () => Promise<void>;
}

/** Answers posted Queries. */
export function startQueries(options: QueryOptions): Queries {
  const { database, directory, clock, log, memory = MEMORY } = options;
  const stopped = new AbortController();
  const running = new Set<Promise<unknown>>();
  let waiting = 0;
  let asked: Promise<unknown> = Promise.resolve();

  const answer: VirtualKind = async (object, { dryRun }) => {
    const spec = object.spec as QuerySpec;
    const started = performance.now();
    const { result, progress } = await inTurn(() => run(spec, dryRun));
    const status = {
      ...result,
      completeUntil: progress.completeUntil.toString(),
      ms: Math.round(performance.now() - started),
    };
    return { ...object, status };
  };

  async function run(
    spec: QuerySpec,
    dryRun: boolean,
    signal: AbortSignal = stopped.signal,
  ): Promise<{ result: QueryAnswer; progress: Progress }> {
    const { sql, timeoutSeconds = QUERY_LIMITS.secondsDefault } = spec;
    const catalogue = catalogueOf(options.world());
    const { setup, files, progress } = await prepare(sql, catalogue);
    const limits = { residentMb: memory.residentMb, msMax: timeoutSeconds * 1000 };
    const job: QueryJob = {
      does: 'query',
      scratch: `${WORK}/query-${randomUUID()}`,
      memoryMb: memory.memoryMb,
      spillMb: memory.spillMb,
      threads: THREADS,
      files: files.map(({ path }) => path),
      setup,
      sql,
      ...formOf(spec, dryRun),
      bytesMax: QUERY_LIMITS.bytesMax,
    };
    try {
      return { result: await runJob(job, { directory, limits, signal }), progress };
    } catch (error) {
      if (!(error instanceof JobFailure)) throw error;
      const tables = [...catalogue.eventTypes.keys(), ...catalogue.datasets.keys()].map((name) =>
        name.replaceAll(/[-.]/g, '_'),
      );
      const refusal = queryRefusal(error, { sql, tables: [...tables, ...SYSTEM_VIEWS], directory, limits });
      if (refusal.status >= 500) log.error({ error: error.message, fault: error.fault }, 'a query could not be run');
      throw refusal;
    }
  }

  /** What the query reads, as of one moment. */
  async function prepare(
    sql: string,
    catalogue: Catalogue,
  ): Promise<{
    readonly setup: readonly Setup[];
    readonly files: readonly DatasetFile[];
    readonly progress: Progress;
  }> {
    return database.transaction(async (connection) => {
      await connection.query('set transaction isolation level repeatable read, read only');
      const progress = await readProgress(connection);
      const files = await readFiles(connection, [...mentioned(sql, catalogue).eventTypes]);
      const setup: Setup[] = [];
      const audited: DatasetFile[] = [];
      // By our own names: a Dataset of such a name comes after and is refused as there already.
      if (/\bwatermarks\b/i.test(sql)) setup.push(...(await watermarksSetup(connection, catalogue, progress)));
      if (/\bloss_audit\b/i.test(sql)) {
        const from = auditFrom(clock());
        const all = await readFiles(connection);
        // A file holds nothing that was received after it was written.
        audited.push(...all.filter(({ createdAt }) => Temporal.Instant.compare(createdAt, from) >= 0));
        setup.push(...(await lossAuditSetup(connection, audited, progress, from)));
      }
      setup.push(...viewSetup(sql, catalogue, files));
      return { setup, files: [...files, ...audited], progress };
    });
  }

  async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (running.size >= RUNNING_MAX && waiting >= WAITING_MAX) {
      throw new Refusal(
        'datasets/busy',
        'TooManyRequests',
        `${RUNNING_MAX} queries run and ${waiting} wait; no more are taken now.`,
        { retryAfterSeconds: RETRY_SECONDS, remedy: 'Try again in a few seconds.' },
      );
    }
    waiting += 1;
    while (running.size >= RUNNING_MAX) await Promise.race(running);
    waiting -= 1;
    const turn = work();
    const ended: Promise<unknown> = turn.then(
      () => running.delete(ended),
      () => running.delete(ended),
    );
    running.add(ended);
    return turn;
  }

  return {
    virtual: new Map([[Query.id, answer]]),
    ask: (sql, signal) => {
      const either = AbortSignal.any([stopped.signal, signal]);
      const turn = asked.then(async () => {
        either.throwIfAborted();
        return (await run({ sql }, false, either)).result.rows ?? [];
      });
      asked = turn.catch(() => {});
      return turn;
    },
    close: async () => {
      stopped.abort();
      await Promise.all([...running, asked]);
    },
  };
}

const SYSTEM_VIEWS = ['watermarks', 'loss_audit'];

function catalogueOf(world: World | undefined): Catalogue {
  if (world === undefined) {
    throw new Refusal('datasets/not-ready', 'ServiceUnavailable', 'What is declared is not known yet.', {
      retryAfterSeconds: RETRY_SECONDS,
    });
  }
  return {
    eventTypes: new Map([...world.list(EVENT_TYPE)].map((live) => [live.name, eventTypeSpec(live)])),
    datasets: new Map([...world.list(DATASET)].map((live) => [live.name, datasetSpec(live)])),
  };
}

function formOf({ format = 'rows', limit }: QuerySpec, dryRun: boolean): Pick<QueryJob, 'format' | 'rowsMax'> {
  if (dryRun) return { format: 'check', rowsMax: 0 };
  if (format === 'parquet') return { format, rowsMax: limit ?? QUERY_LIMITS.fileRowsMax };
  return { format, rowsMax: Math.min(limit ?? QUERY_LIMITS.rowsDefault, QUERY_LIMITS.rowsMax) };
}
