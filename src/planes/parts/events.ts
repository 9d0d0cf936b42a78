import { join, resolve } from 'node:path';
import { makeDatasetsFolder } from '#kernel/events/datasets/files.ts';
import { formerFieldsExaminer } from '#kernel/events/datasets/former-fields.ts';
import { Query } from '#kernel/events/datasets/query-kind.ts';
import { startQueries } from '#kernel/events/datasets/queries.ts';
import { ROLL_UP_SECONDS, startRollUps } from '#kernel/events/datasets/roll-ups.ts';
import type { ReadinessCheck } from '#kernel/http/health.ts';
import { withOwnObjects } from '#kernel/kinds/own-objects.ts';
import { ownTypes, type OwnEventType } from '#kernel/events/built-in-types.ts';
import { eventMetrics } from '#kernel/events/event-metrics.ts';
import { compileEvents, type EventTable } from '#kernel/events/event-table.ts';
import type { EventGate, Sender } from '#kernel/events/ingest-api.ts';
import { EventType } from '#kernel/events/kinds/event-type.ts';
import { logWriter, type LogWriter } from '#kernel/events/log-writer.ts';
import { Pseudonyms } from '#kernel/events/pseudonyms.ts';
import { releaseMetrics } from '#kernel/events/datasets/release-metrics.ts';
import { startEvents, type Events } from '#kernel/events/start-events.ts';
import type { MeasureSource } from '#kernel/releases/evidence/measure-source.ts';
import type { VirtualKind, VirtualList } from '#kernel/api/virtual.ts';
import type { Examiner } from '#kernel/store/rules/examined-store.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { SharedStore } from '#kernel/store/shared-store.ts';
import type { AdmittedQuestion, Gate } from '#kernel/snapshots/gate.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { tidyReleaseCells } from '#kernel/snapshots/release-cells.ts';
import { tidyReleaseCounts } from '#kernel/snapshots/release-counts.ts';
import type { DatabaseParts } from './database-parts.ts';
import type { SharedParts } from './shared.ts';

const MAINTAIN_MS = 3_600_000;

export interface EventPlane {
  readonly routes: Events['routes'];
  /** Where parts of this program write events of their own. */
  readonly write: LogWriter['write'];
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  /** Answers a Query. */
  readonly query: VirtualKind;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  readonly examiners: readonly Examiner[];
  /** Measures for guardrails that name a Metric. */
  readonly metrics: MeasureSource;
  /** Says why events do not become files, where this process makes files of them. */
  readonly check: ReadinessCheck;
}

/** The log alone, for a process that takes no events in. */
export async function openEventLog(
  { lifetime, clock, log, registry }: SharedParts,
  kept: Pick<DatabaseParts, 'database' | 'sealing'>,
): Promise<LogWriter['write']> {
  const writer = await lifetime.open(
    'event log',
    () => {
      const parts = { ...kept, clock, log };
      const metrics = eventMetrics(registry, { waiting: () => opened.waiting(), waitingBytes: () => 0 });
      const opened = logWriter({ ...parts, pseudonyms: new Pseudonyms(parts), metrics });
      return opened;
    },
    (opened) => opened.close(),
  );
  return writer.write;
}

/** Starts what has to do with events in one process: taking them in, rolling them into files, answering queries. */
export async function startEventPlane(
  shared: SharedParts,
  { database, sealing, records }: DatabaseParts,
  live: { readonly world: () => World | undefined; readonly table: () => EventTable },
): Promise<EventPlane> {
  const { options, lifetime, roles, modules, clock, log, registry } = shared;
  const { rollUpSeconds = ROLL_UP_SECONDS } = options;
  const directory = resolve(options.datasetsDirectory ?? join(shared.dataDirectory, 'datasets'));
  await lifetime.step('folder of datasets', () => makeDatasetsFolder(directory));
  const own = ownTypes(shared.eventTypes);
  const world = (): World | undefined => {
    const declared = live.world();
    return declared === undefined ? undefined : withOwnObjects(declared, own);
  };
  const { table } = live;
  const parts = { database, sealing, world, table, directory, clock, log, registry };
  const queries = await lifetime.open(
    'queries',
    () => startQueries(parts),
    (open) => open.close(),
  );
  const keepsHouse = roles.has('ingest');
  const rollUps = keepsHouse
    ? await lifetime.open(
        'roll-ups',
        () => startRollUps({ ...parts, rollUpSeconds }),
        (open) => open.close(),
      )
    : undefined;
  const events = await lifetime.open(
    'events',
    () => startEvents(parts),
    (open) => open.close(),
  );
  // The event log last: no other store holds the subject any more then, to write it there again.
  events.erasers.unshift(...records.erasers);
  if (keepsHouse) {
    const jobParts = { ...parts, write: events.write };
    for (const { name, jobs } of modules) {
      for (const job of await lifetime.step(`jobs of ${name}`, () => jobs?.(jobParts) ?? [])) {
        lifetime.keep(`job of ${name}`, job.close);
      }
    }
    const maintain = (): void => {
      const now = clock();
      Promise.all([
        events.maintain(now),
        tidyReleaseCounts(database.patient, now),
        tidyReleaseCells(database.patient, now),
      ]).catch((error: unknown) => log.error({ err: error }, 'events: maintenance failed'));
    };
    await lifetime.open('maintenance of events', () => setInterval(maintain, MAINTAIN_MS), clearInterval);
  }
  return {
    routes: events.routes,
    write: events.write,
    virtual: new Map([...events.virtual, [Query.id, queries.query]]),
    query: queries.query,
    virtualLists: events.virtualLists,
    examiners: [queries.examiner, formerFieldsExaminer(database)],
    metrics: releaseMetrics({ database, world, ask: queries.ask, rollUpSeconds }),
    check: { name: 'datasets', problem: () => rollUps?.problem(), isWarning: true },
  };
}

/** Who sends events, as the gate of decisions knows them. */
export function eventGate(gate: Gate): EventGate {
  const { chargeAddress: chargeStranger, answerPreflight } = gate;
  return {
    admit: (exchange, path, subjectInput, credentials) => {
      const asking = { path, access: 'ingest', subjectInputs: [subjectInput] } as const;
      const admitted = gate.admitSender(exchange, asking, credentials);
      const senderOf = ({ by, input }: AdmittedQuestion): Sender => {
        const subject = input[subjectInput];
        return { client: by, ...(typeof subject === 'string' ? { subject } : {}) };
      };
      return admitted instanceof Promise ? admitted.then(senderOf) : senderOf(admitted);
    },
    chargeStranger,
    answerPreflight,
  };
}

/** The event types that are live in a store, compiled anew when one of them changes. */
export function eventTableOf(
  store: SharedStore<Operation>,
  live: LiveObjects,
  own: readonly OwnEventType[],
): () => EventTable {
  let table: EventTable | undefined;
  store.subscribe((changes) => {
    if (changes.some(({ entry }) => entry.kind === Head && entry.name.startsWith(`${EventType.plural}.`)))
      table = undefined;
  });
  return () => (table ??= compileEvents(live, own));
}
