import {
  Agent,
  createServer,
  request,
  STATUS_CODES,
  type ClientRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { once } from 'node:events';
import { hashPrefix, murmurBucket, type HashedPrefix } from '#kernel/audiences/bucketing/murmur3.ts';
import type { Weights } from '../rules/cluster-state.ts';
import { hasBody, headersFor, passedOn, targetOf, trailersOf } from './forwarded-request.ts';
import type { Traffic } from './traffic.ts';

const LIMITS = {
  /** Connections of clients, and to one replica. */
  connectionsMax: 10_000,
  connectionsOfReplicaMax: 1_000,
  /** Time that a client has for the head of a request, and for all of it: a live upload may take long. */
  headMsMax: 30_000,
  requestMsMax: 3_600_000,
  /**
   * Time that a replica has for the head of an answer, once it has the whole request; longer than long polls take. The rest has no
   * limit: streams stay open, and a replica of this machine cannot vanish without its sockets.
   */
  answerMsMax: 300_000,
  /** Time that a connection to a replica is kept unused: below the idle timeout of servers that do not state theirs. */
  idleMsMax: 1_000,
  /** Times that a request is sent that no replica processed. */
  triesMax: 3,
  /** Parts that senders of a sticky header fall into. */
  buckets: 10_000,
  /** Hosts that a 404 names. */
  hostsShown: 5,
  /** Time after which a client that got 503 may ask again. */
  retryAfterSeconds: 1,
} as const;

/** Methods that may be repeated (RFC 9110, 9.2.2). */
const IDEMPOTENT: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** A ready replica. The same object as long as it is one: it counts what is under way. */
export interface Endpoint {
  readonly port: number;
  underWay: number;
}

/** One Component, as the proxy needs it. */
export interface ProxyRoute {
  readonly name: string;
  readonly weights: Weights;
  readonly stickyHeader?: string;
  /** Ready replicas by revision. */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  readonly traffic: Traffic;
}

/** A revision with the part of all requests that it gets. */
interface Share {
  readonly revision: string;
  /** The end of its part, of 100. */
  readonly end: number;
  readonly endpoints: readonly Endpoint[];
}

/** A route with a hash of its own: who was among the first in one release is not in each. */
interface HashedRoute extends ProxyRoute {
  readonly prefix: HashedPrefix;
  readonly shares: readonly Share[];
}

interface Choice {
  readonly revision: string;
  readonly endpoint: Endpoint;
}

/**
 * The way to the Components of a local cluster: by the host of a request to a Component, by its weights to a revision, and there to the
 * replica with the least under way.
 */
export class Proxy {
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #answerMsMax: number;
  #routes: ReadonlyMap<string, HashedRoute> = new Map();

  /**
   * @param parts.now the time that requests are counted at, in ms of the epoch
   * @param parts.limits others than usual
   */
  constructor(parts: {
    readonly random: () => number;
    readonly now: () => number;
    readonly limits?: { readonly headMsMax?: number; readonly answerMsMax?: number };
  }) {
    this.#random = parts.random;
    this.#now = parts.now;
    const { headMsMax, answerMsMax } = { ...LIMITS, ...parts.limits };
    this.#answerMsMax = answerMsMax;
    // Without a timeout of its own, the agent ignores the one that a server states in Keep-Alive.
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: LIMITS.connectionsOfReplicaMax,
      scheduling: 'lifo',
      timeout: LIMITS.idleMsMax,
    });
    this.#server = createServer(
      {
        headersTimeout: headMsMax,
        requestTimeout: LIMITS.requestMsMax,
        connectionsCheckingInterval: headMsMax / 2,
        // HTTP/1.1 stays where a client only offers HTTP/2, and where a body stands between.
        shouldUpgradeCallback: (asked) => !hasBody(asked) && asked.headers.upgrade?.toLowerCase() !== 'h2c',
      },
      (asked, answer) => this.#handle(asked, answer),
    );
    this.#server.maxConnections = LIMITS.connectionsMax;
    this.#server.on('upgrade', (asked, socket, head) => this.#upgrade(asked, socket, head));
  }

  /** Takes requests at a port of this machine; 0 is any. */
  async listen(port: number): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Replaces all routes, by host. Requests under way end where they are. */
  route(routes: ReadonlyMap<string, ProxyRoute>): void {
    this.#routes = new Map(
      [...routes].map(([host, one]) => {
        const salt = `${one.name} ${Object.keys(one.weights).sort().join(' ')} `;
        const stickyHeader = one.stickyHeader?.toLowerCase();
        const shares = sharesOf(one);
        return [host, { ...one, ...(stickyHeader && { stickyHeader }), prefix: hashPrefix(salt), shares }];
      }),
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #handle(asked: IncomingMessage, answer: ServerResponse): void {
    const found = this.#find(asked);
    if ('status' in found) return refuse(answer, asked, found);
    const { route, point, choice, headers, path } = found;
    this.#send({ route, point, asked, answer, headers, path, beganMs: performance.now(), tried: [] }, choice);
  }

  /** A request with its route and replica, or why it has none. */
  #find(asked: IncomingMessage): FoundRequest | Refusal {
    const target = targetOf(asked);
    if ('status' in target) return target;
    const route = this.#routes.get(target.host);
    if (route === undefined) return { status: 404, detail: this.#noRoute(target.host) };
    const point = this.#pointOf(route, asked);
    const choice = this.#choose(route, point, []);
    if (choice === undefined) {
      const revision = shareAt(route, point)?.revision;
      if (revision !== undefined) route.traffic.add(revision, this.#now(), { isError: true, ms: 0 });
      return { status: 503, detail: `No replica of ${route.name} is ready.` };
    }
    return { route, point, choice, path: target.path, headers: headersFor(asked, target) };
  }

  #send(exchange: Exchange, choice: Choice, isFresh = false): void {
    const { route, asked, answer, beganMs, headers, path } = exchange;
    const { endpoint, revision } = choice;
    endpoint.underWay += 1;
    // A stream, and a client that reads slowly, are not slow answers: the head counts.
    let headMs: number | undefined;
    let status = 0;
    let isOver = false;
    const leaveEndpoint = (): void => {
      isOver = true;
      clearTimeout(limit);
      endpoint.underWay -= 1;
    };
    const end = (isError: boolean): void => {
      if (isOver) return;
      leaveEndpoint();
      route.traffic.add(revision, this.#now(), { isError, ms: (headMs ?? performance.now()) - beganMs });
    };
    const agent = isFresh ? false : this.#agent;
    const upstream = request({ host: '127.0.0.1', port: endpoint.port, method: asked.method, path, headers, agent });
    let limit = this.#limitAnswer(upstream);
    const leave = (): void => {
      upstream.destroy();
      // The client went: nobody knows how it would have ended.
      end(status >= 500);
    };
    answer.once('close', leave);
    upstream.once('response', (response) => {
      clearTimeout(limit);
      headMs = performance.now();
      status = response.statusCode ?? 0;
      if (!passHead(response, answer)) {
        upstream.destroy();
        fail(new Error('its answer is not HTTP'));
        return;
      }
      passBody(response, { answer, asked, upstream }, end);
    });
    const fail = (error: NodeJS.ErrnoException): void => {
      if (isOver) return;
      answer.off('close', leave);
      if (answer.headersSent) {
        end(true);
        answer.destroy();
        return;
      }
      const again = this.#chooseAgain(exchange, choice, wasUnheard(upstream, error, asked));
      if (again !== undefined) {
        leaveEndpoint();
        this.#send({ ...exchange, tried: [...exchange.tried, endpoint] }, again, again.endpoint === endpoint);
        return;
      }
      end(true);
      asked.unpipe(upstream);
      const detail = `A replica of ${route.name} did not answer: ${error.message}.`;
      refuse(answer, asked, { status: error instanceof AnswerTimeout ? 504 : 502, detail });
    };
    upstream.on('error', fail);
    upstream.once('upgrade', (_, socket) => {
      socket.destroy();
      fail(new Error('it switches protocols unasked'));
    });
    if (!hasBody(asked)) {
      upstream.end();
      return;
    }
    passRequestBody(asked, upstream, {
      onBegin: () => clearTimeout(limit),
      onEnd: () => {
        if (!isOver && headMs === undefined) limit = this.#limitAnswer(upstream);
      },
    });
  }

  #limitAnswer(upstream: ClientRequest): NodeJS.Timeout {
    return setTimeout(() => upstream.destroy(new AnswerTimeout(this.#answerMsMax)), this.#answerMsMax);
  }

  /** The next to send a request to that ended without an answer: the same over a new connection, or one that runs. */
  #chooseAgain(exchange: Exchange, choice: Choice, unheard: Unheard | undefined): Choice | undefined {
    const { route, point, tried } = exchange;
    if (unheard === undefined || tried.length + 1 >= LIMITS.triesMax) return undefined;
    return unheard === 'stale' ? choice : this.#choose(route, point, [...tried, choice.endpoint]);
  }

  /**
   * Joins the sockets of a WebSocket, or of whatever else a replica agrees to. It counts as one request that ends with the answer to
   * its upgrade: a session of an hour is not slow.
   */
  #upgrade(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const found = this.#find(asked);
    if ('status' in found) return refuseUpgrade(socket, found);
    const { route, choice, path } = found;
    const { endpoint, revision } = choice;
    const beganMs = performance.now();
    endpoint.underWay += 1;
    const leave = onlyOnce(() => {
      endpoint.underWay -= 1;
    });
    const count = onlyOnce((isError: boolean) => {
      clearTimeout(limit);
      route.traffic.add(revision, this.#now(), { isError, ms: performance.now() - beganMs });
    });
    const headers = [...found.headers, 'Connection', 'Upgrade', 'Upgrade', asked.headers.upgrade ?? ''];
    const { method } = asked;
    const upstream = request({ host: '127.0.0.1', port: endpoint.port, method, path, headers, agent: false });
    const limit = this.#limitAnswer(upstream);
    socket.once('close', () => {
      // The client went: nobody knows how it would have ended.
      count(false);
      leave(undefined);
      upstream.destroy();
    });
    upstream.once('upgrade', (response, other, otherHead) => {
      count(false);
      other.on('error', () => socket.destroy());
      other.once('close', () => {
        leave(undefined);
        endSocket(socket, other.readableEnded);
      });
      socket.once('close', () => other.destroy());
      socket.write(headOf(response, response.rawHeaders));
      socket.write(otherHead);
      other.write(head);
      other.pipe(socket);
      socket.pipe(other);
    });
    upstream.once('response', (response) => {
      count((response.statusCode ?? 0) >= 500);
      const kept = passedOn(response.rawHeaders, response.headers.connection);
      socket.write(headOf(response, [...kept, 'Connection', 'close']));
      response.on('error', () => socket.destroy());
      response.once('close', () => {
        leave(undefined);
        endSocket(socket, response.complete);
      });
      response.pipe(socket);
    });
    upstream.on('error', (error) => {
      count(true);
      leave(undefined);
      const status = error instanceof AnswerTimeout ? 504 : 502;
      if (socket.writable) refuseUpgrade(socket, { status, detail: `A replica of ${route.name} did not answer.` });
    });
    upstream.end();
  }

  #choose(route: HashedRoute, point: number, tried: readonly Endpoint[]): Choice | undefined {
    const first = shareAt(route, point);
    const chosen = first && this.#chooseOf(first, tried);
    if (chosen !== undefined) return chosen;
    for (const share of route.shares) {
      const other = share === first ? undefined : this.#chooseOf(share, tried);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  #chooseOf({ revision, endpoints }: Share, tried: readonly Endpoint[]): Choice | undefined {
    const left = tried.length === 0 ? endpoints : endpoints.filter((one) => !tried.includes(one));
    const endpoint = this.#leastBusy(left);
    return endpoint && { revision, endpoint };
  }

  /** Of two at random the one with less under way: nearly as even as the best of all, whatever their number. */
  #leastBusy(ready: readonly Endpoint[]): Endpoint | undefined {
    const pick = (): Endpoint | undefined => ready[Math.floor(this.#random() * ready.length)];
    const one = pick();
    const other = ready.length > 1 ? pick() : one;
    return one !== undefined && other !== undefined && other.underWay < one.underWay ? other : one;
  }

  #pointOf({ stickyHeader, prefix }: HashedRoute, { headers }: IncomingMessage): number {
    const value = stickyHeader === undefined ? undefined : headers[stickyHeader];
    if (typeof value !== 'string' || value === '') return this.#random();
    return murmurBucket(prefix, value, LIMITS.buckets) / LIMITS.buckets;
  }

  #noRoute(host: string): string {
    const hosts = [...this.#routes.keys()];
    const shown = hosts.slice(0, LIMITS.hostsShown).join(', ');
    const more = hosts.length - LIMITS.hostsShown;
    const known = hosts.length === 0 ? 'there is none yet' : `${shown}${more > 0 ? ` and ${more} more` : ''}`;
    return `No Component has the host ${host} in this cluster; known hosts: ${known}.`;
  }
}

interface Refusal {
  readonly status: number;
  readonly detail: string;
}

interface FoundRequest {
  readonly route: HashedRoute;
  readonly point: number;
  readonly choice: Choice;
  readonly path: string;
  readonly headers: string[];
}

interface Exchange {
  readonly route: HashedRoute;
  readonly point: number;
  readonly asked: IncomingMessage;
  readonly answer: ServerResponse;
  readonly path: string;
  readonly headers: string[];
  readonly beganMs: number;
  readonly tried: readonly Endpoint[];
}

/** A replica that has a whole request and does not answer. */
class AnswerTimeout extends Error {
  override readonly name = 'AnswerTimeout';

  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

/** Revisions with a weight, in the order of their names. */
function sharesOf({ weights, endpoints }: ProxyRoute): readonly Share[] {
  let end = 0;
  const shares: Share[] = [];
  for (const revision of Object.keys(weights).sort()) {
    const weight = weights[revision] ?? 0;
    if (weight <= 0) continue;
    end += weight;
    shares.push({ revision, end, endpoints: endpoints.get(revision) ?? [] });
  }
  return shares;
}

/** The share for a number from 0 to 1. */
function shareAt({ shares }: HashedRoute, point: number): Share | undefined {
  for (const share of shares) if (point * 100 < share.end) return share;
  return shares.at(-1);
}

/** Refused: nobody listens. Stale: the replica closed a kept connection. */
type Unheard = 'refused' | 'stale';

/** Whether a replica never got a request. One that crashed over it must not get the next one to crash. */
function wasUnheard(
  { reusedSocket }: ClientRequest,
  { code }: NodeJS.ErrnoException,
  asked: IncomingMessage,
): Unheard | undefined {
  if (code === 'ECONNREFUSED') return 'refused';
  const isClosed = reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
  // Nobody knows what a replica did before it closed, and a body is gone.
  return isClosed && IDEMPOTENT.has(asked.method) && !hasBody(asked) ? 'stale' : undefined;
}

/** Whether the head of an answer is one that can be passed on. */
function passHead(response: IncomingMessage, answer: ServerResponse): boolean {
  const { statusCode = 0, statusMessage, rawHeaders, headers } = response;
  try {
    answer.writeHead(statusCode, statusMessage, passedOn(rawHeaders, headers.connection));
  } catch {
    return false;
  }
  // An event stream is open before its first event.
  if (headers['content-length'] === undefined) {
    setImmediate(() => {
      if (!response.readableDidRead && !answer.writableEnded) answer.flushHeaders();
    });
  }
  return true;
}

function passBody(
  response: IncomingMessage,
  { answer, asked, upstream }: { answer: ServerResponse; asked: IncomingMessage; upstream: ClientRequest },
  end: (isError: boolean) => void,
): void {
  response.on('error', () => answer.destroy());
  response.once('end', () => {
    if (response.rawTrailers.length > 0) answer.addTrailers(trailersOf(response));
    answer.end();
    end((response.statusCode ?? 0) >= 500);
    if (upstream.writableEnded) return;
    // A replica that answers early wants no more of the body; the next request of the client is behind it.
    asked.unpipe(upstream);
    asked.resume();
    upstream.destroy();
  });
  response.once('close', () => {
    if (response.complete) return;
    end(true);
    answer.destroy();
  });
  response.pipe(answer, { end: false });
}

/** Passes a body on once there is a connection: until then, another replica can get it. */
function passRequestBody(
  asked: IncomingMessage,
  upstream: ClientRequest,
  { onBegin, onEnd }: { readonly onBegin: () => void; readonly onEnd: () => void },
): void {
  const begin = (): void => {
    onBegin();
    // A replica may refuse by the head alone.
    upstream.flushHeaders();
    asked.once('end', () => {
      if (asked.rawTrailers.length > 0) upstream.addTrailers(trailersOf(asked));
      upstream.end();
      onEnd();
    });
    asked.pipe(upstream, { end: false });
  };
  upstream.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', begin);
    else begin();
  });
}

/** The head of an answer as it goes over a socket. */
function headOf({ statusCode, statusMessage }: IncomingMessage, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${statusCode ?? 502} ${statusMessage ?? ''}`];
  for (let index = 0; index < headers.length; index += 2) {
    lines.push(`${headers[index] ?? ''}: ${headers[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function refuse(answer: ServerResponse, asked: IncomingMessage, refusal: Refusal): void {
  const text = JSON.stringify(refusal);
  answer.writeHead(refusal.status, STATUS_CODES[refusal.status], headersOfRefusal(refusal, text));
  answer.end(text);
  asked.resume();
}

function refuseUpgrade(socket: Duplex, refusal: Refusal): void {
  const text = JSON.stringify(refusal);
  const headers = Object.entries({ ...headersOfRefusal(refusal, text), connection: 'close' });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.resume();
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}\r\n${lines}\r\n${text}`);
}

function headersOfRefusal({ status }: Refusal, text: string): Record<string, string | number> {
  return {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    ...(status === 503 && { 'retry-after': LIMITS.retryAfterSeconds }),
  };
}

/** Ends a socket whose other side has ended: after what was written, where that is all. */
function endSocket(socket: Duplex, isWhole: boolean): void {
  if (isWhole) socket.end(() => socket.destroy());
  else socket.destroy();
}

function onlyOnce<Value>(act: (value: Value) => void): (value: Value) => void {
  let isDone = false;
  return (value) => {
    if (isDone) return;
    isDone = true;
    act(value);
  };
}
