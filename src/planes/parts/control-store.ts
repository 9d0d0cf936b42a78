import { prepareAccess, type JoinedAccess } from '#kernel/access/access.ts';
import { sealingWith } from '#kernel/access/encryption.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import { pause, systemTime } from '#kernel/base/time.ts';
import { inTurns } from '#kernel/base/turns.ts';
import { ownTypes, ownTypesGuard } from '#kernel/events/built-in-types.ts';
import { databaseClock } from '#kernel/postgres/database-clock.ts';
import { databaseName, openDatabase, type Database } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { untilAnswers } from '#kernel/postgres/wait.ts';
import { definitionGuard } from '#kernel/releases/defined-kinds/guard-definitions.ts';
import { releaseGuard } from '#kernel/releases/engine/guard.ts';
import { changePolicies } from '#kernel/admission/change-policies/review-changes.ts';
import { policyAdmission } from '#kernel/admission/policy-admission.ts';
import { definitionAdmission } from '#kernel/definitions/definition-admission.ts';
import { definitionChecks } from '#kernel/definitions/definition-checks.ts';
import { openConversions, type Conversions } from '#kernel/definitions/conversion/conversions.ts';
import type { DefinedKind } from '#kernel/definitions/follow-definitions.ts';
import { readDefinitions } from '#kernel/definitions/read-definitions.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { isLabelledByName } from '#kernel/kinds/builtin/namespace-label.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Sealing, Unblock } from '#kernel/store/contract.ts';
import { openSharedStore, type SharedStore } from '#kernel/store/shared-store.ts';
import { allAdmissions, decideWith, type Admission } from '#kernel/store/rules/write.ts';
import type { HeadSource } from '#kernel/snapshots/head-state.ts';
import { followLive } from '#kernel/snapshots/live-heads.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { migrationsOf, declaredPaths, describedModules, targetsOf } from './catalogue.ts';
import { deliver } from './peers.ts';
import type { SharedParts } from './shared.ts';

/** There from the first start on. */
const FIRST_NAMESPACES = ['default', SYSTEM_NAMESPACE];

/** The base of everything that writes: PostgreSQL, the store, RBAC and the live objects. */
export interface ControlStore {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly clock: Clock;
  /** Time that only moves forward; that of a clock which is handed in. */
  readonly steadyMs: () => number;
  readonly store: SharedStore<Operation>;
  /** Kinds that the store was opened with, by the names of their definitions. */
  readonly definitions: ReadonlyMap<string, DefinedKind>;
  readonly conversions: Conversions;
  readonly admission: Admission;
  readonly access: JoinedAccess;
  readonly live: LiveObjects;
  /** For those who follow what is live in this process. */
  readonly heads: HeadSource;
  /** Resolves with a sentence when it can no longer work. */
  readonly failed: Promise<string>;
}

/** Opens PostgreSQL, unless an address names one, brings its schema up to date, and fills the store from it. */
export async function openControlStore(shared: SharedParts): Promise<ControlStore> {
  const { options, lifetime, modules, kinds, authenticators, dataDirectory, log } = shared;
  const postgres =
    options.databaseUrl === undefined
      ? await lifetime.open(
          'PostgreSQL',
          () => startEmbeddedPostgres({ dataDirectory, log, signal: options.signal }),
          (server) => server.close(),
          { isWaitedFor: true },
        )
      : undefined;
  const url = options.databaseUrl ?? postgres?.url ?? '';
  const database = await lifetime.open(
    'database',
    () => openDatabase(url),
    (open) => open.close(),
  );
  await lifetime.step('first answer of the database', () => untilAnswers(database, log, options.signal));
  log.info({ database: databaseName(url), isEmbedded: postgres !== undefined }, 'database: connected');
  await lifetime.step('migrations', () => untilCurrent(shared, database));
  const time = await openTime(shared, database);
  const sealing = await lifetime.step('encryption keys', () => sealingWith(shared.encryptionKeyFile));
  const paths = declaredPaths(describedModules(modules, log));
  const prepared = prepareAccess({
    database,
    sealing,
    kinds,
    paths,
    authenticators,
    clock: time.clock,
    tokenIssuer: shared.options.access?.serviceAccountIssuer,
    log,
  });
  // Writes of the start itself come before the live objects are known.
  let known = new LiveObjects(kinds);
  const admission = {
    ...allAdmissions(
      prepared.admission,
      releaseGuard,
      ownTypesGuard(ownTypes(shared.eventTypes)),
      definitionAdmission,
      definitionGuard({ kinds, targets: targetsOf(modules), live: () => known }),
    ),
    ...policyAdmission(kinds, prepared.judge),
    ...changePolicies(kinds, () => known),
  };
  const definitions = await lifetime.step('definitions', () => readDefinitions(database.patient, kinds, log));
  const conversions = openConversions(shared.outbound);
  const store = await lifetime.open(
    'store',
    () =>
      openSharedStore<Operation>({
        database,
        kinds: kinds.all,
        decide: decideWith(kinds, admission),
        sealing,
        clock: time.clock,
        log,
        address: () => shared.address,
        deliver,
        unblock: joinUnblocks(conversions.unblock, definitionChecks()),
        placeOf: ({ kind, namespace, name }) => ({ kind, namespace, name }),
      }),
    (open) => open.close(),
  );
  const access = await lifetime.open(
    'access',
    () => prepared.join(store),
    (joined) => joined.stop(),
  );
  await lifetime.step('first objects', () => declareFirstObjects(store, access, log));
  const { live, source: heads } = await lifetime.step('live objects', async () => {
    const following = followLive(store, kinds, inTurns);
    await following.filled;
    known = following.live;
    return following;
  });
  const failed = Promise.race([store.lost, ...(postgres === undefined ? [] : [postgres.died])]);
  return { database, sealing, ...time, store, definitions, conversions, admission, access, live, heads, failed };
}

/** Each removes the reasons of its own. */
function joinUnblocks(...all: readonly Unblock[]): Unblock {
  return {
    groupOf: (reason) => all.map((one) => one.groupOf(reason)).find((group) => group !== undefined),
    remove: async (reasons, signal) => {
      for (const one of all) {
        const own = reasons.filter((reason) => one.groupOf(reason) !== undefined);
        if (own.length > 0) await one.remove(own, signal);
      }
    },
  };
}

/** Brings the schema up to date. A database that would have to be changed and takes no writes is waited for. */
async function untilCurrent({ options, modules, log }: SharedParts, database: Database): Promise<void> {
  const outage = new Outage(log, 'migrations: cannot bring the schema up to date');
  const signal = options.signal ?? new AbortController().signal;
  for (;;) {
    signal.throwIfAborted();
    try {
      await migrate(database, migrationsOf(modules));
      return outage.noteRecovery();
    } catch (error) {
      if (!(error instanceof Refusal && error.code === 'postgres/read-only')) throw error;
      await pause(systemTime, outage.noteFailure(error), signal);
    }
  }
}

/** Declares namespaces and default roles that are missing: now, or when this process can write. */
async function declareFirstObjects(
  store: SharedStore<Operation>,
  access: Pick<JoinedAccess, 'complete'>,
  log: Log,
): Promise<void> {
  const declare = async (): Promise<void> => {
    const upkeep = namespaceUpkeep(store);
    if (upkeep.length > 0) await store.write(upkeep, { user: 'system:start', requestId: 'first-start' });
    await access.complete();
  };
  try {
    await declare();
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'resources/not-writer')) throw error;
    log.warn({ error: error.message }, 'start: cannot declare namespaces and default roles; retrying as the writer');
    store.onWriter((isWriter) => {
      if (isWriter)
        declare().catch((again: unknown) =>
          log.error({ err: again }, 'start: cannot declare namespaces and default roles'),
        );
    });
  }
}

/**
 * The clock of all writes. It is the time of the database, so that times on record are ordered whichever process writes;
 * or the clock of the options, which then is the only one.
 */
async function openTime(
  { options: { clock }, lifetime, log }: SharedParts,
  database: Database,
): Promise<Pick<ControlStore, 'clock' | 'steadyMs'>> {
  if (clock !== undefined) return { clock, steadyMs: () => clock().epochMilliseconds };
  const databaseTime = await lifetime.open(
    'clock',
    () => databaseClock(database, systemTime, log),
    (open) => open.stop(),
  );
  return { clock: databaseTime.clock, steadyMs: systemTime.nowMs };
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
