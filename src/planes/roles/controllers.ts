import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { systemTime } from '#kernel/base/time.ts';
import type { LocalRuntime } from '#kernel/controllers/module-controller.ts';
import { startInformer } from '#kernel/controllers/informer.ts';
import { CustomResourceDefinition } from '#kernel/definitions/kinds/custom-resource-definition.ts';
import { registerDefinitions } from '#kernel/definitions/register-definitions.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import { runControllers } from '../parts/controllers.ts';
import type { RoleParts, SharedParts } from '../parts/shared.ts';

/** Runs the controllers while this process holds their lease. */
export async function startControllers(shared: SharedParts, client: ResourceClient): Promise<RoleParts> {
  const { lifetime, kinds, modules, roles, clock, log, registry, localClusters } = shared;
  const identity = `${hostname()}_${randomUUID()}`;
  // Where there is an API server in this process, it keeps the kinds of definitions.
  if (!roles.has('api')) {
    const definitions = await lifetime.open(
      'definitions',
      () => startInformer({ client, kind: CustomResourceDefinition, time: systemTime, log }),
      (informer) => informer.stop(),
    );
    definitions.subscribe(registerDefinitions(kinds));
  }
  const localRuntime = localClusters === undefined ? undefined : openLocalRuntime(shared, localClusters);
  await lifetime.open(
    'controllers',
    () => runControllers({ client, kinds, modules, localRuntime, identity, clock, log, registry }),
    (candidate) => candidate.stop(),
  );
  return { routes: [], checks: [] };
}

/** Whatever runs on this machine for local clusters is stopped after the controllers, which would start it again. */
function openLocalRuntime({ lifetime }: SharedParts, clusters: Pick<LocalRuntime, 'directory'>): LocalRuntime {
  const stops: (() => Promise<void>)[] = [];
  lifetime.keep('local clusters', () => Promise.all(stops.map((stop) => stop())), { isWaitedFor: true });
  return { ...clusters, beforeStop: (stop) => stops.push(stop) };
}
