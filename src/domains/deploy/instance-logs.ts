import { join } from 'node:path';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import type { LocalRuntime } from '#kernel/controllers/module-controller.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { Component } from './kinds/component.ts';
import { Instance } from './kinds/instance.ts';
import { InstanceLog } from './kinds/instance-log.ts';
import { LocalAgent } from './local-cluster/local-agent.ts';
import { deployRefusal } from './refusals.ts';

/** Answers questions for logs that are posted below an Instance. */
export function instanceLogs(parts: {
  readonly client: Pick<ResourceClient, 'get'>;
  readonly localRuntime: Pick<LocalRuntime, 'directory'> | undefined;
}): ReadonlyMap<string, VirtualKind> {
  const { client, localRuntime } = parts;
  const answer: VirtualKind = async (object, { namespace = '', name = '' }) => {
    const { lines: linesMax, revision, text } = InstanceLog.spec(object);
    const instance = await client.get(Instance, { namespace, name });
    if (instance === undefined) {
      throw deployRefusal('unknown-instance', `There is no Instance ${name} in ${namespace}.`);
    }
    const { component, cluster } = Instance.spec(instance);
    if (localRuntime === undefined) throw unreachable(cluster, 'this server has no local runtime');
    const agent = new LocalAgent({ cluster, directory: join(localRuntime.directory, cluster) });
    const chosen = { ...(revision === undefined ? {} : { revision }), ...(text === undefined ? {} : { text }) };
    const replicas = await agent
      .logs(liveName(Component, namespace, component), { ...chosen, linesMax })
      .catch((error: unknown) => {
        throw unreachable(cluster, error instanceof Error ? error.message : String(error));
      });
    return { ...object, status: { replicas } };
  };
  return new Map([[`${Instance.id}/log`, answer]]);
}

function unreachable(cluster: string, why: string): Error {
  return deployRefusal('cluster-unreachable', `Cluster ${cluster} is not reached: ${why}.`);
}
