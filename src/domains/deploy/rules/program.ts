import type { ObjectSelector } from '#kernel/api/codec/requirements.ts';
import type { Program } from './cluster-state.ts';

/** The spec of a Component, as the rules read it. */
export interface ComponentSource {
  readonly workload: 'service' | 'worker';
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly readinessPath?: string;
  readonly livenessPath?: string;
  readonly probeSeconds: number;
  readonly graceSeconds: number;
  readonly progressSeconds: number;
  readonly replicas: number;
  readonly hosts?: readonly string[];
  readonly stickyHeader?: string;
  readonly clusters: ObjectSelector;
}

export function programOf(spec: ComponentSource): Program {
  const { workload, command, env = {}, files = {}, readinessPath, livenessPath, probeSeconds, graceSeconds } = spec;
  const [first = '', ...rest] = command;
  return {
    command: [first, ...rest],
    env,
    files,
    ...(workload === 'worker'
      ? {}
      : {
          http: {
            ...(readinessPath === undefined ? {} : { readinessPath }),
            ...(livenessPath === undefined ? {} : { livenessPath }),
          },
        }),
    probeSeconds,
    graceSeconds,
  };
}

/** The hosts of a Component, by its live name `NAMESPACE/NAME`. */
export function hostsOf(
  name: string,
  { workload, hosts }: Pick<ComponentSource, 'workload' | 'hosts'>,
): readonly string[] {
  if (workload === 'worker') return [];
  const [namespace = '', own = ''] = name.split('/');
  return hosts ?? [`${own}.${namespace}.localhost`];
}
