import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Connection } from '#kernel/api/client/http.ts';
import { CliFailure } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';

/** Options of the command line about the server. */
export interface ConnectionOptions {
  readonly kubeconfig?: string;
  readonly server?: string;
  readonly token?: string;
}

export interface NamespacedConnection extends Connection {
  /** The namespace that the kubeconfig names. */
  readonly namespace: string;
}

const KUBECONFIG_BESIDE = join('.backline', 'kubeconfig');

/**
 * Where the server is: `--kubeconfig`, else BACKLINE_KUBECONFIG, else `.backline/kubeconfig` in this folder or one above,
 * else the first file of KUBECONFIG that is there, which may be of another cluster. `--server` and `--token` override it.
 * Throws CliFailure when there is none.
 */
export function connectionFrom(options: ConnectionOptions, io: Pick<Io, 'env' | 'directory'>): NamespacedConnection {
  const named = options.kubeconfig ?? io.env['BACKLINE_KUBECONFIG'];
  const file =
    named === undefined || named === '' ? (findAbove(io.directory) ?? kubectls(io)) : resolve(io.directory, named);
  if (file === undefined) {
    if (options.server !== undefined) return override({ server: '', namespace: 'default' }, options);
    throw new CliFailure('there is no kubeconfig here, so I do not know where the server is.', {
      remedy:
        'Start one with `backline up`, or name one with --kubeconfig FILE, BACKLINE_KUBECONFIG, KUBECONFIG or --server URL.',
    });
  }
  return override(readKubeconfig(file), options);
}

function override(target: NamespacedConnection, { server, token }: ConnectionOptions): NamespacedConnection {
  if (server !== undefined && !/^https?:\/\//.test(server)) {
    throw new CliFailure(`--server ${server} is not a URL.`, { remedy: 'Write it like https://127.0.0.1:7700.' });
  }
  return { ...target, ...(server !== undefined && { server }), ...(token !== undefined && { token }) };
}

/** The file that kubectl would read first. */
function kubectls({ env, directory }: Pick<Io, 'env' | 'directory'>): string | undefined {
  const files = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  return files.map((file) => resolve(directory, file)).find((file) => existsSync(file));
}

function findAbove(directory: string): string | undefined {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    const file = join(folder, KUBECONFIG_BESIDE);
    if (existsSync(file)) return file;
    if (dirname(folder) === folder) return undefined;
  }
}

interface NamedEntry {
  readonly name?: string;
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly contexts?: readonly (NamedEntry & { context?: { cluster?: string; user?: string; namespace?: string } })[];
  readonly clusters?: readonly (NamedEntry & {
    cluster?: { server?: string; 'certificate-authority-data'?: string; 'certificate-authority'?: string };
  })[];
  readonly users?: readonly (NamedEntry & { user?: { token?: string; tokenFile?: string } })[];
}

function readKubeconfig(file: string): NamespacedConnection {
  const read = (path: string): string => {
    try {
      return readFileSync(resolve(dirname(file), path), 'utf8');
    } catch (error) {
      throw new CliFailure(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, {
        remedy: 'Name the kubeconfig of the API server with --kubeconfig FILE or BACKLINE_KUBECONFIG.',
      });
    }
  };
  const text = read(file);
  try {
    const config = (parse(text) ?? {}) as Kubeconfig;
    const findByName = <Item extends NamedEntry>(
      items: readonly Item[] | undefined,
      name: string | undefined,
    ): Item | undefined => items?.find((item) => item.name === name);
    const context = findByName(config.contexts, config['current-context'])?.context;
    const cluster = findByName(config.clusters, context?.cluster)?.cluster;
    const user = findByName(config.users, context?.user)?.user;
    if (cluster?.server === undefined) throw new Error('its current context names no cluster with a server');
    const embedded = cluster['certificate-authority-data'];
    const authority = cluster['certificate-authority'];
    const ca = embedded === undefined ? authority && read(authority) : Buffer.from(embedded, 'base64').toString();
    const token = user?.token ?? (user?.tokenFile && read(user.tokenFile).trim());
    return {
      server: cluster.server,
      namespace: context?.namespace ?? 'default',
      ...(ca !== undefined && { ca }),
      ...(token !== undefined && { token }),
    };
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(`${file} is not a kubeconfig: ${error instanceof Error ? error.message : String(error)}`);
  }
}
