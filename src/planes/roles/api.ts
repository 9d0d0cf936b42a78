import { join } from 'node:path';
import { invalidCredentials } from '#kernel/access/authentication/authenticate.ts';
import { kubeconfig } from '#kernel/access/kubeconfig.ts';
import { systemTime } from '#kernel/base/time.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { ReadinessCheck } from '#kernel/http/health.ts';
import { resourceRoutes } from '#kernel/api/server/handler.ts';
import { callersBy, type UserOf } from '../parts/callers.ts';
import { openControlStore } from '../parts/control-store.ts';
import { startControlPlane, type ControlPlane } from '../parts/control.ts';
import { eventTableOf, startEventPlane, type EventPlane } from '../parts/events.ts';
import type { DatabaseParts } from '../parts/database-parts.ts';
import { moduleCommands, openUnits } from '../parts/module-parts.ts';
import { forwardedWrites } from '../parts/peers.ts';
import { openRecords } from '../parts/records.ts';
import { localHost, type RoleParts, type SharedParts } from '../parts/shared.ts';

export interface ApiRole extends RoleParts {
  readonly control: ControlPlane;
  readonly kept: DatabaseParts;
  readonly events: EventPlane;
  readonly userOf: UserOf;
  /** Why it can no longer work; undefined as long as it can. */
  readonly failure: () => string | undefined;
}

/** Serves the resource API and runs releases; keeps the schema of the database up to date. */
export async function startApi(shared: SharedParts): Promise<ApiRole> {
  const { options, lifetime, modules, eventTypes, authenticators, clock, log, address } = shared;
  const base = await openControlStore(shared);
  const { database, sealing, store, live } = base;
  const records = await openRecords(shared, { database, sealing, isOwner: true });
  const kept = { database, sealing, records };
  const table = eventTableOf(store, live, eventTypes);
  const events = await startEventPlane(shared, kept, { world: () => live, table });
  const units = await lifetime.open(
    'units',
    () => openUnits(modules, { database, time: systemTime, log }),
    (open) => open.stop(),
  );
  const { query } = events;
  const commands = moduleCommands(modules, {
    records: records.ofModules,
    store,
    query,
    clock,
    localRuntime: shared.localClusters,
  });
  const control = await startControlPlane(shared, base, {
    ...events,
    virtual: new Map([...events.virtual, ...commands]),
    unitsOnRecord: units.of,
    advisors: modules.flatMap(
      ({ name, advisors }) => advisors?.(live, { clock: base.clock, records: records.ofModules.get(name) }) ?? [],
    ),
    statuses: modules.flatMap(({ name, statuses }) => statuses?.(live, records.ofModules.get(name)) ?? []),
  });
  const userOf = callersBy([...authenticators, control.serviceAccounts], control.impersonate);
  const failure = firstValue(control.failed);
  await lifetime.step('preparation', () => options.prepare?.(control));
  await lifetime.step('kubeconfig', () => writeKubeconfig(shared));
  const checks: readonly ReadinessCheck[] = [
    { name: 'store', problem: () => failure() ?? store.problem() },
    // Reads are right all the same.
    { name: 'writes', problem: store.refusedBecause, isWarning: true },
    events.check,
  ];
  const routes = [
    ...resourceRoutes(async (exchange, context) => {
      const user = await userOf(exchange);
      if (user === undefined) throw invalidCredentials();
      await control.api(exchange, context, user);
    }),
    forwardedWrites(address, store),
  ];
  return { control, kept, events, userOf, failure, checks, routes };
}

async function writeKubeconfig({ options, dataDirectory, server, ca, token }: SharedParts): Promise<void> {
  const url = `https://${localHost(options.host)}:${server.port}`;
  await writeWhole(kubeconfigIn(dataDirectory), kubeconfig({ server: url, ca, token }));
}

export function kubeconfigIn(dataDirectory: string): string {
  return join(dataDirectory, 'kubeconfig');
}

/** The value of a promise; undefined while it is pending. */
function firstValue<Value>(promise: Promise<Value>): () => Value | undefined {
  let value: Value | undefined;
  void promise.then((come) => {
    value = come;
  });
  return () => value;
}
