import { fromKinds } from '#kernel/kinds/registry.ts';
import { servedKinds, type ServedKinds } from '#kernel/store/rules/serve-kinds.ts';
import type { Registry } from 'prom-client';
import { clientAdvisor } from '#kernel/access/client-advice.ts';
import type { Authenticator } from '#kernel/access/authentication/authenticate.ts';
import type { Impersonate } from '#kernel/access/authentication/impersonate.ts';
import { systemTime } from '#kernel/base/time.ts';
import { version } from '#kernel/base/version.ts';
import { controllerMetrics } from '#kernel/controllers/metrics.ts';
import { followDefinitions, type FollowedDefinitions } from '#kernel/definitions/follow-definitions.ts';
import { EVENT_LIMITS, tidyEvents } from '#kernel/controllers/tidy-events.ts';
import { keepDefinitions } from '#kernel/definitions/keep-definitions.ts';
import { policyTypeChecks } from '#kernel/admission/check-types.ts';
import { aliasAdvisor } from '#kernel/events/alias-advice.ts';
import { counter, gauge, gauges } from '#kernel/http/metrics.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { releaseAdvisors } from '#kernel/releases/advice.ts';
import { changeSets } from '#kernel/releases/api/apply-change-set.ts';
import { ChangeSet } from '#kernel/releases/api/change-set.ts';
import { releaseChanges } from '#kernel/releases/api/changes.ts';
import { releaseCommands } from '#kernel/releases/api/commands.ts';
import { draftCommands } from '#kernel/releases/drafts/draft-commands.ts';
import { tidyDrafts } from '#kernel/releases/drafts/tidy-drafts.ts';
import type { MayApprove } from '#kernel/releases/engine/approvals.ts';
import { keepReleasedKinds } from '#kernel/releases/defined-kinds/keep-released-kinds.ts';
import { runReleases, type ReleaseEngine } from '#kernel/releases/engine/run-releases.ts';
import { decisionsSource } from '#kernel/releases/evidence/decisions-source.ts';
import { judgements } from '#kernel/releases/evidence/judge-again.ts';
import { tidyWindows } from '#kernel/releases/evidence/stored-windows.ts';
import type { MeasureSource } from '#kernel/releases/evidence/measure-source.ts';
import { requestsSource } from '#kernel/releases/evidence/requests-source.ts';
import { prometheusSource } from '#kernel/releases/evidence/prometheus/prometheus-source.ts';
import { noteReachable } from '#kernel/releases/evidence/prometheus/reachable.ts';
import { ReleaseEvidence, type SourceOf } from '#kernel/releases/evidence/release-evidence.ts';
import { deletionAdvice } from '#kernel/releases/engine/deletion-advice.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import type { UnitsOnRecord } from '#kernel/releases/units-on-record.ts';
import { runNotifications } from '#kernel/releases/notify/run-notifications.ts';
import type { StatusReader } from '#kernel/api/computed-status.ts';
import type { PathAttributes, User } from '#kernel/api/authority.ts';
import { resourceApi, type ResourceApi } from '#kernel/api/server/handler.ts';
import type { VirtualKind, VirtualList } from '#kernel/api/virtual.ts';
import { advisedStore, type Advisor } from '#kernel/store/rules/advised-store.ts';
import { examinedStore, type Examiner } from '#kernel/store/rules/examined-store.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { SharedStore } from '#kernel/store/shared-store.ts';
import { tellingOfFirstClient } from '#kernel/snapshots/first-client.ts';
import type { AskedAbout } from '#kernel/snapshots/gate.ts';
import { declaredPaths, describedModules, targetsOf } from './catalogue.ts';
import type { ControlStore } from './control-store.ts';
import type { SharedParts } from './shared.ts';

const COMPACT_MS = 3_600_000;
/** How often Events are looked through for old ones. */
const EVENTS_MS = 60_000;
/** How long past versions of objects are kept by default; watches reach back further than any client is away. */
const HISTORY_DAYS = 30;
const RELEASES_PATH = `/apis/${Release.apiVersion}/${Release.plural}`;

export interface ControlPlane {
  readonly database: Database;
  readonly store: SharedStore<Operation>;
  readonly live: ControlStore['live'];
  readonly heads: ControlStore['heads'];
  /** Releases that this process carries out; undefined while another one writes. */
  readonly releases: () => ReleaseEngine | undefined;
  readonly api: ResourceApi;
  readonly changeSets: ReturnType<typeof changeSets>;
  readonly serviceAccounts: Authenticator;
  readonly impersonate: Impersonate;
  /** Throws a Refusal when the user may not ask the path, nor read the object that the question concerns. */
  readonly authorize: (user: User, wanted: PathAttributes, about?: AskedAbout) => void;
  /** Resolves with a sentence when it can no longer work; the process should end then. */
  /** Kinds that come and go. */
  readonly kinds: ServedKinds;
  readonly failed: Promise<string>;
}

/** Questions that are answered beside the store. */
export interface Extension {
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  /** Who looks at objects before they are declared, where that takes time. */
  readonly examiners: readonly Examiner[];
  /** Measures for guardrails that name a Metric. */
  readonly metrics: MeasureSource;
  readonly unitsOnRecord: UnitsOnRecord;
  /** Who tells writers of modules' kinds what to look after. */
  readonly advisors: readonly Advisor[];
  /** Of modules' kinds whose status is computed. */
  readonly statuses: readonly StatusReader[];
}

/** Starts what changes and answers what is declared: releases, notifications and the resource API. */
export async function startControlPlane(
  shared: SharedParts,
  base: ControlStore,
  extension: Extension,
): Promise<ControlPlane> {
  const { lifetime, modules, kinds, openAnswers, registry, log } = shared;
  const { database, store, live, heads, clock, access, admission, failed } = base;
  const targets = targetsOf(modules);
  await startRetention(shared, base);
  const mayApprove = approvalRight(base);
  const writing = await lifetime.open(
    'releases',
    () => runWhileWriting(shared, base, extension, mayApprove),
    (running) => running.stop(),
  );
  const advisors = [
    ...releaseAdvisors({ store, kinds, targets, unitsOnRecord: extension.unitsOnRecord, clock }),
    clientAdvisor(declaredPaths(describedModules(modules, log)), clock),
    aliasAdvisor,
    ...extension.advisors,
  ];
  const examined = advisedStore(
    tellingOfFirstClient(examinedStore(store, extension.examiners), () =>
      openAnswers?.recent(shared.clock().epochMilliseconds),
    ),
    advisors,
    (operations) => deletionAdvice(operations, live, kinds),
  );
  const { unitsOnRecord, examiners } = extension;
  const changing = { store: examined, kinds, targets, live, admission, unitsOnRecord, clock };
  const applyChangeSet = changeSets(changing);
  const virtual = new Map([
    ...access.virtual,
    [ChangeSet.id, applyChangeSet],
    ...releaseCommands({ store, kinds, mayApprove, clock }),
    // A review has asked advisors and examiners already.
    ...draftCommands({ ...changing, store, advisors, examiners }),
    ...judgements({ store, database }),
    ...releaseChanges({ store, live, kinds, clock }),
    ...extension.virtual,
  ]);
  const { authority, serviceAccounts, impersonate } = access;
  const served = servedKinds(store, kinds);
  const followed = await lifetime.open(
    'definitions',
    () => startDefinitions(shared, base, served, writing.releases),
    (running) => running.stop(),
  );
  const answered = {
    store: examined,
    kinds,
    convert: base.conversions.convert,
    settleKinds: () => settleKinds(store, followed),
    clock,
    virtual,
    virtualLists: new Map([...access.virtualLists, ...extension.virtualLists]),
    statuses: new Map([...extension.statuses, policyTypeChecks(kinds)].map((reader) => [reader.kind.id, reader])),
    authority,
    documentAt: access.issuerDocument,
    watchMetrics: watchMetrics(registry),
  };
  const api = resourceApi(answered, version);
  storeMetrics(shared, store);
  return {
    database,
    store,
    kinds: served,
    live,
    heads,
    releases: writing.releases,
    api,
    changeSets: applyChangeSet,
    serviceAccounts,
    impersonate,
    authorize: (user, wanted, about) => {
      if (about === undefined || !mayRead(base, user, about)) authority.authorize(user, wanted);
    },
    failed,
  };
}

/** Serves what definitions define, and keeps them as long as this process writes. */
async function startDefinitions(
  { kinds, log }: SharedParts,
  { store, definitions: first, clock }: ControlStore,
  served: ServedKinds,
  releases: () => ReleaseEngine | undefined,
): Promise<FollowedDefinitions & { readonly stop: () => Promise<unknown> }> {
  const followed = followDefinitions({ store, kinds, served, first, log });
  await followed.settle();
  let term: ReturnType<typeof keepDefinitions> | undefined;
  store.onWriter((isWriter) => {
    void term?.stop();
    const caughtUp = async () => releases()?.caughtUp();
    const keepReleased = keepReleasedKinds({ store, kinds, clock, time: systemTime, caughtUp });
    term = isWriter
      ? keepDefinitions({ store, kinds, followed, keepReleased, clock, time: systemTime, log })
      : undefined;
  });
  return {
    ...followed,
    stop: async () => {
      followed.stop();
      await term?.stop();
    },
  };
}

/** Resolves when the kinds of this process are those that were acknowledged anywhere; undefined when they are. */
function settleKinds(store: SharedStore<Operation>, { settle }: FollowedDefinitions): Promise<void> | undefined {
  const fresh = store.fresh();
  return fresh === undefined ? settle() : fresh.then(settle);
}

/** Whether somebody may approve a Release, as it is now: rules may be for some of them only. */
function approvalRight({ access, store }: Pick<ControlStore, 'access' | 'store'>): MayApprove {
  const { group, plural: resource } = Release;
  return (user, name) => {
    const release = store.get(Release, '', name);
    const object = release === undefined ? {} : { object: release };
    return access.may(user, {
      verb: 'create',
      group,
      resource,
      subresource: 'approve',
      namespace: '',
      name,
      ...object,
    });
  };
}

/** Whether somebody may read the object that a question concerns. Where there is no such object, only who may of all objects. */
function mayRead({ access, store }: Pick<ControlStore, 'access' | 'store'>, user: User, about: AskedAbout): boolean {
  const { kind, namespace, name, subresource } = about;
  const object = store.get(kind, namespace, name);
  return access.may(
    { ...user, uid: user.uid },
    {
      verb: 'get',
      group: kind.group,
      resource: kind.plural,
      subresource,
      namespace,
      name,
      ...(object === undefined ? {} : { object }),
    },
  );
}

async function startRetention(shared: SharedParts, base: ControlStore): Promise<void> {
  const { options, lifetime } = shared;
  const { historyDays = HISTORY_DAYS, eventTtlMinutes = EVENT_LIMITS.ttlMinutes } = options;
  await lifetime.open('compaction', () => startCompaction(shared, base, historyDays), clearInterval);
  await lifetime.open('retention of events', () => startEventRetention(shared, base, eventTtlMinutes), clearInterval);
}

/** Drops what is older than `historyDays` once an hour, in the process that writes. */
function startCompaction(
  { log }: SharedParts,
  { database, store, access, clock }: ControlStore,
  historyDays: number,
): NodeJS.Timeout {
  const compact = async () => {
    await access.compact({ historyDays });
    await tidyWindows(database.patient, clock());
    const drafts = await tidyDrafts(store, clock());
    if (drafts > 0) log.info({ drafts }, 'drafts: deleted those that nobody has written for long');
    return store.compact({ historyDays });
  };
  return setInterval(() => {
    if (!store.isWriter()) return;
    compact().then(
      (rows) => log.info({ rows }, 'history: compacted'),
      (error: unknown) => log.error({ err: error }, 'history: compaction failed'),
    );
  }, COMPACT_MS);
}

/** Deletes Events that nobody has written for long, in the process that writes. */
function startEventRetention({ log }: SharedParts, { store, clock }: ControlStore, ttlMinutes: number): NodeJS.Timeout {
  let isRunning = false;
  const tidy = async (): Promise<void> => {
    const events = await tidyEvents(store, clock(), { ...EVENT_LIMITS, ttlMinutes });
    if (events > 0) log.debug({ events }, 'events: deleted those that nobody has written for long');
  };
  return setInterval(() => {
    if (isRunning || !store.isWriter()) return;
    isRunning = true;
    tidy()
      .catch((error: unknown) => log.error({ err: error }, 'events: cannot delete old events; retrying'))
      .finally(() => {
        isRunning = false;
      });
  }, EVENTS_MS);
}

/** Runs releases and their notifications as long as this process is the one that writes. */
function runWhileWriting(
  { kinds, modules, address, outbound, registry, localClusters, log }: SharedParts,
  { database, store, live, clock, steadyMs }: ControlStore,
  { metrics, unitsOnRecord }: Extension,
  mayApprove: MayApprove,
): { readonly releases: () => ReleaseEngine | undefined; readonly stop: () => Promise<unknown> } {
  const metricsOf = controllerMetrics(registry);
  const releaseMetrics = metricsOf('releases');
  const notificationMetrics = metricsOf('notifications');
  const decisions = decisionsSource(database);
  const prometheus = prometheusSource({ store, database, outbound, note: noteReachable({ store, clock, log }) });
  const targets = targetsOf(modules);
  const counted = { store, kinds, clock, localRuntime: localClusters };
  const counting = targets.filter(({ countRequests }) => countRequests !== undefined);
  const requests = requestsSource({
    store,
    counters: counting.flatMap((target) => target.countRequests?.(counted) ?? []),
    isCounted: (kind) => kinds.isKnown(kind) && counting.some(({ name }) => name === kinds.byId(kind).target),
  });
  const sourceOf: SourceOf = ({ metric, prometheus: asks, requests: counts }) => {
    if (asks !== undefined) return prometheus;
    if (counts !== undefined) return requests;
    return metric === undefined ? decisions : metrics;
  };
  const linkTo = (name: string) => `${address.url}${RELEASES_PATH}/${name}`;
  let term: { readonly releases: ReleaseEngine; readonly stop: () => Promise<unknown> } | undefined;
  const begin = (): NonNullable<typeof term> => {
    const parts = {
      store,
      live,
      kinds,
      mayApprove,
      targets,
      clock,
      steadyMs,
      time: systemTime,
      random: Math.random,
      log,
    };
    const evidence = new ReleaseEvidence({ database, sourceOf, time: systemTime, log });
    const releases = runReleases({ ...parts, metrics: releaseMetrics, evidence, unitsOnRecord });
    const notifications = runNotifications({ ...parts, outbound, metrics: notificationMetrics, linkTo });
    return { releases, stop: () => Promise.all([releases.stop(), notifications.stop()]) };
  };
  store.onWriter((isWriter) => {
    void term?.stop();
    term = isWriter ? begin() : undefined;
  });
  return { releases: () => term?.releases, stop: async () => term?.stop() };
}

function storeMetrics({ kinds, registry }: SharedParts, store: SharedStore<Operation>): void {
  gauge(registry, 'backline_store_writer', '1 in the process that writes.', () => Number(store.isWriter()));
  gauge(registry, 'backline_store_version', 'The version of the last published write.', store.version);
  const listed = fromKinds(kinds, (all) => all.filter(({ verbs }) => verbs.includes('list')));
  gauges(
    registry,
    { name: 'backline_objects', help: 'Objects that are declared.', labelNames: ['resource', 'group'] },
    () => listed().map((kind) => [{ resource: kind.plural, group: kind.group }, store.count(kind)] as const),
  );
}

function watchMetrics(registry: Registry) {
  let open = 0;
  gauge(registry, 'backline_watchers', 'Open watches.', () => open);
  const dropped = counter(
    registry,
    'backline_watchers_dropped_total',
    'Watches ended because the client was too slow.',
  );
  return {
    countOpen: () => {
      open += 1;
    },
    countClose: () => {
      open -= 1;
    },
    countSlowDrop: () => dropped.inc(),
  };
}
