import { startRefusal } from './refusals.ts';
import { diskTrouble } from '#kernel/base/disk-trouble.ts';
import { Lifetime } from '#kernel/base/lifetime.ts';
import { version } from '#kernel/base/version.ts';
import { EVENTS, type EventTable } from '#kernel/events/event-table.ts';
import { send } from '#kernel/http/exchange.ts';
import { healthRoutes } from '#kernel/http/health.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import { READ_METHODS, routeRequests, type Route } from '#kernel/http/router.ts';
import { operatorsError } from '#kernel/postgres/database.ts';
import type { Module } from '#kernel/modules/module.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import { httpClient } from '#kernel/api/client/http.ts';
import { inProcessClient } from '#kernel/api/client/in-process.ts';
import { clientHeads } from '#kernel/snapshots/client-heads.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { decisionOpenApi } from '#kernel/snapshots/openapi.ts';
import { authorizeAdministrators, callersBy } from './parts/callers.ts';
import { describedModules, OTHER_PATHS } from './parts/catalogue.ts';
import { MODULES } from './modules.ts';
import type { ControlPlane } from './parts/control.ts';
import { openEventLog, startEventPlane, type EventPlane } from './parts/events.ts';
import { openDatabaseParts, type DatabaseParts } from './parts/database-parts.ts';
import { startNode, type FollowingNode } from './parts/node.ts';
import { kubeconfigIn, startApi, type ApiRole } from './roles/api.ts';
import { startControllers } from './roles/controllers.ts';
import { startDecide } from './roles/decide.ts';
import { startIngest } from './roles/ingest.ts';
import { openShared, type AskedBy, type RoleParts, type SharedParts, type StartOptions } from './parts/shared.ts';

/** How long a process that cannot go on takes leave. */
const FAILED_STOP_MS_MAX = 3_000;

export interface BacklineOptions extends Omit<StartOptions, 'modules'> {
  /** The domains that are served; default all of them. */
  readonly modules?: readonly Module[] | undefined;
}

export interface Running {
  readonly port: number;
  readonly kubeconfigFile: string;
  readonly token: string;
  readonly control: ControlPlane | undefined;
  /** Every path that it answers, as rules name paths, with its callers. */
  readonly served: readonly { readonly path: string; readonly by: AskedBy }[];
  /** Resolves when a decision node of this process has a snapshot; at once where there is none. */
  readonly ready: Promise<void>;
  /** Resolves with a sentence when the process cannot go on. */
  readonly failed: Promise<string>;
  /** Stops all parts in bounded time; a part that waits for an absent database is left behind. */
  readonly close: () => Promise<void>;
}

/** Starts the asked roles in this process: the one place where the parts are wired together. */
export async function startBackline(options: BacklineOptions): Promise<Running> {
  const { log, signal, beginStep } = options;
  const lifetime = new Lifetime(log, (name) => {
    signal?.throwIfAborted();
    beginStep?.(name);
  });
  try {
    return await startRoles(await openShared({ ...options, modules: options.modules ?? MODULES }, lifetime));
  } catch (error) {
    await lifetime.close(FAILED_STOP_MS_MAX);
    throw startError(error);
  }
}

/** Why a start failed, as a refusal where the operator can mend it. */
function startError(error: unknown): unknown {
  const trouble = diskTrouble(error);
  return trouble === undefined
    ? operatorsError(error)
    : startRefusal('no-data-folder', `The data folder cannot be written: ${trouble}.`);
}

async function startRoles(shared: SharedParts): Promise<Running> {
  const { options, lifetime, roles, server, ownNames, registry, dataDirectory, token, log } = shared;
  const api = roles.has('api') ? await startApi(shared) : undefined;
  const control = api?.control;
  const data =
    api === undefined && options.databaseUrl !== undefined
      ? await openDatabaseParts(shared, options.databaseUrl)
      : undefined;
  const kept = api?.kept ?? data;
  const isFollowing = roles.has('decide') || roles.has('ingest');
  const node = isFollowing ? await startFollowing(shared, api, kept) : undefined;
  const parts: RoleParts[] = [];
  if (api !== undefined) parts.push(api);
  if (node !== undefined) parts.push(...(await startNodeRoles(shared, node, api, kept)));
  if (roles.has('controllers')) parts.push(await startControllers(shared, controllersClient(shared, control)));
  const checks = [...(node?.checks ?? []), ...(data === undefined ? [] : [data.check])];
  checks.push(...parts.flatMap((part) => part.checks));
  const described = node?.modules ?? describedModules(shared.modules, log);
  const routes: readonly Route<AskedBy>[] = [
    ...healthRoutes(checks, registry),
    openApiRoute(described),
    ...parts.flatMap((part) => part.routes),
  ];
  // Stops first: nothing is asked of parts that have stopped.
  await lifetime.open(
    'requests',
    () => server.answerWith(routeRequests(routes, ownNames)),
    () => server.close(),
  );
  return {
    port: server.port,
    kubeconfigFile: kubeconfigIn(dataDirectory),
    token,
    control,
    served: servedBy(routes),
    ready: node === undefined ? Promise.resolve() : node.follower.compiled,
    failed: control?.failed ?? new Promise(() => {}),
    // A process that has failed does not wait long.
    close: () => lifetime.close(api?.failure() === undefined ? undefined : FAILED_STOP_MS_MAX),
  };
}

function startFollowing(
  shared: SharedParts,
  api: ApiRole | undefined,
  kept: DatabaseParts | undefined,
): Promise<FollowingNode> {
  return startNode(shared, {
    source: api?.control.heads ?? clientHeads(remoteClient(shared), shared.kinds.all),
    records: kept?.records,
    userOf: api?.userOf ?? callersBy(shared.authenticators),
    authorize: api?.control.authorize ?? authorizeAdministrators,
  });
}

/** The roles that follow the live state: ingest and decide. */
async function startNodeRoles(
  shared: SharedParts,
  node: FollowingNode,
  api: ApiRole | undefined,
  kept: DatabaseParts | undefined,
): Promise<readonly RoleParts[]> {
  const { roles } = shared;
  const own = api === undefined && roles.has('ingest') ? await startOwnEvents(shared, node, kept) : undefined;
  const events = api?.events ?? own;
  const parts: RoleParts[] = own === undefined ? [] : [{ routes: [], checks: [own.check] }];
  if (roles.has('ingest') && events !== undefined) parts.push(startIngest(node, events));
  if (roles.has('decide')) {
    const counted =
      kept === undefined ? undefined : { kept, write: events?.write ?? (await openEventLog(shared, kept)) };
    parts.push(await startDecide(shared, node, counted));
  }
  return parts;
}

function startOwnEvents(
  shared: SharedParts,
  { follower }: FollowingNode,
  kept: DatabaseParts | undefined,
): Promise<EventPlane> {
  if (kept === undefined) {
    throw startRefusal('no-database', 'A process with the role ingest needs the database.');
  }
  const table = () => follower.snapshot().tables.get(EVENTS) as EventTable;
  return startEventPlane(shared, kept, { world: follower.world, table });
}

function controllersClient(shared: SharedParts, control: ControlPlane | undefined): ResourceClient {
  return control === undefined ? remoteClient(shared) : inProcessClient(control.store, 'system:controllers');
}

function remoteClient({ options }: SharedParts): ResourceClient {
  if (options.follow !== undefined) return httpClient(options.follow);
  throw startRefusal('nothing-to-follow', 'A process without the role api needs an API server to follow.');
}

const OPENAPI_DEADLINE: Deadline = { msDefault: 10_000, msMax: 10_000 };

function openApiRoute(modules: readonly DecisionModule<unknown>[]): Route<AskedBy> {
  const document = Buffer.from(JSON.stringify(decisionOpenApi(modules, OTHER_PATHS, version)));
  return {
    methods: READ_METHODS,
    path: '/openapi.json',
    by: 'everybody',
    deadline: OPENAPI_DEADLINE,
    handle: (exchange) => send(exchange, 200, document),
  };
}

/** The paths of a table of routes, as rules name them. */
function servedBy(routes: readonly Route<AskedBy>[]): Running['served'] {
  return routes.map(({ path, by }) => ({ path: path.replace('**', '*'), by }));
}
