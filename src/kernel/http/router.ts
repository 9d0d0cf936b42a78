import { refusalIn, type Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from './refusals.ts';
import { sendProblem, type Exchange } from './exchange.ts';
import { requireOwnHost, requireSingleHeaders, requireStorableUrl } from './request-guards.ts';
import { requestDeadline, RequestLimit, type Deadline } from './request-limit.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The methods of a path that is only read. */
export const READ_METHODS: readonly Method[] = ['GET', 'HEAD'];

/** The time limits of one request, as its handler sees them. */
export interface RequestContext {
  /**
   * Fires when the client goes away, when the deadline passes, and when the stopping server cuts the connection. Handlers
   * throw its reason.
   */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline; Infinity for a stream. */
  readonly leftMs: number;
}

/** Answers a request, or throws a Refusal. An answer after the deadline is dropped. */
export type Handler = (exchange: Exchange, context: RequestContext) => void | Promise<void>;

/** One path, and how it is answered. */
export interface Route<By extends string = string> {
  readonly methods: readonly Method[];
  /** As it stands in a URL. A last part `*` stands for any one part, `**` for everything below. */
  readonly path: string;
  /** The callers that may ask; the handler checks them. */
  readonly by: By;
  /** How long an answer may take to begin; a stream goes on until somebody ends it. */
  readonly deadline: Deadline | 'stream';
  readonly handle: Handler;
  /** Answers a browser's question whether a page may ask; false when the request is none. */
  readonly answerPreflight?: (exchange: Exchange) => boolean;
  /** The name under which requests are counted, where it is not the path. */
  readonly countedAs?: string;
  /** Whether it is answered under any name of the host: probes of health call it as they like. */
  readonly isForAnyHost?: boolean;
  /** Whether the handler gets every method, and refuses those that its path does not allow. */
  readonly isForAnyMethod?: boolean;
  /** How a write is repeated after a deadline, where not by its key or id. */
  readonly repetition?: string;
  /** The form of refusals, where it is not problem details. */
  readonly refuse?: (exchange: Exchange, refusal: Refusal) => void;
}

/** Finds the route of each request and answers by it. Two routes may share a path when their methods differ. */
export function routeRequests(
  routes: readonly Route[],
  ownNames: ReadonlySet<string>,
): (exchange: Exchange) => void | Promise<void> {
  const find = routeFinder(routes);
  return (exchange) => {
    const found = find(exchange.path);
    if (found === undefined) throw nothingAt(exchange.path);
    const route = found.get(exchange.method) ?? firstOf(found);
    exchange.route = route.countedAs ?? route.path;
    try {
      const pending = answer(exchange, route, found);
      return pending?.catch((error: unknown) => refuse(exchange, route, error));
    } catch (error) {
      return refuse(exchange, route, error);
    }
  };

  function answer(exchange: Exchange, route: Route, found: RoutesByMethod): void | Promise<void> {
    if (route.isForAnyHost !== true) requireOwnHost(exchange, ownNames);
    requireSingleHeaders(exchange);
    requireStorableUrl(exchange);
    if (!found.has(exchange.method) && route.isForAnyMethod !== true) {
      if (exchange.method === 'OPTIONS' && route.answerPreflight?.(exchange) === true) return;
      throw methodNotAllowed(exchange, [...found.keys()]);
    }
    if (route.deadline === 'stream') return route.handle(exchange, new RequestLimit(exchange, Infinity));
    const limit = new RequestLimit(exchange, requestDeadline(exchange, route.deadline));
    const pending = route.handle(exchange, limit);
    return pending instanceof Promise
      ? limit.hold(pending, (refusal) => refuse(exchange, route, refusal), route.repetition)
      : pending;
  }
}

type RoutesByMethod = ReadonlyMap<string, Route>;

/** Looks a path up: as it is, with its last part free, and below the longest beginning that has a route. */
function routeFinder(routes: readonly Route[]): (path: string) => RoutesByMethod | undefined {
  const byPath = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const ofPath = byPath.get(route.path) ?? new Map<string, Route>();
    byPath.set(route.path, ofPath);
    for (const method of route.methods) {
      if (ofPath.has(method)) throw new Error(`two routes answer ${method} ${route.path}`);
      ofPath.set(method, route);
    }
  }
  const below = [...byPath]
    .filter(([path]) => path.endsWith('/**'))
    .map(([path, found]) => ({ prefix: path.slice(0, -2), found }))
    .toSorted((a, b) => b.prefix.length - a.prefix.length);
  return (path) =>
    byPath.get(path) ?? byPath.get(withStar(path)) ?? below.find(({ prefix }) => path.startsWith(prefix))?.found;
}

/** The path with a star in place of its last part. */
function withStar(path: string): string {
  return `${path.slice(0, path.lastIndexOf('/') + 1)}*`;
}

function firstOf(found: RoutesByMethod): Route {
  const [first] = found.values();
  if (first === undefined) throw new Error('a path has no method');
  return first;
}

function refuse(exchange: Exchange, route: Route, error: unknown): void {
  const refusal = refusalIn(error);
  if (refusal === undefined) throw error;
  if (route.refuse === undefined) sendProblem(exchange, refusal);
  else route.refuse(exchange, refusal);
}

/** The one refusal of a method: it names those that are right. */
export function methodNotAllowed(
  { method, path }: Pick<Exchange, 'method' | 'path'>,
  allow: readonly string[],
  remedy = `Use ${allow.join(', ')}.`,
): Refusal {
  return httpRefusal('method-not-allowed', `The server does not allow the method ${method} on ${path}.`, {
    allow,
    remedy,
  });
}

function nothingAt(path: string): Refusal {
  return httpRefusal('nothing-here', `There is nothing at ${path}.`);
}
