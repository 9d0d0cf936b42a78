import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { oneLine, type Io } from '../terminal/io.ts';
import { placeOf } from '../terminal/place-of.ts';
import { instancePath, listInstances } from './instances.ts';

export interface LogOptions extends ConnectionOptions {
  readonly namespace?: string;
  readonly cluster?: string;
  readonly revision?: string;
  readonly text?: string;
  readonly lines: number;
}

interface LogAnswer {
  readonly status: { readonly replicas: readonly { readonly replica: string; readonly lines: readonly string[] }[] };
}

/** `backline deploy logs`: the last lines of the replicas, each behind its cluster and replica. */
export async function logs(component: string, options: LogOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const { namespace, name } = placeOf(component, options, connection);
  const all = await listInstances(connection, { namespace, component: name });
  const { cluster, revision, text, lines } = options;
  const chosen = all.filter(({ spec }) => cluster === undefined || spec.cluster === cluster);
  if (chosen.length === 0) {
    const clusters = all.map(({ spec }) => spec.cluster).join(', ');
    throw new CliFailure(`${namespace}/${name} runs in no cluster${cluster === undefined ? '' : ` ${cluster}`}.`, {
      remedy: clusters === '' ? 'See kubectl get instances -A.' : `It runs in ${clusters}.`,
    });
  }
  const spec = { lines, ...(revision === undefined ? {} : { revision }), ...(text === undefined ? {} : { text }) };
  for (const instance of chosen) {
    const body = { apiVersion: 'deploy.backline.dev/v1', kind: 'InstanceLog', metadata: {}, spec };
    const { status } = (await call(connection, 'POST', `${instancePath(instance)}/log`, { body })) as LogAnswer;
    for (const { replica, lines: found } of status.replicas) {
      for (const line of found) io.stdout.write(`${instance.spec.cluster} ${replica} ${oneLine(line)}\n`);
    }
  }
  return EXIT.ok;
}
