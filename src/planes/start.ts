import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock, type Clock } from '#kernel/base/clock.ts';
import { Refusal, refusalIn } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { stopAll } from '#kernel/base/stop-all.ts';
import type { Candidate } from '#kernel/controllers/leader.ts';
import { systemTime } from '#kernel/base/time.ts';
import { send, type Exchange } from '#kernel/http/exchange.ts';
import { answerHealth, type ReadinessCheck } from '#kernel/http/health.ts';
import { gauge, httpMetrics, openRegistry } from '#kernel/http/metrics.ts';
import { requireOwnHost, requireSingleHeaders, requireStorableUrl } from '#kernel/http/own-names.ts';
import { RateLimiter, type Rate } from '#kernel/http/rate.ts';
import { serveHttp, type HttpServerOptions } from '#kernel/http/server.ts';
import { keepCertificate, serverIdentity } from '#kernel/access/certificates.ts';
import { kubeconfig } from '#kernel/access/kubeconfig.ts';
import { adminToken, administrator } from '#kernel/access/authentication/admin-token.ts';
import { authenticateWith, notBelieved } from '#kernel/access/authentication/authenticate.ts';
import { configuredAuthenticators, type BelievedOptions } from '#kernel/access/authentication/configured.ts';
import { sendRefusal } from '#kernel/resources/api/answer.ts';
import type { DeclaredPath, PathAccess } from '#kernel/access/authorization/path-access.ts';
import type { PathAttributes, User } from '#kernel/resources/api/authority.ts';
import { RESOURCE_PATHS } from '#kernel/resources/api/handler.ts';
import { httpClient, type Connection } from '#kernel/resources/client/http.ts';
import { inProcessClient } from '#kernel/resources/client/in-process.ts';
import { decisionRouteNames, pathsOf, starred } from '#kernel/snapshots/decision-api.ts';
import { decisionOpenApi } from '#kernel/snapshots/openapi.ts';
import { SNAPSHOT_STREAM } from '#kernel/snapshots/stream.ts';
import { openDatabase, operatorsError, type Database } from '#kernel/postgres/database.ts';
import { watchDatabase, type Reachability } from '#kernel/postgres/reachability.ts';
import { sealingWith } from '#kernel/access/encryption.ts';
import { EVENTS, type EventTable } from '#kernel/events/event-table.ts';
import { INGEST_PATHS, isIngestPath } from '#kernel/events/ingest-api.ts';
import type { World } from '#kernel/resources/kind.ts';
import type { Sealing } from '#kernel/resources/store-contract.ts';
import { openRecords, type Records } from './records.ts';
import { startDecisionNode, type DecisionNode } from './decision-node.ts';
import { admitSender, eventTableOf, openEventLog, startEventPlane, type EventLog, type EventPlane } from './events.ts';
import { releaseWitness, SILENT_WITNESS } from './release-witness.ts';
import {
  allKinds,
  allMigrations,
  declaredPaths,
  decisionModules,
  describedModules,
  followedKinds,
  OTHER_PATHS,
  ownEventTypes,
} from './catalogue.ts';
import { startControlPlane, type ControlPlane } from './control.ts';
import { runControllers } from './controllers.ts';
import { FORWARDED_WRITES_PATH, peerAddress, receiveWrite } from './peers.ts';
import { version } from '#kernel/base/version.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { Module } from '#kernel/modules/module.ts';
import { moduleCommands, openUnits } from './module-parts.ts';
import { MODULES } from './modules.ts';

export type Role = 'api' | 'decide' | 'controllers' | 'ingest';

/** Who is believed, and where the keys are that secrets are sealed with. */
export interface AccessOptions extends BelievedOptions {
  /** Default `encryption-keys` in the data directory. */
  readonly encryptionKeyFile?: string | undefined;
}

export interface StartOptions {
  /** The domains that are served; default all of them. */
  readonly modules?: readonly Module[] | undefined;
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
  /** Done as soon as there is a control plane, before controllers and decisions begin. */
  readonly prepare?: ((control: ControlPlane) => Promise<void>) | undefined;
  readonly clock?: Clock;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
}

export interface Running {
  readonly port: number;
  readonly kubeconfigFile: string;
  readonly token: string;
  readonly control: ControlPlane | undefined;
  /** Every path that it answers, as rules name paths, and who may ask. */
  readonly served: readonly ServedPath[];
  /** Resolves when a decision node of this process has a snapshot; at once where there is none. */
  readonly ready: Promise<void>;
  /** Resolves with a sentence when the process cannot go on. */
  readonly failed: Promise<string>;
  /** What waits for something that is away does not hold it up: it is left behind. */
  readonly close: () => Promise<void>;
}

/** A path, and who may ask: `everybody`, those who prove who they are, or as the gate of decisions has it. */
interface ServedPath {
  readonly path: string;
  readonly by: 'everybody' | 'users' | 'peers' | PathAccess;
}

interface Served extends ServedPath {
  readonly answer: (exchange: Exchange) => void | Promise<void>;
}

/** How long past versions of objects are kept, unless said otherwise; watches reach back further than any client is away. */
const HISTORY_DAYS = 30;
/**
 * How much one user may ask of the resource API of one process, in units of work: a small request is one, and what
 * large bodies and answers take comes to it. Far more than a busy controller needs.
 */
const USER_RATE: Rate = { perSecond: 500, burst: 1_000 };
/** How long a process that cannot go on takes leave. */
const FAILED_STOP_MS_MAX = 3_000;
/** Administrators must get through when something runs wild. */
const UNLIMITED_GROUP = 'system:masters';

/** Starts the asked roles in this process: the one place where the parts are wired together. */
export async function startBackline(options: StartOptions): Promise<Running> {
  const { log, host, modules = MODULES, clock = systemClock } = options;
  const dataDirectory = resolve(options.dataDirectory);
  const kinds = allKinds(modules);
  const eventTypes = ownEventTypes(modules);
  const registry = openRegistry();
  await mkdir(dataDirectory, { recursive: true });
  const { publicNames = [] } = options;
  const names = [...new Set([host, '127.0.0.1', '::1', 'localhost', hostname(), ...publicNames])].filter(
    (name) => name !== '0.0.0.0' && name !== '::',
  );
  const ownNames = new Set(names.map((name) => name.toLowerCase()));
  const ownIdentity = () => serverIdentity(join(dataDirectory, 'pki'), names, clock());
  const identity = await ownIdentity();
  const token = await adminToken(join(dataDirectory, 'admin-token'));
  const encryptionKeyFile = options.access?.encryptionKeyFile ?? join(dataDirectory, 'encryption-keys');
  const believed = [administrator(token), ...(await configuredAuthenticators(options.access ?? {}, clock, log))];

  const checks: ReadinessCheck[] = [];
  let node: DecisionNode | undefined;
  let records: Records | undefined;
  let events: EventPlane | undefined;
  /** Of a node that answers and takes no events in. */
  let eventLog: EventLog | undefined;
  let control: ControlPlane | undefined;
  let controllers: Candidate | undefined;
  let ownDatabase: Database | undefined;
  let reachability: Reachability | undefined;
  let witness = SILENT_WITNESS;

  // The port is known before anything else starts: the others must be able to reach whoever writes.
  let handle: HttpServerOptions['handle'] = starting;
  /** The name under which requests to a path are counted. */
  let routeOf = (_path: string): string | undefined => undefined;
  const server = await serveHttp({
    host,
    port: options.port,
    tls: identity,
    trustedProxies: options.trustedProxies,
    handle: (exchange) => handle(exchange),
    log,
    metrics: httpMetrics(registry, (path) => routeOf(path)),
  });
  const certificate = keepCertificate({
    first: identity,
    identity: ownIdentity,
    renewed: server.renew,
    time: systemTime,
    log,
  });
  gauge(registry, 'backline_certificate_end_timestamp_seconds', 'When the server certificate ends, as Unix time.', () =>
    Math.floor(certificate.endsAtMs() / 1_000),
  );
  const { quotaDatabaseUrls = [] } = options;
  const decides = options.roles.includes('decide');
  const recordsOptions = { modules, quotaDatabaseUrls, clock: options.clock, log, registry };
  const address = peerAddress(`https://${reachableHost(host)}:${server.port}`, identity.ca);
  let failure: string | undefined;
  // What cannot go on is not worth waiting for.
  const stop = (msMax = failure === undefined ? undefined : FAILED_STOP_MS_MAX): Promise<void> =>
    stopAll(
      [
        { name: 'certificate', stop: () => certificate.stop() },
        { name: 'http', stop: () => server.close() },
        { name: 'snapshots', stop: () => node?.follower.stop() },
        { name: 'controllers', stop: () => controllers?.stop() },
        { name: 'witness', stop: () => witness.close() },
        { name: 'event log', stop: () => eventLog?.close() },
        { name: 'records', stop: () => records?.close() },
        { name: 'events', stop: () => events?.close() },
        { name: 'control plane', stop: () => control?.close(msMax), isWaitedFor: true },
        { name: 'reachability', stop: () => reachability?.stop() },
        { name: 'database', stop: () => ownDatabase?.close() },
      ],
      log,
      msMax,
    );
  try {
    return await startParts();
  } catch (error) {
    await stop(FAILED_STOP_MS_MAX);
    throw operatorsError(error);
  }

  async function startParts(): Promise<Running> {
    control = options.roles.includes('api')
      ? await startControlPlane({
          dataDirectory,
          databaseUrl: options.databaseUrl,
          historyDays: options.historyDays ?? HISTORY_DAYS,
          encryptionKeyFile,
          kinds,
          migrations: allMigrations(modules),
          ownEventTypes: eventTypes,
          openAnswers: () => (decides ? node?.gate.openAnswers() : undefined),
          paths: declaredPaths(describedModules(modules, log)),
          believed,
          clock: options.clock,
          log,
          registry,
          address,
          signal: options.signal,
          extend: async (parts) => {
            records = await openRecords({ ...parts, ...recordsOptions, isOwner: true });
            events = await eventPlane(
              parts,
              records,
              () => parts.live,
              eventTableOf(parts.store, parts.live, eventTypes),
            );
            const units = openUnits(modules, { database: parts.database, time: systemTime, log });
            const commands = moduleCommands(modules, { records: records.ofModules, store: parts.store, clock });
            const virtual = new Map([...events.virtual, ...commands]);
            const advisors = modules.flatMap((module) => module.advisors?.(parts.live) ?? []);
            return { ...events, virtual, knownUnits: units.of, advisors, close: () => units.stop() };
          },
        })
      : undefined;
    const { serviceAccounts } = control ?? {};
    const accounts = serviceAccounts === undefined ? [] : [serviceAccounts];
    const authenticate = authenticateWith([...believed, ...accounts]);
    // A node without the control plane may still read and write what is kept for each listener.
    ownDatabase =
      control === undefined && options.databaseUrl !== undefined ? openDatabase(options.databaseUrl) : undefined;
    let sealing: Sealing | undefined;
    if (ownDatabase !== undefined) {
      sealing = await sealingWith(encryptionKeyFile);
      records = await openRecords({ database: ownDatabase, sealing, ...recordsOptions, isOwner: false });
    }
    const database = control?.database ?? ownDatabase;
    if (decides && ownDatabase !== undefined && sealing !== undefined && !options.roles.includes('ingest')) {
      eventLog = openEventLog({ database: ownDatabase, sealing, clock, log, registry });
    }
    witness =
      database === undefined || records === undefined || !decides
        ? SILENT_WITNESS
        : releaseWitness({
            database,
            write: async (batch) => {
              const taking = events ?? eventLog;
              if (taking === undefined) throw new Error('the event log is not open yet');
              return taking.write(batch);
            },
            table: () => node?.follower.snapshot().tables.get(EVENTS) as EventTable,
            cellOf: records.cellOf,
            clock,
            log,
            registry,
          });
    const decisions = decisionModules(modules, { records: records?.ofModules, random: Math.random, log });
    const decisionRoute = decisionRouteNames(decisions);
    routeOf = (path) =>
      decisionRoute(path) ?? (isIngestPath(path) ? path : isResourcePath(path) ? 'resources' : undefined);
    const limiter = new RateLimiter();
    const requireRate = (exchange: Exchange, { groups }: User, name: string): void => {
      if (groups.includes(UNLIMITED_GROUP)) return;
      const pay = (units: number, afterwards: boolean): void => {
        const nowMs = performance.now();
        if (afterwards) return limiter.charge(name, USER_RATE, nowMs, units);
        if (limiter.spend(name, USER_RATE, nowMs, units)) return;
        throw new Refusal(
          'resources/too-many-requests',
          'TooManyRequests',
          `User "${name}" asks for more than ${USER_RATE.perSecond} units of work a second; a small request is one, each 2 KiB of a body and each 64 KiB of an answer one more.`,
          { retryAfterSeconds: 1, remedy: 'Wait a moment; a watch brings changes without asking.' },
        );
      };
      pay(1, false);
      exchange.chargeTo(pay);
    };
    /** Who sends a request, once they may send one more; undefined when that is not proved. */
    const userIn = async (exchange: Exchange): Promise<User | undefined> => {
      const user = await authenticate(exchange.request);
      if (user === undefined) return undefined;
      // Whoever mints tokens gets no more for it.
      const payer = user.mintedBy?.at(-1) ?? user.name;
      exchange.proved(user.groups.includes(UNLIMITED_GROUP) ? undefined : `user "${payer}"`);
      requireRate(exchange, user, payer);
      return user;
    };
    if (control !== undefined) await options.prepare?.(control);
    if (options.roles.some((role) => role === 'decide' || role === 'ingest')) {
      node = startDecisionNode({
        client: client('system:decisions'),
        kinds,
        modules: decisions,
        followed: followedKinds(modules),
        userOf: userIn,
        authorize: (user, wanted) => authorizePath(user, wanted, control),
        // A node without a database has no records.
        keepRead: (read) => records?.keepRead(read) ?? Promise.resolve(),
        witness,
        clock,
        log,
        registry,
      });
    }
    const { follower } = node ?? {};
    controllers = options.roles.includes('controllers')
      ? runControllers({
          client: client('system:controllers'),
          kinds,
          modules,
          identity: `${hostname()}_${randomUUID()}`,
          clock,
          log,
          registry,
        })
      : undefined;
    if (follower !== undefined && control === undefined && options.roles.includes('ingest')) {
      if (records === undefined || ownDatabase === undefined || sealing === undefined) throw needsDatabase();
      events = await eventPlane(
        { database: ownDatabase, sealing },
        records,
        follower.world,
        () => follower.snapshot().tables.get(EVENTS) as EventTable,
      );
    }
    if (node !== undefined) checks.push(node.check);
    if (control !== undefined) {
      const { failed, store } = control;
      void failed.then((why) => {
        failure = why;
      });
      checks.push({ name: 'store', problem: () => failure ?? store.problem() });
      // What is read is right all the same.
      checks.push({ name: 'writes', problem: store.refusedBecause, isWarning: true });
    }
    if (ownDatabase !== undefined) {
      reachability = watchDatabase(ownDatabase, systemTime);
      checks.push({ name: 'database', problem: reachability.problem });
    }
    const { api: ingest, problem: rollUpProblem } = events ?? {};
    if (rollUpProblem !== undefined) checks.push({ name: 'datasets', problem: rollUpProblem, isWarning: true });
    const openApi = Buffer.from(JSON.stringify(decisionOpenApi(decisions, OTHER_PATHS, version)));
    const askResources = async (exchange: Exchange, { api }: ControlPlane): Promise<void> => {
      try {
        const user = await userIn(exchange);
        if (user === undefined) throw notBelieved();
        await api(exchange, user);
      } catch (error) {
        const refusal = refusalIn(error);
        if (refusal === undefined) throw error;
        sendRefusal(exchange, refusal);
      }
    };
    const served: Served[] = [
      { path: '/livez', by: 'everybody', answer: health },
      { path: '/readyz', by: 'everybody', answer: health },
      { path: '/healthz', by: 'everybody', answer: health },
      { path: '/metrics', by: 'everybody', answer: health },
      {
        path: '/openapi.json',
        by: 'everybody',
        answer: (exchange) => send(exchange, 200, 'application/json', openApi),
      },
    ];
    if (control !== undefined) {
      const plane = control;
      const answer = (exchange: Exchange) => askResources(exchange, plane);
      served.push(...RESOURCE_PATHS.map((path) => ({ path, by: 'users', answer }) as const), {
        path: FORWARDED_WRITES_PATH,
        by: 'peers',
        answer: (exchange) => receiveWrite(exchange, address, plane.store),
      });
    }
    if (node !== undefined) {
      const { answer, gate } = node;
      if (decides) served.push(...[SNAPSHOT_STREAM, ...pathsOf(decisions)].map((at) => servedBy(at, answer)));
      if (options.roles.includes('ingest')) {
        const take = (exchange: Exchange) => gate.answerPreflight(exchange) || (ingest?.(exchange) ?? false);
        served.push(...INGEST_PATHS.map((at) => servedBy(at, take)));
      }
    }
    const at = new Map(served.map((each) => [each.path, each]));
    handle = (exchange) => {
      const { path } = exchange;
      requireMethod(exchange);
      const found = at.get(path) ?? at.get(starred(path)) ?? at.get(firstStarred(path));
      if (found === undefined) throw nothingAt(path);
      if (found.by === 'everybody') requireMethod(exchange, READING);
      if (found.answer !== health) requireOwnHost(exchange, ownNames);
      requireSingleHeaders(exchange);
      requireStorableUrl(exchange);
      return found.answer(exchange);
    };
    const kubeconfigFile = join(dataDirectory, 'kubeconfig');
    if (control !== undefined) {
      await writeWhole(
        kubeconfigFile,
        kubeconfig({ server: `https://${localHost(host)}:${server.port}`, ca: identity.ca, token }),
      );
    }
    let stopped: Promise<void> | undefined;
    return {
      port: server.port,
      kubeconfigFile,
      token,
      control,
      served,
      ready: follower === undefined ? Promise.resolve() : follower.compiled,
      failed: control?.failed ?? new Promise(() => {}),
      close: () => (stopped ??= stop()),
    };
  }

  function eventPlane(
    parts: { readonly database: Database; readonly sealing: Sealing },
    kept: Records,
    world: () => World | undefined,
    table: () => EventTable,
  ): Promise<EventPlane> {
    return startEventPlane({
      ...parts,
      world,
      table,
      directory: resolve(options.datasetsDirectory ?? join(dataDirectory, 'datasets')),
      keepsHouse: options.roles.includes('ingest'),
      rollUpSeconds: options.rollUpSeconds,
      records: kept,
      ownEventTypes: eventTypes,
      beginJobs: (shared) => modules.flatMap(({ jobs }) => jobs?.(shared) ?? []),
      admit: (exchange, ...asked) => admitSender(node?.gate, exchange, ...asked),
      chargeStranger: (exchange) => node?.gate.chargeAddress(exchange),
      clock,
      log,
      registry,
    });
  }

  function health(exchange: Exchange): void {
    // What is measured is not for pages of others; who asks whether this works may have any name for it.
    if (exchange.path === '/metrics') requireOwnHost(exchange, ownNames);
    answerHealth(exchange, checks, registry);
  }

  function starting(exchange: Exchange): void {
    if (answerHealth(exchange, [{ name: 'start', problem: () => 'not everything is up yet' }], registry)) return;
    const refusal = new Refusal('start/starting', 'ServiceUnavailable', 'Backline is starting.', {
      retryAfterSeconds: 1,
    });
    if (!isResourcePath(exchange.path)) throw refusal;
    sendRefusal(exchange, refusal);
  }

  function client(user: string) {
    if (control !== undefined) return inProcessClient(control.store, user);
    if (options.follow !== undefined) return httpClient(options.follow);
    throw new Refusal(
      'start/nothing-to-follow',
      'BadRequest',
      'A process without the role api needs an API server to follow.',
      {
        remedy: 'Name one with --kubeconfig FILE, or run --role api in the same process.',
      },
    );
  }
}

/** Rules about who may do what are with the resource API: without it in the process, paths are for administrators. */
function authorizePath(user: User, wanted: PathAttributes, control: ControlPlane | undefined): void {
  if (control !== undefined) return control.authorize(user, wanted);
  if (user.groups.includes(UNLIMITED_GROUP)) return;
  const { verb, path } = wanted;
  throw new Refusal(
    'access/forbidden',
    'Forbidden',
    `User "${user.name}" cannot ${verb} path "${path}" on this node.`,
    {
      remedy: 'Use the key of a Client, or ask a node that runs the API as well.',
    },
  );
}

function servedBy({ path, access }: DeclaredPath, answer: (exchange: Exchange) => boolean | Promise<void>): Served {
  return {
    path,
    by: access,
    answer: (exchange) => {
      const pending = answer(exchange);
      if (pending === false) throw nothingAt(exchange.path);
      return pending === true ? undefined : pending;
    },
  };
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Other methods are of proxies and files; what is for everybody is only read. */
function requireMethod({ method, path }: Exchange, methods: ReadonlySet<string> = METHODS): void {
  if (methods.has(method)) return;
  throw new Refusal('http/method', 'MethodNotAllowed', `${method} ${path}: use ${[...methods].join(', ')}.`);
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

function isResourcePath(path: string): boolean {
  return RESOURCE_PATHS.includes(path) || RESOURCE_PATHS.includes(firstStarred(path));
}

/** `/apis/*` for everything below `/apis`. */
function firstStarred(path: string): string {
  return `${path.slice(0, path.indexOf('/', 1) + 1)}*`;
}

function needsDatabase(): Refusal {
  return new Refusal('start/no-database', 'BadRequest', 'A process with the role ingest needs the database.', {
    remedy: 'Name it in DATABASE_URL.',
  });
}

const EVERY_INTERFACE = new Set(['0.0.0.0', '::']);

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

function nothingAt(path: string): Refusal {
  return new Refusal('http/nothing-here', 'NotFound', `There is nothing at ${path}.`, {
    remedy: 'See /openapi.json for decisions and /apis for resources.',
  });
}
