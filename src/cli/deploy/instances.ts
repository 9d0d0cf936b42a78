import type { Connection } from '#kernel/api/client/http.ts';
import { allPages } from '../api/list-objects.ts';

const API = '/apis/deploy.backline.dev/v1';

/** An Instance, as verbs read it. */
export interface InstanceObject {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: { readonly component: string; readonly cluster: string };
  readonly status?: {
    readonly state: string;
    readonly observed: string;
    readonly message?: string;
    readonly tracks: readonly {
      readonly revision: string;
      readonly weight: number;
      readonly replicas: number;
      readonly ready: number;
      readonly restarts: number;
    }[];
  };
}

/** The Instances of one Component, of a namespace, or all; by component and cluster. */
export async function listInstances(
  connection: Connection,
  { namespace, component }: { readonly namespace: string | undefined; readonly component: string | undefined },
): Promise<readonly InstanceObject[]> {
  const root = namespace === undefined ? API : `${API}/namespaces/${encodeURIComponent(namespace)}`;
  const selector = component === undefined ? '' : `fieldSelector=${encodeURIComponent(`spec.component=${component}`)}&`;
  const pages = await allPages<{ readonly metadata: object; readonly items: readonly InstanceObject[] }>(
    connection,
    `${root}/instances?${selector}`,
    'application/json',
  );
  return pages.flatMap(({ items }) => items);
}

export function instancePath({ metadata: { namespace, name } }: InstanceObject): string {
  return `${API}/namespaces/${encodeURIComponent(namespace)}/instances/${encodeURIComponent(name)}`;
}
