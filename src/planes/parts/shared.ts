import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Registry } from 'prom-client';
import { adminToken, administrator } from '#kernel/access/authentication/admin-token.ts';
import type { Authenticator } from '#kernel/access/authentication/authenticate.ts';
import {
  configureAuthenticators,
  type AuthenticatorOptions,
} from '#kernel/access/authentication/configure-authenticators.ts';
import { keepCertificate, serverIdentity } from '#kernel/access/certificates.ts';
import { systemClock, type Clock } from '#kernel/base/clock.ts';
import { startRefusal } from '#planes/refusals.ts';
import type { Lifetime } from '#kernel/base/lifetime.ts';
import type { Log } from '#kernel/base/log.ts';
import { makeFolder } from '#kernel/base/make-folder.ts';
import { systemTime } from '#kernel/base/time.ts';
import type { PathAccess } from '#kernel/access/authorization/path-access.ts';
import type { OwnEventType } from '#kernel/events/built-in-types.ts';
import { healthRoutes, type ReadinessCheck } from '#kernel/http/health.ts';
import { gauge, httpMetrics, openRegistry } from '#kernel/http/metrics.ts';
import { routeRequests, type Handler, type Route } from '#kernel/http/router.ts';
import { serveHttp, type HttpServer } from '#kernel/http/server.ts';
import type { Module } from '#kernel/modules/module.ts';
import { parseAllowedHosts } from '#kernel/outbound/address-policy.ts';
import { openOutbound, type Outbound } from '#kernel/outbound/outbound.ts';
import { resourceRoutes } from '#kernel/api/server/handler.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { WriterAddress } from '#kernel/store/forwarding.ts';
import { OpenAnswers } from '#kernel/snapshots/open-answers.ts';
import { kindsOf, ownEventTypes } from './catalogue.ts';
import { peerAddress } from './peers.ts';

export type Role = 'api' | 'decide' | 'controllers' | 'ingest';

/** How callers are authenticated, and where the encryption keys of secrets are. */
export interface AccessOptions extends AuthenticatorOptions {
  /** Default `encryption-keys` in the data directory. */
  readonly encryptionKeyFile?: string | undefined;
}

/** The parts of the control plane that declare the first objects. */
export interface FirstDeclarations {
  readonly store: Pick<Store<Operation>, 'get' | 'count'>;
  readonly changeSets: VirtualKind;
}

export interface StartOptions {
  /** The domains that are served. */
  readonly modules: readonly Module[];
  readonly roles: readonly Role[];
  readonly host: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /** DNS names that clients and proxies use for this server, beside those that it knows itself. */
  readonly publicNames?: readonly string[] | undefined;
  /** Addresses of proxies that open connections for many. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Where keys, tokens, the kubeconfig and the embedded PostgreSQL are. */
  readonly dataDirectory: string;
  /** A PostgreSQL to use instead of the embedded one. */
  readonly databaseUrl?: string | undefined;
  /** PostgreSQL databases that use is spread over, by subject; without them it is in the other one. */
  readonly quotaDatabaseUrls?: readonly string[] | undefined;
  /** The API server to follow, and to write to, when this process does not run one. */
  readonly follow?: Connection | undefined;
  readonly access?: AccessOptions | undefined;
  /** Where the files of datasets lie; default `datasets` in the data directory. */
  readonly datasetsDirectory?: string | undefined;
  /** How often the event log is rolled into files. */
  readonly rollUpSeconds?: number | undefined;
  /** How long past versions and the audit record are kept. */
  readonly historyDays?: number | undefined;
  /** How long Events are kept after their last write. */
  readonly eventTtlMinutes?: number | undefined;
  /** Done as soon as there is a control plane, before controllers and decisions begin. */
  readonly prepare?: ((control: FirstDeclarations) => Promise<void>) | undefined;
  readonly clock?: Clock;
  /** Hosts that declared objects may reach although they are not public, see `parseAllowedHosts`; default none. */
  readonly allowOutbound?: readonly string[] | undefined;
  /** Whether declared objects may run programs on this machine: Components in local clusters. */
  readonly localRuntime?: boolean | undefined;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the name of each step before it runs; tests let one fail. */
  readonly beginStep?: ((name: string) => void) | undefined;
  readonly log: Log;
}

/** The callers of a path: everybody, authenticated users, other processes, or those that the decision gate admits. */
export type AskedBy = 'everybody' | 'users' | 'peers' | PathAccess;

/** The routes and readiness checks that one role adds to the process. */
export interface RoleParts {
  readonly routes: readonly Route<AskedBy>[];
  readonly checks: readonly ReadinessCheck[];
}

/** The parts that all roles of one process share. */
export interface SharedParts {
  readonly options: StartOptions;
  readonly lifetime: Lifetime;
  readonly roles: ReadonlySet<Role>;
  readonly modules: readonly Module[];
  readonly kinds: KindRegistry;
  /** Types of events that modules write. */
  readonly eventTypes: readonly OwnEventType[];
  readonly dataDirectory: string;
  /** Where local clusters are; undefined where nothing that is declared may run here. */
  readonly localClusters: { readonly directory: string } | undefined;
  readonly encryptionKeyFile: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly server: HttpServer;
  /** Names under which the server is asked without TLS. */
  readonly ownNames: ReadonlySet<string>;
  /** PEM of the authority behind the server's certificate. */
  readonly ca: string;
  /** The administrator's. */
  readonly token: string;
  /** The authenticators of the configuration; ServiceAccounts are declared. */
  readonly authenticators: readonly Authenticator[];
  /** How other processes of the installation reach this one. */
  readonly address: WriterAddress;
  /** Where requests that declared objects cause go through. */
  readonly outbound: Outbound;
  /** Questions that this process answers without a credential; undefined where it answers none. */
  readonly openAnswers: OpenAnswers | undefined;
}

/** Takes the port before anything else starts: other processes must be able to reach a writer. */
export async function openShared(options: StartOptions, lifetime: Lifetime): Promise<SharedParts> {
  const { log, host, access = {}, modules, clock = systemClock, publicNames = [] } = options;
  const roles = new Set(options.roles);
  const dataDirectory = resolve(options.dataDirectory);
  const names = [...new Set([host, '127.0.0.1', '::1', 'localhost', hostname(), ...publicNames])].filter(
    (name) => !EVERY_INTERFACE.has(name),
  );
  const ownNames = new Set(names.map((name) => name.toLowerCase()));
  const ownIdentity = () => serverIdentity(join(dataDirectory, 'pki'), names, clock());
  await lifetime.step('data directory', () => makeFolder(dataDirectory));
  const identity = await lifetime.step('certificate', ownIdentity);
  const token = await lifetime.step('administrator token', () => adminToken(join(dataDirectory, 'admin-token')));
  const configured = await lifetime.step('authentication', () => configureAuthenticators(access, clock, log));
  const allowed = await lifetime.step('allowed hosts', () => parseAllowedHosts(options.allowOutbound ?? []));
  const registry = openRegistry();
  const server = await lifetime.open(
    'port',
    () =>
      serveHttp({
        host,
        port: options.port,
        tls: identity,
        trustedProxies: options.trustedProxies,
        handle: routeRequests(startingRoutes(registry), ownNames),
        log,
        metrics: httpMetrics(registry),
      }),
    (open) => open.close(),
  );
  const certificate = await lifetime.open(
    'certificate renewal',
    () => keepCertificate({ first: identity, identity: ownIdentity, onRenewal: server.renew, time: systemTime, log }),
    (kept) => kept.stop(),
  );
  gauge(registry, 'backline_certificate_end_timestamp_seconds', 'When the server certificate ends, as Unix time.', () =>
    Math.floor(certificate.endsAtMs() / 1_000),
  );
  return {
    options,
    lifetime,
    roles,
    modules,
    kinds: kindsOf(modules),
    eventTypes: ownEventTypes(modules),
    dataDirectory,
    localClusters: options.localRuntime === true ? { directory: join(dataDirectory, 'local-clusters') } : undefined,
    encryptionKeyFile: access.encryptionKeyFile ?? join(dataDirectory, 'encryption-keys'),
    clock,
    log,
    registry,
    server,
    ownNames,
    ca: identity.ca,
    token,
    authenticators: [administrator(token), ...configured],
    address: peerAddress(`https://${reachableHost(host)}:${server.port}`, identity.ca),
    outbound: openOutbound({ allowed, log, registry }),
    openAnswers: roles.has('decide') ? new OpenAnswers() : undefined,
  };
}

/** The routes until the last role has started. */
function startingRoutes(registry: Registry): readonly Route[] {
  const check: ReadinessCheck = { name: 'start', problem: () => 'not everything is up yet' };
  const refuse: Handler = () => {
    throw startRefusal('starting', 'Backline is starting.', { retryAfterSeconds: 1 });
  };
  const everything: Route = {
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    path: '/**',
    by: 'everybody',
    deadline: 'stream',
    countedAs: 'other',
    handle: refuse,
  };
  return [...healthRoutes([check], registry), ...resourceRoutes(refuse), everything];
}

const EVERY_INTERFACE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** A host as other machines can use it in a URL. */
function reachableHost(host: string): string {
  return EVERY_INTERFACE.has(host) ? hostname() : inUrl(host);
}

/** A host as programs on this machine can use it in a URL. */
export function localHost(host: string): string {
  return EVERY_INTERFACE.has(host) ? '127.0.0.1' : inUrl(host);
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
