import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { allPages } from '../api/list-objects.ts';
import { EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { placeOf } from '../terminal/place-of.ts';
import { listInstances } from './instances.ts';
import { statusText, type ClusterObject, type ReleaseObject } from './status-text.ts';

export interface StatusOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly output: 'table' | 'json';
}

const RELEASES = '/apis/releases.backline.dev/v1/releases?fieldSelector=spec.open%3Dtrue&';
const CLUSTERS = '/apis/deploy.backline.dev/v1/clusters';

/** `backline deploy status`: Components in their clusters, with the release under way. */
export async function status(component: string | undefined, options: StatusOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const place = component === undefined ? undefined : placeOf(component, options, connection);
  const namespace = place?.namespace ?? options.namespace;
  const [instances, clusters, pages] = await Promise.all([
    listInstances(connection, { namespace, component: place?.name }),
    call(connection, 'GET', CLUSTERS) as Promise<{ readonly items: readonly ClusterObject[] }>,
    allPages<{ readonly metadata: object; readonly items: readonly ReleaseObject[] }>(
      connection,
      RELEASES,
      'application/json',
    ),
  ]);
  if (options.output === 'json') {
    io.exact.write(`${JSON.stringify(instances, null, 2)}\n`);
    return EXIT.ok;
  }
  if (instances.length === 0) io.stderr.write('No Component runs (kubectl get components shows what is declared).\n');
  else
    io.stdout.write(
      `${statusText(
        instances,
        clusters.items,
        pages.flatMap(({ items }) => items),
      )}\n`,
    );
  return EXIT.ok;
}
