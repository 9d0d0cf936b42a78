import { accessKinds } from '#kernel/access/access.ts';
import { ChangePolicy } from '#kernel/admission/change-policies/change-policy.ts';
import { ValidatingAdmissionPolicyBinding } from '#kernel/admission/kinds/binding.ts';
import { ValidatingAdmissionPolicy } from '#kernel/admission/kinds/policy.ts';
import type { DeclaredPath } from '#kernel/access/authorization/path-access.ts';
import { Client } from '#kernel/access/kinds/client.ts';
import { CustomResourceDefinition } from '#kernel/definitions/kinds/custom-resource-definition.ts';
import type { Log } from '#kernel/base/log.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { Query } from '#kernel/events/datasets/query-kind.ts';
import { eventKinds, eventsModule } from '#kernel/events/event-table.ts';
import { INGEST_PATHS } from '#kernel/events/ingest-api.ts';
import { ingestOperations } from '#kernel/events/ingest-documents.ts';
import { Erasure, EventReplay } from '#kernel/events/kinds/event-commands.ts';
import { QuarantinedEvent } from '#kernel/events/kinds/quarantined-event.ts';
import type { Module, ModuleRecords } from '#kernel/modules/module.ts';
import { KERNEL_MIGRATIONS } from '#kernel/postgres/migrations.ts';
import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import { ChangeSet } from '#kernel/releases/api/change-set.ts';
import { releaseKinds } from '#kernel/releases/kinds.ts';
import { ownTypes } from '#kernel/events/built-in-types.ts';
import { requireTargets, type Targets } from '#kernel/releases/kinds/targets.ts';
import { ConfigMap, Namespace } from '#kernel/kinds/builtin/core.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import { Lease } from '#kernel/kinds/builtin/lease.ts';
import { kindRegistry, type KindRegistry } from '#kernel/kinds/registry.ts';
import { clientsModule } from '#kernel/snapshots/client-table.ts';
import { pathsOf } from '#kernel/snapshots/decision-api.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import type { DescribedPath } from '#kernel/snapshots/openapi.ts';
import { SNAPSHOT_OPERATIONS, SNAPSHOT_STREAM } from '#kernel/snapshots/stream.ts';

/** Every kind that a program of these modules serves. Objects of one change set are written in this order. */
export function kindsOf(modules: readonly Module[]): KindRegistry {
  const targets = targetsOf(modules);
  const kinds = kindRegistry(
    [
      Namespace,
      ConfigMap,
      Event,
      Lease,
      ...accessKinds,
      CustomResourceDefinition,
      ValidatingAdmissionPolicy,
      ValidatingAdmissionPolicyBinding,
      ChangePolicy,
      Client,
      Head,
      ChangeSet,
      ...releaseKinds(targets),
      ...audienceKinds,
      ...eventKinds,
      QuarantinedEvent,
      EventReplay,
      Erasure,
      Query,
      ...modules.flatMap((module) => module.kinds ?? []),
    ],
    ownTypes(ownEventTypes(modules)),
  );
  requireTargets(kinds, targets);
  return kinds;
}

/** Where changes are shown, in the order in which they go out. */
export function targetsOf(modules: readonly Module[]): Targets {
  return modules.flatMap(({ targets = [] }) => targets);
}

/** Every step of the schema, in order. */
export function migrationsOf(modules: readonly Module[]): readonly Migration[] {
  const all = [...KERNEL_MIGRATIONS, ...modules.flatMap(({ migrations = [] }) => migrations)];
  return all.toSorted((a, b) => a.number - b.number);
}

/** The part of the kernel and of each module in the decision plane. */
export function decisionModules(
  modules: readonly Module[],
  parts: {
    /** Records that modules keep about listeners, by module name; undefined without a database. */
    readonly records: ReadonlyMap<string, ModuleRecords> | undefined;
    readonly random: () => number;
    readonly log: Log;
  },
): readonly DecisionModule<unknown>[] {
  const { records, random, log } = parts;
  return [
    clientsModule as DecisionModule<unknown>,
    eventsModule(ownEventTypes(modules)) as DecisionModule<unknown>,
    ...modules.flatMap(({ name, decisions }) => decisions?.({ records: records?.get(name), random, log }) ?? []),
  ];
}

/** Types of events that modules write themselves. */
export function ownEventTypes(modules: readonly Module[]) {
  return modules.flatMap(({ eventTypes = [] }) => eventTypes);
}

/** The decisions of these modules in a process that keeps no records: what they are, not what they answer. */
export function describedModules(modules: readonly Module[], log: Log): readonly DecisionModule<unknown>[] {
  return decisionModules(modules, { records: undefined, random: Math.random, log });
}

/** Every path that is answered beside the resource API by those who may ask it, whatever this process answers. */
export function declaredPaths(modules: readonly DecisionModule<unknown>[]): readonly DeclaredPath[] {
  return [...pathsOf(modules), SNAPSHOT_STREAM, ...INGEST_PATHS].map(({ path, access }) => ({ path, access }));
}

/** Kinds that server applications may follow, to answer by themselves. */
export function followedKinds(modules: readonly Module[]): ReadonlySet<string> {
  return new Set(modules.flatMap(({ followed = [] }) => followed.map(({ id }) => id)));
}

/** Paths for applications besides the questions of modules. */
export const OTHER_PATHS: readonly DescribedPath[] = [
  { path: SNAPSHOT_STREAM.path, tag: 'snapshots', operations: SNAPSHOT_OPERATIONS },
  ...INGEST_PATHS.map(({ path }) => ({ path, tag: 'events', operations: ingestOperations(path) })),
];
