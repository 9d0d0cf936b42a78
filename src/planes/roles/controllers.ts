import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import { runControllers } from '../parts/controllers.ts';
import type { RoleParts, SharedParts } from '../parts/shared.ts';

/** Runs the controllers while this process holds their lease. */
export async function startControllers(shared: SharedParts, client: ResourceClient): Promise<RoleParts> {
  const { lifetime, kinds, modules, clock, log, registry } = shared;
  const identity = `${hostname()}_${randomUUID()}`;
  await lifetime.open(
    'controllers',
    () => runControllers({ client, kinds, modules, identity, clock, log, registry }),
    (candidate) => candidate.stop(),
  );
  return { routes: [], checks: [] };
}
