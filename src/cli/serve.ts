import { isIP } from 'node:net';
import type { LogLevel } from '#kernel/base/log.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { connectionFrom } from './api/connection.ts';
import { CliFailure, EXIT } from './terminal/failure.ts';
import type { Io } from './terminal/io.ts';

/** Options that `up` and `serve` share. */
export interface ListenOptions {
  readonly port: number;
  readonly host: string;
  readonly publicName?: readonly string[];
  readonly data: string;
  readonly tokenFile?: string;
  readonly trustedProxy?: string[];
  readonly serviceAccountIssuer?: string;
  readonly oidcIssuerUrl?: string;
  readonly oidcClientId?: string;
  readonly oidcUsernameClaim?: string;
  readonly oidcUsernamePrefix?: string;
  readonly oidcGroupsClaim?: string;
  readonly oidcGroupsPrefix?: string;
  readonly oidcCaFile?: string;
  readonly encryptionKeyFile?: string;
  readonly historyDays: number;
  readonly eventTtlMinutes: number;
  readonly datasets?: string;
  readonly rollUpSeconds: number;
  readonly allowOutbound?: readonly string[];
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
}

export interface UpOptions extends ListenOptions {
  readonly sample: boolean;
  readonly simulation: boolean;
}

export interface ServeOptions extends ListenOptions {
  readonly role: readonly ('api' | 'decide' | 'controllers' | 'ingest')[];
  readonly api?: string;
  readonly kubeconfig?: string;
  readonly embedded?: boolean;
}

/** `backline up`: everything in one process, with the sample business on the first start. */
export async function up(options: UpOptions, io: Io): Promise<number> {
  const { run } = await import('#planes/run.ts');
  return run({
    ...listening(options, io),
    // A developer runs other servers beside it, such as a Prometheus.
    mayReachThisMachine: true,
    localRuntime: true,
    roles: ['api', 'decide', 'controllers', 'ingest'],
    sample: options.sample,
    simulation: options.simulation,
  });
}

/** `backline serve`: one role, as often as is needed, against DATABASE_URL. */
export async function serve(options: ServeOptions, io: Io): Promise<number> {
  const common = listening(options, io);
  requireDatabase(options, common.databaseUrl);
  const { run } = await import('#planes/run.ts');
  return run({
    ...common,
    roles: options.role,
    mayReachThisMachine: false,
    localRuntime: false,
    sample: false,
    simulation: false,
    follow: serverToFollow(options, io),
  });
}

/** Roles that keep something: a process that finds no database must not begin with an empty one of its own. */
const KEEPING = ['api', 'controllers', 'ingest'] as const;

function requireDatabase({ role, embedded }: ServeOptions, databaseUrl: string | undefined): void {
  const keeping = KEEPING.filter((one) => role.includes(one));
  if (databaseUrl !== undefined || embedded === true || keeping.length === 0) return;
  throw new CliFailure(`serve --role ${keeping.join(' ')} needs a database, and DATABASE_URL names none.`, {
    exitCode: EXIT.usage,
    remedy: 'Set DATABASE_URL, or say --embedded to run a PostgreSQL in the data folder.',
  });
}

/** The API server that a process without one follows. */
export function serverToFollow(
  { role, api, kubeconfig }: ServeOptions,
  io: Pick<Io, 'env' | 'directory'>,
): Connection | undefined {
  if (role.includes('api')) return undefined;
  const { server, ca, token } = connectionFrom(
    { ...(api !== undefined && { server: api }), ...(kubeconfig !== undefined && { kubeconfig }) },
    io,
  );
  return { server, ca, token: token ?? io.env['BACKLINE_TOKEN'] };
}

function listening(options: ListenOptions, io: Io) {
  const { port, host, data, quiet, logLevel, tokenFile, encryptionKeyFile, historyDays, datasets, rollUpSeconds } =
    options;
  const databaseUrl = io.env['DATABASE_URL'];
  return {
    port,
    host,
    publicNames: options.publicName,
    data,
    quiet: quiet === true,
    logLevel,
    databaseUrl: databaseUrl === '' ? undefined : databaseUrl,
    quotaDatabaseUrls: (io.env['QUOTA_DATABASE_URLS'] ?? '').split(/[\s,]+/).filter((url) => url !== ''),
    historyDays,
    eventTtlMinutes: options.eventTtlMinutes,
    datasetsDirectory: datasets,
    rollUpSeconds,
    allowOutbound: options.allowOutbound ?? [],
    trustedProxies: trustedProxiesOf(options),
    access: { tokenFile, encryptionKeyFile, oidc: oidcOf(options), serviceAccountIssuer: issuerOf(options) },
  };
}

function trustedProxiesOf({ trustedProxy = [] }: ListenOptions): readonly string[] {
  for (const address of trustedProxy) {
    if (isIP(address) === 0)
      throw new CliFailure(`--trusted-proxy ${address} is no IP address; write it like 10.0.0.7.`, {
        exitCode: EXIT.usage,
      });
  }
  return trustedProxy;
}

/** As tokens name it: without a slash at its end. */
function issuerOf({ serviceAccountIssuer: url }: ListenOptions): string | undefined {
  if (url === undefined) return undefined;
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'https:' && parsed.search === '' && parsed.hash === '') return url.replace(/\/+$/, '');
  const text = `--service-account-issuer ${url} is no https address without query; write it like https://backline.example.com.`;
  throw new CliFailure(text, { exitCode: EXIT.usage });
}

function oidcOf(options: ListenOptions) {
  const { oidcIssuerUrl: issuerUrl, oidcClientId: clientId } = options;
  if (issuerUrl === undefined && clientId === undefined) return undefined;
  if (issuerUrl === undefined || clientId === undefined) {
    throw new CliFailure('--oidc-issuer-url and --oidc-client-id belong together.', { exitCode: EXIT.usage });
  }
  return {
    issuerUrl,
    clientId,
    usernameClaim: options.oidcUsernameClaim,
    usernamePrefix: options.oidcUsernamePrefix,
    groupsClaim: options.oidcGroupsClaim,
    groupsPrefix: options.oidcGroupsPrefix,
    caFile: options.oidcCaFile,
  };
}
