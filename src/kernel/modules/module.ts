import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import type { ControllerParts, LocalRuntime, ModuleController } from '#kernel/controllers/module-controller.ts';
import type { OwnEventType } from '#kernel/events/built-in-types.ts';
import type { Eraser } from '#kernel/events/erasure.ts';
import type { EventTable } from '#kernel/events/event-table.ts';
import type { LogWriter } from '#kernel/events/log-writer.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import type { Quotas } from '#kernel/quotas/rules/contract.ts';
import type { UnitsOnRecord } from '#kernel/releases/units-on-record.ts';
import type { Target } from '#kernel/releases/kinds/target.ts';
import type { Advisor } from '#kernel/store/rules/advised-store.ts';
import type { StatusReader } from '#kernel/api/computed-status.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import type { Kind, World } from '#kernel/kinds/kind.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';

/**
 * One domain. Everything but the name may be left out. The list of modules is the one place that names domains; all other
 * code uses only what a domain gives here.
 */
export interface Module<Table = unknown, Records extends ModuleRecords = ModuleRecords> {
  /** E.g. `products`; also the name of its table in snapshots. */
  readonly name: string;
  /** In the order in which objects of one change set are written: what is referred to comes first. */
  readonly kinds?: readonly Kind[];
  /** Kinds that server applications may follow, to answer by themselves. */
  readonly followed?: readonly Kind[];
  /** Those of its tables. */
  readonly migrations?: readonly Migration[];
  /** Opens what is kept for each listener, in every process that has the database. */
  readonly records?: (parts: RecordParts) => Records | Promise<Records>;
  /** Its part in snapshots, and the questions that are answered from it. `records` is undefined without a database. */
  readonly decisions?: (parts: DecisionParts<Records>) => DecisionModule<Table>;
  /** Run by the process that leads the controllers. */
  readonly controllers?: (parts: ControllerParts) => readonly ModuleController[];
  /** Where changes of kinds are shown, in the order in which releases reach them. */
  readonly targets?: readonly Target[];
  /** Answer objects that are posted and not stored, by `Kind.id`; run where the API is. */
  readonly commands?: (parts: CommandParts<Records>) => ReadonlyMap<string, VirtualKind>;
  /** Tell who declares something what to look after, by what is live; run where the API is. */
  readonly advisors?: (
    live: World,
    parts: { readonly clock: Clock; readonly records: Records | undefined },
  ) => readonly Advisor[];
  /** Compute the statuses of its kinds that have `computedStatus`; run where the API is. */
  readonly statuses?: (live: World, records: Records | undefined) => readonly StatusReader[];
  /** Types of the events that the module itself writes: always there, and declared by nobody. */
  readonly eventTypes?: readonly OwnEventType[];
  /** Begins what goes on beside requests, in every process that takes events in. */
  readonly jobs?: (parts: JobParts) => readonly Job[];
  /** Begins to count the units that releases choose their cohorts from; run where the API is. */
  readonly units?: (parts: UnitParts) => Units;
  /** Folder of manifests, which `backline up` declares on the first start. */
  readonly sample?: string;
}

/** The records that a module keeps about listeners. */
export interface ModuleRecords {
  readonly erasers: readonly Eraser[];
  /** Drops what has ended. Any process may call it at any time; it is called every hour. */
  readonly tidy?: (now: Temporal.Instant) => Promise<unknown>;
  readonly close?: () => Promise<void>;
}

export interface RecordParts {
  readonly database: Database;
  readonly quotas: Quotas;
  /** Instead of the time of the database, for tests. */
  readonly clock: Clock | undefined;
  /** A secret that all processes of the installation share, by its name. */
  readonly secretOf: (name: string) => Promise<Buffer>;
  readonly registry: Registry;
  readonly log: Log;
}

interface DecisionParts<Records> {
  readonly records: Records | undefined;
  readonly random: () => number;
  readonly log: Log;
}

interface CommandParts<Records> {
  /** Undefined where the module keeps none. */
  readonly records: Records | undefined;
  readonly client: ResourceClient;
  /** Answers a Query, in a place of the caller's. */
  readonly query: VirtualKind;
  readonly clock: Clock;
  /** Absent where nothing that is declared may run on this machine. */
  readonly localRuntime: Pick<LocalRuntime, 'directory'> | undefined;
}

export interface JobParts {
  readonly database: Database;
  readonly sealing: Sealing;
  /** Writes events of the program's own. */
  readonly write: LogWriter['write'];
  /** The event types that are live. */
  readonly table: () => EventTable;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Job {
  readonly close: () => Promise<void>;
}

export interface UnitParts {
  readonly database: Database;
  readonly time: Time;
  readonly log: Log;
}

export interface Units {
  readonly of: UnitsOnRecord;
  readonly stop: () => Promise<void>;
}

/** A module whose parts fit each other: what it opens as records is what its decisions and commands are given. */
export function defineModule<Table, Records extends ModuleRecords>(module: Module<Table, Records>): Module {
  return module as unknown as Module;
}
