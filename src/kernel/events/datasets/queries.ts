import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import type { Problem, Refusal } from '#kernel/base/failures.ts';
import { datasetRefusal } from '#kernel/events/refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { Examiner } from '#kernel/store/rules/examined-store.ts';
import { type PlaceLimits, Places } from '#kernel/http/places.ts';
import type { ResourceObject, World } from '#kernel/kinds/kind.ts';
import type { Author } from '#kernel/store/contract.ts';
import { Dataset } from '../kinds/dataset.ts';
import { eventTypeSpec } from '../kinds/event-type-spec.ts';
import { DATASET, EVENT_TYPE } from '../kinds/identity.ts';
import { sqlNameOf } from '../kinds/sql-name.ts';
import { allMissing, WORK } from './files.ts';
import type { ParseJob, QueryAnswer, QueryJob, Reads, Tables } from './jobs.ts';
import type { Progress } from './manifest.ts';
import { Query, QUERY_LIMITS, type QuerySpec } from './query-kind.ts';
import { queryTables } from './query-tables.ts';
import { fileMissing, queryRefusal, sqlProblem } from './query-refusal.ts';
import { JobFailure, runJob } from './run-job.ts';
import { type Catalogue, datasetSql } from './sql-views.ts';

/** Each query runs in its own process. Of one user one runs and a few wait, so that no user blocks others. */
const QUERY_PLACES: PlaceLimits = {
  of: 'queries',
  runningMax: 2,
  waitingMax: 16,
  runningOfUserMax: 1,
  waitingOfUserMax: 4,
};
/** The limits for the SQL of declared Datasets, which is only parsed. */
const PARSE_PLACES: PlaceLimits = {
  of: 'queries',
  runningMax: 1,
  waitingMax: 50,
  runningOfUserMax: 1,
  waitingOfUserMax: 10,
};
const PARSE_LIMITS = { residentMb: 400, msMax: 10_000 };
const PARSE_MEMORY_MB = 128;
const RETRY_SECONDS = 5;

export interface QueryMemory {
  /** DuckDB's own limit; more data spills to disk. */
  readonly memoryMb: number;
  readonly spillMb: number;
  /** Limit of the whole process, which is killed beyond it. */
  readonly residentMb: number;
  /** Limit of everything that it writes; it is killed beyond it. */
  readonly diskMb: number;
}

const MEMORY: QueryMemory = { memoryMb: 512, spillMb: 10_000, residentMb: 1_400, diskMb: 10_500 };
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
  /** Answers a posted Query, in a place of its caller's. */
  readonly query: VirtualKind;
  /** Refuses Datasets whose SQL is not one SELECT over their inputs. */
  readonly examiner: Examiner;
  /**
   * Gives the rows of one SELECT over event types, for parts of this program: it sees no declared Dataset. One at
   * a time, and never behind posted queries. The signal ends it. Throws the refusals of a posted query.
   */
  readonly ask: (sql: string, signal: AbortSignal) => Promise<readonly (readonly unknown[])[]>;
  /** Ends running queries. */
  readonly close: () => Promise<void>;
}

/** Answers posted Queries. */
export function startQueries(options: QueryOptions): Queries {
  const { directory, log, memory = MEMORY } = options;
  const stopped = new AbortController();
  const places = new Places(QUERY_PLACES);
  const parsing = new Places(PARSE_PLACES);
  const underWay = new Set<Promise<unknown>>();
  let asked: Promise<unknown> = Promise.resolve();

  const answer: VirtualKind = async (object, { dryRun, user, limit }) => {
    const spec = Query.spec(object);
    const started = performance.now();
    const wanted = AbortSignal.any([stopped.signal, ...(limit === undefined ? [] : [limit.signal])]);
    const turn = places.take(user.name, wanted, () => run(spec, dryRun, catalogueOf(options.world()), wanted));
    const { result, progress } = await track(turn);
    const status = {
      ...result,
      completeUntil: progress.completeUntil.toString(),
      ms: Math.round(performance.now() - started),
    };
    return { ...object, status };
  };

  /** Tracks work until it has ended, so that `close` can wait for it. */
  async function track<Result>(work: Promise<Result>): Promise<Result> {
    underWay.add(work);
    try {
      return await work;
    } finally {
      underWay.delete(work);
    }
  }

  async function run(
    spec: QuerySpec,
    dryRun: boolean,
    catalogue: Catalogue,
    signal: AbortSignal,
  ): Promise<{ result: QueryAnswer; progress: Progress }> {
    const { sql, timeoutSeconds } = spec;
    const limits = {
      residentMb: memory.residentMb,
      scratchMb: memory.diskMb,
      msMax: timeoutSeconds * 1000,
    };
    const job: QueryJob = {
      does: 'query',
      ...engineOf(memory),
      sql,
      ...formOf(spec, dryRun),
      bytesMax: QUERY_LIMITS.bytesMax,
    };
    let progress: Progress | undefined;
    let files: readonly string[] = [];
    const tablesFor = async (reads: Reads): Promise<Tables> => {
      const read = await queryTables(options, reads, catalogue);
      progress = read.progress;
      files = read.tables.files;
      return read.tables;
    };
    try {
      const result = await runJob(job, { directory, limits, signal, tablesFor });
      if (progress === undefined) throw new Error('a query was answered that did not say what it reads');
      return { result, progress };
    } catch (error) {
      if (!(error instanceof JobFailure) || signal.aborted) throw error;
      // DuckDB reports a missing file as one that must not be read.
      const [missing] = error.fault === undefined ? [] : await allMissing(directory, files);
      if (missing !== undefined) {
        log.error({ file: missing }, 'datasets: a file is missing');
        throw fileMissing(missing);
      }
      const tables = [...catalogue.eventTypes.keys(), ...catalogue.datasets.keys()].map(sqlNameOf);
      const refusal = queryRefusal(error, { sql, tables: [...tables, ...SYSTEM_VIEWS], directory, limits });
      if (refusal.status >= 500) log.error({ error: error.message, fault: error.fault }, 'datasets: query failed');
      throw refusal;
    }
  }

  async function examine(
    objects: readonly ResourceObject[],
    { user }: Author,
  ): Promise<readonly (readonly Problem[])[]> {
    const datasets = objects.map((object) => datasetSql(object.metadata.name, Dataset.spec(object)));
    // Without SQL of their own, Datasets have generated SQL.
    if (datasets.every(({ inputs }) => inputs === undefined)) return [];
    const job: ParseJob = { does: 'parse', ...engineOf({ memoryMb: PARSE_MEMORY_MB, spillMb: 0 }), datasets };
    const parse = () => runJob(job, { directory, limits: PARSE_LIMITS, signal: stopped.signal });
    const { faults } = await track(parsing.take(user, stopped.signal, parse)).catch((error: unknown) => {
      if (!(error instanceof JobFailure)) throw error;
      throw queryRefusal(error, { sql: '', tables: [], directory, limits: PARSE_LIMITS });
    });
    return faults.map((fault, index) => (fault === null ? [] : [sqlProblem(fault, datasets[index]?.sql ?? '')]));
  }

  return {
    query: answer,
    examiner: { kind: Dataset, examine },
    ask: (sql, signal) => {
      const either = AbortSignal.any([stopped.signal, signal]);
      const turn = asked.then(async () => {
        either.throwIfAborted();
        return (
          (await run(Query.spec({ spec: { sql } }), false, ownCatalogue(options.world()), either)).result.rows ?? []
        );
      });
      asked = turn.catch(() => {});
      return turn;
    },
    close: async () => {
      stopped.abort();
      await Promise.allSettled([...underWay, asked]);
    },
  };
}

const SYSTEM_VIEWS = ['watermarks', 'loss_audit', 'missing_batches'];

function catalogueOf(world: World | undefined): Catalogue {
  if (world === undefined) {
    throw datasetRefusal('not-ready', 'The declared event types and datasets are not loaded yet.', {
      retryAfterSeconds: RETRY_SECONDS,
    });
  }
  return {
    eventTypes: new Map([...world.list(EVENT_TYPE)].map((live) => [live.name, eventTypeSpec(live)])),
    datasets: new Map([...world.list(DATASET)].map((live) => [live.name, Dataset.spec(live)])),
  };
}

/** The catalogue of this program's own queries: event types without declared Datasets. */
function ownCatalogue(world: World | undefined): Catalogue {
  return { ...catalogueOf(world), datasets: new Map() };
}

/** Settings of a DuckDB with its own folder, whose name keeps other processes from removing it. */
function engineOf({ memoryMb, spillMb }: Pick<QueryMemory, 'memoryMb' | 'spillMb'>) {
  return { scratch: `${WORK}/query-${randomUUID()}`, memoryMb, spillMb, threads: THREADS };
}

function limitTooHigh(format: string): Refusal {
  const detail = `An answer as ${format} holds at most ${QUERY_LIMITS.rowsMax} rows.`;
  return datasetRefusal('limit-too-high', detail, {
    problems: [{ path: ['spec', 'limit'], reason: 'FieldValueInvalid', detail }],
    remedy: `Ask for Parquet, which holds up to ${QUERY_LIMITS.fileRowsMax}, or for less.`,
  });
}

function formOf({ format, limit }: QuerySpec, dryRun: boolean): Pick<QueryJob, 'format' | 'rowsMax'> {
  if (dryRun) return { format: 'check', rowsMax: 0 };
  if (format === 'parquet') return { format, rowsMax: limit ?? QUERY_LIMITS.fileRowsMax };
  if (limit !== undefined && limit > QUERY_LIMITS.rowsMax) throw limitTooHigh(format);
  return { format, rowsMax: limit ?? QUERY_LIMITS.rowsDefault };
}
