import { textTable } from '../terminal/text-table.ts';
import { oneLine } from '../terminal/io.ts';
import type { InstanceObject } from './instances.ts';

export interface ClusterObject {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly state: string; readonly message?: string; readonly address?: string };
}

export interface ReleaseObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly objects: readonly { readonly kind: string; readonly name: string }[] };
  readonly status?: { readonly phase: string; readonly message?: string };
}

const COMPONENT = 'deploy.backline.dev/Component';
const DIGITS = 10;

/** Components with a row for each cluster, and the release that changes them. */
export function statusText(
  instances: readonly InstanceObject[],
  clusters: readonly ClusterObject[],
  releases: readonly ReleaseObject[],
): string {
  const byName = Map.groupBy(
    instances,
    ({ metadata: { namespace }, spec: { component } }) => `${namespace}/${component}`,
  );
  const clusterOf = new Map(clusters.map((one) => [one.metadata.name, one]));
  return [...byName]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, rows]) => [oneLine(name), tableOf(rows, clusterOf), ...releaseLines(name, releases)].join('\n'))
    .join('\n\n');
}

function tableOf(rows: readonly InstanceObject[], clusterOf: ReadonlyMap<string, ClusterObject>): string {
  return textTable([
    ['  CLUSTER', 'STATE', 'RUNS', 'READY', 'RESTARTS', 'MESSAGE'],
    ...rows
      .toSorted((a, b) => (a.spec.cluster < b.spec.cluster ? -1 : 1))
      .map(({ spec: { cluster }, status }) => {
        const reach = clusterOf.get(cluster)?.status;
        // The Instance of a cluster that is not reached shows how it was.
        const isLost = reach !== undefined && reach.state !== 'ready';
        const tracks = status?.tracks ?? [];
        return [
          `  ${cluster}`,
          isLost ? 'unknown' : (status?.state ?? 'new'),
          tracks.map(({ revision, weight }) => `${revision.slice(0, DIGITS)} ${weight}%`).join(', '),
          tracks.map(({ ready, replicas }) => `${ready}/${replicas}`).join(', '),
          String(tracks.reduce((sum, { restarts }) => sum + restarts, 0)),
          (isLost ? reach.message : status?.message) ?? '',
        ];
      }),
  ]);
}

function releaseLines(component: string, releases: readonly ReleaseObject[]): readonly string[] {
  return releases
    .filter(({ spec: { objects } }) => objects.some(({ kind, name }) => kind === COMPONENT && name === component))
    .map(({ metadata: { name }, status }) =>
      oneLine(`  release ${name}: ${status?.phase ?? 'new'}. ${status?.message ?? ''}`.trimEnd()),
    );
}
