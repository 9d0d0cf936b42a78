import { clientAdvisor } from '#kernel/access/client-advice.ts';
import { aliasAdvisor } from '#kernel/events/alias-advice.ts';
import { ownTypes, ownTypesGuard, type OwnEventType } from '#kernel/events/built-in-types.ts';
import type { Registry } from 'prom-client';
import { prepareAccess } from '#kernel/access/access.ts';
import type { Authenticator } from '#kernel/access/authentication/authenticate.ts';
import type { DeclaredPath } from '#kernel/access/authorization/path-access.ts';
import { sealingWith } from '#kernel/access/encryption.ts';
import { systemClock, type Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { controllerMetrics } from '#kernel/controllers/metrics.ts';
import { stopAll, type Part } from '#kernel/base/stop-all.ts';
import { inTurns } from '#kernel/base/turns.ts';
import { systemTime } from '#kernel/base/time.ts';
import { counter, gauge, gauges } from '#kernel/http/metrics.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { databaseClock } from '#kernel/postgres/database-clock.ts';
import { databaseName, openDatabase, operatorsError, type Database } from '#kernel/postgres/database.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import type { Migration } from '#kernel/postgres/migrations/migration.ts';
import { untilAnswers } from '#kernel/postgres/wait.ts';
import { Namespace } from '#kernel/resources/builtin/core.ts';
import { isLabelledByName } from '#kernel/resources/builtin/namespace-label.ts';
import { resourceApi, type ResourceApi, type VirtualKind, type VirtualList } from '#kernel/resources/api/handler.ts';
import { SYSTEM_NAMESPACE } from '#kernel/resources/deletion.ts';
import type { Authority } from '#kernel/resources/api/authority.ts';
import { advisedStore, type Advisor } from '#kernel/resources/advised-store.ts';
import { examinedStore, type Examiner } from '#kernel/resources/examined-store.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import type { WriterAddress } from '#kernel/resources/store/forwarding.ts';
import { openSharedStore, type SharedStore } from '#kernel/resources/store/shared-store.ts';
import { allAdmissions, decideWith } from '#kernel/resources/write.ts';
import { ChangeSet, changeSets } from '#kernel/releases/change-set.ts';
import { releaseAdvisors } from '#kernel/releases/advice.ts';
import { deletionAdvice } from '#kernel/releases/kept-live.ts';
import { releaseChanges } from '#kernel/releases/changes.ts';
import { releaseCommands } from '#kernel/releases/commands.ts';
import type { MayApprove } from '#kernel/releases/engine/carry-releases.ts';
import { runReleases, type ReleaseEngine } from '#kernel/releases/engine/run-releases.ts';
import { decisionsSource } from '#kernel/releases/evidence/decisions-source.ts';
import { judgements } from '#kernel/releases/evidence/judge-again.ts';
import { tidyKeptWindows } from '#kernel/releases/evidence/kept-windows.ts';
import type { MeasureSource } from '#kernel/releases/evidence/measure-source.ts';
import { prometheusSource } from '#kernel/releases/evidence/prometheus/prometheus-source.ts';
import { releaseEvidence, type SourceOf } from '#kernel/releases/evidence/release-evidence.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import { releaseGuard } from '#kernel/releases/guard.ts';
import { decisionPlane } from '#kernel/releases/targets/decision-plane.ts';
import { runNotifications } from '#kernel/releases/notify/run-notifications.ts';
import type { KnownUnits } from '#kernel/releases/known-units.ts';
import { followLive } from '#kernel/releases/live.ts';
import type { Sealing } from '#kernel/resources/store-contract.ts';
import { tellingOfFirstClient } from '#kernel/snapshots/first-client.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { version } from '#kernel/base/version.ts';
import { deliver } from './peers.ts';

const COMPACT_MS = 3_600_000;
const RELEASES_PATH = `/apis/${Release.apiVersion}/${Release.plural}`;
/** There from the first start on. */
const FIRST_NAMESPACES = ['default', SYSTEM_NAMESPACE];

export interface ControlPlane {
  readonly database: Database;
  readonly store: SharedStore<Operation>;
  /** Releases that this process carries out; undefined while another one writes. */
  readonly releases: () => ReleaseEngine | undefined;
  readonly api: ResourceApi;
  readonly changeSets: ReturnType<typeof changeSets>;
  readonly serviceAccounts: Authenticator;
  /** Throws a Refusal when the user may not. */
  readonly authorize: Authority['authorize'];
  /** Resolves with a sentence when it can no longer work; the process should end then. */
  readonly failed: Promise<string>;
  /** @param msMax how long the parts may take together; an embedded PostgreSQL is waited for beside */
  readonly close: (msMax?: number) => Promise<void>;
}

/** Questions that are answered beside the store. */
export interface Extension {
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  /** Who looks at objects before they are declared, where that takes time. */
  readonly examiners: readonly Examiner[];
  /** What guardrails that name a Metric are judged by. */
  readonly metrics: MeasureSource;
  readonly knownUnits: KnownUnits;
  /** Who tells writers of modules' kinds what to look after. */
  readonly advisors: readonly Advisor[];
  readonly close: () => Promise<void>;
}

/** Starts everything that writes: PostgreSQL (unless `databaseUrl` names one), the store, releases and the resource API. */
export async function startControlPlane(options: {
  readonly dataDirectory: string;
  readonly databaseUrl: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Made when it is not there. */
  readonly encryptionKeyFile: string;
  readonly historyDays: number;
  readonly kinds: KindRegistry;
  /** Every step of the schema, in order. */
  readonly migrations: readonly Migration[];
  /** Types of events that modules write. */
  readonly ownEventTypes: readonly OwnEventType[];
  /** How many questions this process answered without a credential lately; undefined where it answers none. */
  readonly openAnswers: Parameters<typeof tellingOfFirstClient>[1];
  /** The paths beside the resource API. */
  readonly paths: readonly DeclaredPath[];
  /** Who is believed, beside the ServiceAccounts that are declared here. */
  readonly believed: readonly Authenticator[];
  /** What everything that is written goes by; absent: the time of the database. */
  readonly clock: Clock | undefined;
  readonly log: Log;
  readonly registry: Registry;
  /** How other processes of the installation reach this one. */
  readonly address: WriterAddress;
  /** Starts what answers further questions of the resource API, from what is live. */
  readonly extend: (parts: {
    readonly database: Database;
    readonly sealing: Sealing;
    readonly store: SharedStore<Operation>;
    readonly live: LiveObjects;
  }) => Promise<Extension>;
}): Promise<ControlPlane> {
  const { kinds, paths, believed, log, registry } = options;
  const parts: Part[] = [];
  const close = (msMax?: number): Promise<void> => stopAll(parts.splice(0).reverse(), log, msMax);
  try {
    const postgres =
      options.databaseUrl === undefined
        ? await startEmbeddedPostgres({ dataDirectory: options.dataDirectory, log, signal: options.signal })
        : undefined;
    if (postgres !== undefined) parts.push({ name: 'PostgreSQL', stop: postgres.close, isWaitedFor: true });
    const url = options.databaseUrl ?? postgres?.url ?? '';
    const database = openDatabase(url);
    log.info({ database: databaseName(url), isEmbedded: postgres !== undefined }, 'this is the database');
    parts.push({ name: 'database', stop: database.close });
    await untilAnswers(database, log, options.signal);
    await migrate(database, options.migrations);
    // Whichever process writes, and whatever its own clock shows: times on record follow each other.
    const databaseTime = options.clock === undefined ? await databaseClock(database, systemTime, log) : undefined;
    parts.push({ name: 'clock', stop: () => databaseTime?.stop() });
    const clock = options.clock ?? databaseTime?.clock ?? systemClock;
    const sealing = await sealingWith(options.encryptionKeyFile);
    const prepared = prepareAccess({ database, sealing, kinds, paths, believed, clock, log });
    const admission = allAdmissions(prepared.admission, releaseGuard, ownTypesGuard(ownTypes(options.ownEventTypes)));
    const store = await openSharedStore<Operation>({
      database,
      kinds: kinds.all,
      decide: decideWith(kinds, admission),
      sealing,
      clock,
      log,
      address: () => options.address,
      deliver,
      placeOf: ({ kind, namespace, name }) => ({ kind, namespace, name }),
    });
    parts.push({ name: 'store', stop: store.close });
    const upkeep = namespaceUpkeep(store);
    if (upkeep.length > 0) await store.write(upkeep, { user: 'system:start', requestId: 'first-start' });
    const access = await prepared.join(store);
    parts.push({ name: 'access', stop: access.stop });
    const compact = async () => {
      await access.compact({ historyDays: options.historyDays });
      await tidyKeptWindows(database.patient, clock());
      return store.compact({ historyDays: options.historyDays });
    };
    const compaction = setInterval(() => {
      if (!store.isWriter()) return;
      compact().then(
        (rows) => log.info({ rows }, 'history was compacted'),
        (error: unknown) => log.error({ err: error }, 'history could not be compacted'),
      );
    }, COMPACT_MS);
    parts.push({ name: 'compaction', stop: () => clearInterval(compaction) });
    const { live, filled } = followLive(store, kinds, inTurns);
    await filled;
    let releases: ReleaseEngine | undefined;
    const mayApprove: MayApprove = (user, name) =>
      access.may(user, {
        verb: 'create',
        group: Release.group,
        resource: Release.plural,
        subresource: 'approve',
        namespace: '',
        name,
      });
    const target = decisionPlane({ store, live, kinds });
    const releaseMetrics = controllerMetrics(registry)('releases');
    const notificationMetrics = controllerMetrics(registry)('notifications');
    let notifications: { readonly stop: () => Promise<void> } | undefined;
    const extension = await options.extend({ database, sealing, store, live });
    parts.push({ name: 'extension', stop: extension.close });
    const decisions = decisionsSource(database);
    const prometheus = prometheusSource({ store, database });
    const sourceOf: SourceOf = ({ metric, prometheus: asks }) => {
      if (asks !== undefined) return prometheus;
      return metric === undefined ? decisions : extension.metrics;
    };
    store.onWriter((isWriter) => {
      void releases?.stop();
      void notifications?.stop();
      const shared = {
        store,
        live,
        kinds,
        mayApprove,
        target,
        clock,
        // A clock that is handed in is all the time there is.
        steadyMs: databaseTime === undefined ? () => clock().epochMilliseconds : systemTime.nowMs,
        time: systemTime,
        random: Math.random,
        log,
        metrics: releaseMetrics,
      };
      const evidence = releaseEvidence({ database, sourceOf, time: systemTime, log });
      releases = isWriter ? runReleases({ ...shared, evidence, knownUnits: extension.knownUnits }) : undefined;
      const linkTo = (name: string) => `${options.address.url}${RELEASES_PATH}/${name}`;
      notifications = isWriter ? runNotifications({ ...shared, linkTo, metrics: notificationMetrics }) : undefined;
    });
    parts.push({ name: 'releases', stop: () => Promise.all([releases?.stop(), notifications?.stop()]) });
    const examined = advisedStore(
      tellingOfFirstClient(examinedStore(store, extension.examiners), options.openAnswers),
      [
        ...releaseAdvisors({ store, kinds, knownUnits: extension.knownUnits, clock }),
        clientAdvisor(paths, clock),
        aliasAdvisor,
        ...extension.advisors,
      ],
      (operations) => deletionAdvice(operations, live, kinds),
    );
    const applyChangeSet = changeSets({
      store: examined,
      kinds,
      live,
      mayAsk: admission.mayAsk,
      knownUnits: extension.knownUnits,
      clock,
    });
    const commands = releaseCommands({ store, kinds, mayApprove, clock });
    const judging = judgements({ store, database });
    const virtual = new Map([
      ...access.virtual,
      [ChangeSet.id, applyChangeSet],
      ...commands,
      ...judging,
      ...releaseChanges({ store, live, kinds, clock }),
      ...extension.virtual,
    ]);
    const { authority, serviceAccounts } = access;
    const virtualLists = new Map([...access.virtualLists, ...extension.virtualLists]);
    const api = resourceApi({
      store: examined,
      kinds,
      clock,
      version,
      virtual,
      virtualLists,
      authority,
      watchMetrics: watchMetrics(registry),
    });
    gauge(registry, 'backline_store_writer', '1 in the process that writes.', () => Number(store.isWriter()));
    gauge(registry, 'backline_store_version', 'The version of the last published write.', store.version);
    const listed = kinds.all.filter(({ verbs }) => verbs.includes('list'));
    gauges(
      registry,
      'backline_objects',
      'Objects that are declared.',
      () => listed.map((kind) => [{ resource: kind.plural, group: kind.group }, store.count(kind)] as const),
      ['resource', 'group'],
    );
    const failed = Promise.race([store.lost, ...(postgres === undefined ? [] : [postgres.died])]);
    return {
      database,
      store,
      releases: () => releases,
      api,
      changeSets: applyChangeSet,
      serviceAccounts,
      authorize: authority.authorize,
      failed,
      close,
    };
  } catch (error) {
    await close();
    throw operatorsError(error);
  }
}

/** Makes the namespaces that are always there, and labels those that were made before there was the label. */
function namespaceUpkeep(store: SharedStore<Operation>): Operation[] {
  const unlabelled = [...store.list(Namespace)].filter(({ name, labels }) => !isLabelledByName(labels, name));
  return [
    ...FIRST_NAMESPACES.filter((name) => store.get(Namespace, '', name) === undefined).map(namespaceOperation),
    ...unlabelled.map(({ name }): Operation => {
      const place = { kind: Namespace.id, namespace: '', name };
      return { ...place, verb: 'patch', part: 'main', patchType: 'merge', patch: {}, fieldValidation: 'Ignore' };
    }),
  ];
}

function namespaceOperation(name: string): Operation {
  const object = { apiVersion: Namespace.apiVersion, kind: Namespace.kind, metadata: { name } };
  return { verb: 'apply', kind: Namespace.id, namespace: '', name, object, uid: crypto.randomUUID() };
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
    opened: () => {
      open += 1;
    },
    closed: () => {
      open -= 1;
    },
    droppedAsSlow: () => dropped.inc(),
  };
}
