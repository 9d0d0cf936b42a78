import { mkdir } from 'node:fs/promises';
import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { formerFieldsExaminer } from '#kernel/events/datasets/former-fields.ts';
import { startQueries } from '#kernel/events/datasets/queries.ts';
import { ROLL_UP_SECONDS, startRollUps } from '#kernel/events/datasets/roll-ups.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { ownTypes, withOwnTypes, type OwnEventType } from '#kernel/events/built-in-types.ts';
import { eventMetrics } from '#kernel/events/event-metrics.ts';
import { eventsModule, type EventTable } from '#kernel/events/event-table.ts';
import type { Admit, IngestApi, Sender } from '#kernel/events/ingest-api.ts';
import { EventType } from '#kernel/events/kinds/event-type.ts';
import { logWriter, type LogWriter } from '#kernel/events/log-writer.ts';
import { Pseudonyms } from '#kernel/events/pseudonyms.ts';
import { releaseMetrics } from '#kernel/events/datasets/release-metrics.ts';
import { startEvents } from '#kernel/events/start-events.ts';
import type { MeasureSource } from '#kernel/releases/evidence/measure-source.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualKind, VirtualList } from '#kernel/resources/api/handler.ts';
import type { Examiner } from '#kernel/resources/examined-store.ts';
import { Head } from '#kernel/resources/builtin/head.ts';
import type { World } from '#kernel/resources/kind.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { SharedStore } from '#kernel/resources/store/shared-store.ts';
import type { Admitted, BodyCredentials, Gate } from '#kernel/snapshots/gate.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { tidyReleaseCells } from '#kernel/snapshots/release-cells.ts';
import { tidyReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import type { Sealing } from '#kernel/resources/store-contract.ts';
import type { Job, JobParts } from '#kernel/modules/module.ts';
import type { Records } from './records.ts';

const MAINTAIN_MS = 3_600_000;

/** Where parts of this program write events of their own. */
export interface EventLog {
  readonly write: LogWriter['write'];
  readonly close: () => Promise<void>;
}

export interface EventPlane extends EventLog {
  readonly api: IngestApi;
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  readonly examiners: readonly Examiner[];
  /** What guardrails that name a Metric are judged by. */
  readonly metrics: MeasureSource;
  /** Why events do not become files; undefined when all is well, or when that is not this process's business. */
  readonly problem: () => string | undefined;
}

/** The log alone, for a process that takes no events in. */
export function openEventLog(parts: {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): EventLog {
  const pseudonyms = new Pseudonyms(parts);
  const metrics = eventMetrics(parts.registry, { waiting: () => writer.waiting(), waitingBytes: () => 0 });
  const writer = logWriter({ ...parts, pseudonyms, metrics });
  return { write: writer.write, close: writer.close };
}

/** Starts what has to do with events in one process: taking them in, rolling them into files, answering queries. */
export async function startEventPlane(options: {
  readonly database: Database;
  readonly sealing: Sealing;
  /** Where the files of datasets lie. */
  readonly directory: string;
  /** Whether this process keeps house: rolls the log into files, turns partitions. */
  readonly keepsHouse: boolean;
  readonly world: () => World | undefined;
  readonly table: () => EventTable;
  readonly admit: Admit;
  readonly chargeStranger: (exchange: Exchange) => void;
  readonly records: Records;
  /** Types of events that modules write. */
  readonly ownEventTypes: readonly OwnEventType[];
  /** What modules do meanwhile in a process that keeps house. */
  readonly beginJobs: (parts: JobParts) => readonly Job[];
  readonly rollUpSeconds?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): Promise<EventPlane> {
  const { records, keepsHouse, ownEventTypes, beginJobs, clock, log, directory, rollUpSeconds, ...shared } = options;
  // Where it cannot be made, roll-ups say so as long as that lasts.
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => {});
  const own = ownTypes(ownEventTypes);
  const world = (): World | undefined => {
    const declared = options.world();
    return declared === undefined ? undefined : withOwnTypes(declared, own);
  };
  const parts = { ...shared, world, directory, clock, log };
  const events = startEvents(parts);
  events.erasers.push(...records.erasers);
  const queries = startQueries(parts);
  const rollUps = keepsHouse
    ? await startRollUps({ ...parts, ...(rollUpSeconds === undefined ? {} : { rollUpSeconds }) })
    : undefined;
  const { database } = options;
  const jobs = keepsHouse ? beginJobs({ ...options, write: events.write }) : [];
  const maintain = (): void => {
    const now = clock();
    Promise.all([
      events.maintain(now),
      tidyReleaseCounts(database.patient, now),
      tidyReleaseCells(database.patient, now),
    ]).catch((error: unknown) => log.error({ err: error }, 'events could not be tidied up'));
  };
  const timer = keepsHouse ? setInterval(maintain, MAINTAIN_MS) : undefined;
  return {
    api: events.api,
    write: events.write,
    virtual: new Map([...events.virtual, ...queries.virtual]),
    virtualLists: events.virtualLists,
    examiners: [queries.examiner, formerFieldsExaminer(database)],
    metrics: releaseMetrics({ database, world, ask: queries.ask, rollUpSeconds: rollUpSeconds ?? ROLL_UP_SECONDS }),
    problem: () => rollUps?.problem(),
    close: async () => {
      clearInterval(timer);
      for (const job of jobs) await job.close();
      await events.close();
      await rollUps?.close();
      await queries.close();
    },
  };
}

/** Who sends events, as the gate of decisions knows them. */
export function admitSender(
  gate: Gate | undefined,
  exchange: Exchange,
  path: string,
  subjectInput: string,
  credentials?: BodyCredentials,
): Sender | Promise<Sender> {
  if (gate === undefined) {
    throw new Refusal('start/starting', 'ServiceUnavailable', 'Events are not taken yet.', { retryAfterSeconds: 1 });
  }
  const asking = { path, access: 'ingest', subjectInputs: [subjectInput] } as const;
  const admitted = gate.admit(exchange, asking, {}, undefined, credentials);
  return admitted instanceof Promise ? admitted.then(senderOf) : senderOf(admitted);

  function senderOf({ by, input }: Admitted): Sender {
    const subject = input[subjectInput];
    return { client: by, ...(typeof subject === 'string' ? { subject } : {}) };
  }
}

/** The event types that are live in a store, compiled anew when one of them changes. */
export function eventTableOf(
  store: SharedStore<Operation>,
  live: LiveObjects,
  own: readonly OwnEventType[],
): () => EventTable {
  const events = eventsModule(own);
  let table: EventTable | undefined;
  store.subscribe((changes) => {
    if (changes.some(({ entry }) => entry.kind === Head && entry.name.startsWith(`${EventType.plural}.`)))
      table = undefined;
  });
  return () => (table ??= events.compile(live));
}
