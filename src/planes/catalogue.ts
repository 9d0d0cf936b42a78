import { accessKinds } from '#kernel/access/access.ts';
import type { DeclaredPath } from '#kernel/access/authorization/path-access.ts';
import { Client } from '#kernel/access/kinds/client.ts';
import type { Log } from '#kernel/base/log.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { ConfigMap, Event, Namespace } from '#kernel/resources/builtin/core.ts';
import { Head } from '#kernel/resources/builtin/head.ts';
import { Lease } from '#kernel/resources/builtin/lease.ts';
import { kindRegistry, type KindRegistry } from '#kernel/resources/registry.ts';
import { ChangeSet } from '#kernel/releases/change-set.ts';
import { releaseKinds } from '#kernel/releases/kinds.ts';
import { clientsModule } from '#kernel/snapshots/client-table.ts';
import { pathsOf } from '#kernel/snapshots/decision-api.ts';
import type { DescribedPath } from '#kernel/snapshots/openapi.ts';
import { SNAPSHOT_OPERATIONS, SNAPSHOT_STREAM } from '#kernel/snapshots/stream.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { Query } from '#kernel/events/datasets/query-kind.ts';
import { INGEST_PATHS } from '#kernel/events/ingest-api.ts';
import { ingestOperations } from '#kernel/events/ingest-documents.ts';
import { eventsModule } from '#kernel/events/event-table.ts';
import { Erasure, EventReplay } from '#kernel/events/kinds/event-commands.ts';
import { QuarantinedEvent } from '#kernel/events/kinds/quarantined-event.ts';
import { experienceKinds, experienceModule } from '#domains/experience/module.ts';
import type { FlagFacts } from '#domains/experience/ofrep.ts';
import { productsKinds, productsModule, type ProductFacts } from '#domains/products/module.ts';

/** Every kind that this program serves. Objects of one change set are written in this order. */
export function allKinds(): KindRegistry {
  return kindRegistry([
    Namespace,
    ConfigMap,
    Event,
    Lease,
    ...accessKinds,
    Client,
    Head,
    ChangeSet,
    ...releaseKinds,
    ...audienceKinds,
    ...eventsModule.kinds,
    QuarantinedEvent,
    EventReplay,
    Erasure,
    Query,
    ...productsKinds,
    ...experienceKinds,
  ]);
}

/** What answers need to know that no snapshot holds. */
export type Facts = FlagFacts & ProductFacts;

/** Every domain's part in the decision plane. */
export function decisionModules(facts: Facts): readonly DecisionModule<unknown>[] {
  return [
    clientsModule as DecisionModule<unknown>,
    eventsModule as DecisionModule<unknown>,
    productsModule(facts) as DecisionModule<unknown>,
    experienceModule(facts) as DecisionModule<unknown>,
  ];
}

/** Every path that is answered beside the resource API by those who may ask it, whatever this process answers. */
export function declaredPaths(log: Log): readonly DeclaredPath[] {
  const modules = decisionModules({ assignments: undefined, desk: undefined, random: Math.random, log });
  return [...pathsOf(modules), SNAPSHOT_STREAM, ...INGEST_PATHS].map(({ path, access }) => ({ path, access }));
}

/** Kinds that server applications may follow, to answer by themselves. */
export const followedKinds: ReadonlySet<string> = new Set(
  [...audienceKinds, ...productsKinds, ...experienceKinds].map(({ id }) => id),
);

/** What applications use besides the questions of modules. */
export const OTHER_PATHS: readonly DescribedPath[] = [
  { path: SNAPSHOT_STREAM.path, tag: 'snapshots', operations: SNAPSHOT_OPERATIONS },
  ...INGEST_PATHS.map(({ path }) => ({ path, tag: 'events', operations: ingestOperations(path) })),
];
