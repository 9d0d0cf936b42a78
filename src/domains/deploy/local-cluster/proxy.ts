import {
  Agent,
  createServer,
  request,
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
import { revisionAt, type Traffic } from './traffic.ts';

const LIMITS = {
  /** Connections of clients, and to one replica. */
  connectionsMax: 10_000,
  connectionsOfReplicaMax: 1_000,
  /** Time that a client has for the head of a request. */
  headMsMax: 30_000,
  /** Replicas that a request without body is sent to before it fails, where the first did not hear of it. */
  triesMax: 2,
  /** Parts that senders of a sticky header fall into. */
  buckets: 10_000,
  /** Hosts that a 404 names. */
  hostsShown: 5,
} as const;

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

/** A route with a hash of its own: who was among the first in one release is not in each. */
interface HashedRoute extends ProxyRoute {
  readonly prefix: HashedPrefix;
}

interface Choice {
  readonly revision: string;
  readonly endpoint: Endpoint;
}

/** Headers of one connection (RFC 9110, 7.6.1), which are not passed on. */
const OF_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const FORWARDED_FOR = 'x-forwarded-for';
const FORWARDED_HOST = 'x-forwarded-host';
const FORWARDED_PROTO = 'x-forwarded-proto';

/**
 * The way to the Components of a local cluster: by the host of a request to a Component, by its weights to a revision, and there to the
 * replica with the least under way.
 */
export class Proxy {
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: LIMITS.connectionsOfReplicaMax, scheduling: 'lifo' });
  readonly #random: () => number;
  readonly #now: () => number;
  #routes: ReadonlyMap<string, HashedRoute> = new Map();

  /** @param parts.now the time that requests are counted at, in ms of the epoch */
  constructor(parts: { readonly random: () => number; readonly now: () => number }) {
    this.#random = parts.random;
    this.#now = parts.now;
    this.#server = createServer({ headersTimeout: LIMITS.headMsMax }, (asked, answer) => this.#handle(asked, answer));
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
        return [host, { ...one, prefix: hashPrefix(salt) }];
      }),
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #handle(asked: IncomingMessage, answer: ServerResponse): void {
    const route = this.#routes.get(hostOf(asked));
    if (route === undefined) return refuse(answer, 404, this.#noRoute(hostOf(asked)));
    if (asked.url?.startsWith('/') !== true && asked.url !== '*') {
      return refuse(answer, 400, 'The target of the request begins with /.');
    }
    const choice = this.#choose(route, asked, []);
    if (choice === undefined) {
      route.traffic.add(revisionAt(route.weights, 0) ?? '', this.#now(), { isError: true, ms: 0 });
      return refuse(answer, 503, `No replica of ${route.name} is ready.`);
    }
    this.#send({ route, asked, answer, beganMs: performance.now(), tried: [] }, choice);
  }

  #send(exchange: Exchange, { revision, endpoint }: Choice): void {
    const { route, asked, answer, beganMs, tried } = exchange;
    endpoint.underWay += 1;
    let isOver = false;
    const end = (isError: boolean): void => {
      if (isOver) return;
      isOver = true;
      endpoint.underWay -= 1;
      route.traffic.add(revision, this.#now(), { isError, ms: performance.now() - beganMs });
    };
    const upstream = request({
      host: '127.0.0.1',
      port: endpoint.port,
      method: asked.method,
      path: asked.url,
      headers: headersFor(asked),
      agent: this.#agent,
    });
    const leave = (): void => {
      upstream.destroy();
      // The client went: nobody knows how it would have ended.
      end(false);
    };
    answer.once('close', leave);
    upstream.once('response', (response) => {
      const { statusCode = 502, statusMessage } = response;
      answer.writeHead(statusCode, statusMessage, passedOn(response.rawHeaders));
      response.once('error', () => answer.destroy());
      response.once('end', () => end(statusCode >= 500));
      response.once('close', () => {
        if (response.complete) return;
        end(true);
        answer.destroy();
      });
      response.pipe(answer);
    });
    upstream.once('error', (error: NodeJS.ErrnoException) => {
      if (isOver) return;
      answer.off('close', leave);
      if (answer.headersSent) {
        end(true);
        answer.destroy();
        return;
      }
      const mayTry = !hasBody(asked) && wasUnheard(upstream, error);
      const again = mayTry ? this.#choose(route, asked, [...tried, endpoint]) : undefined;
      if (again !== undefined && tried.length + 1 < LIMITS.triesMax) {
        isOver = true;
        endpoint.underWay -= 1;
        this.#send({ ...exchange, tried: [...tried, endpoint] }, again);
        return;
      }
      end(true);
      refuse(answer, 502, `A replica of ${route.name} did not answer: ${error.message}.`);
    });
    if (hasBody(asked)) asked.pipe(upstream);
    else upstream.end();
  }

  /** Joins the sockets of a WebSocket, or of whatever else a replica agrees to. */
  #upgrade(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    const route = this.#routes.get(hostOf(asked));
    const choice = route === undefined ? undefined : this.#choose(route, asked, []);
    socket.on('error', () => socket.destroy());
    if (route === undefined || choice === undefined) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const { endpoint, revision } = choice;
    const beganMs = performance.now();
    endpoint.underWay += 1;
    const end = onlyOnce((isError: boolean) => {
      endpoint.underWay -= 1;
      route.traffic.add(revision, this.#now(), { isError, ms: performance.now() - beganMs });
    });
    const headers = [...headersFor(asked), 'Connection', 'Upgrade', 'Upgrade', asked.headers.upgrade ?? ''];
    const { method, url: path } = asked;
    const upstream = request({ host: '127.0.0.1', port: endpoint.port, method, path, headers, agent: false });
    socket.once('close', () => upstream.destroy());
    upstream.once('upgrade', (response, other, otherHead) => {
      other.on('error', () => socket.destroy());
      other.once('close', () => {
        end(false);
        socket.destroy();
      });
      socket.once('close', () => other.destroy());
      socket.write(headOf(response));
      socket.write(otherHead);
      other.write(head);
      other.pipe(socket);
      socket.pipe(other);
    });
    upstream.once('response', (response) => {
      end((response.statusCode ?? 0) >= 500);
      socket.write(headOf(response));
      response.pipe(socket);
    });
    upstream.once('error', () => {
      end(true);
      socket.destroy();
    });
    upstream.end();
  }

  #choose(route: HashedRoute, asked: IncomingMessage, tried: readonly Endpoint[]): Choice | undefined {
    const { weights, endpoints } = route;
    const first = revisionAt(weights, this.#pointOf(route, asked));
    const others = Object.keys(weights).filter((revision) => revision !== first && (weights[revision] ?? 0) > 0);
    for (const revision of first === undefined ? others : [first, ...others]) {
      const ready = endpoints.get(revision) ?? [];
      const left = tried.length === 0 ? ready : ready.filter((one) => !tried.includes(one));
      const endpoint = this.#leastBusy(left);
      if (endpoint !== undefined) return { revision, endpoint };
    }
    return undefined;
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

interface Exchange {
  readonly route: HashedRoute;
  readonly asked: IncomingMessage;
  readonly answer: ServerResponse;
  readonly beganMs: number;
  readonly tried: readonly Endpoint[];
}

/** The host of a request, without its port. */
function hostOf({ headers: { host = '' } }: IncomingMessage): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** Whether a replica never got a request. One that crashed over it must not get the next one to crash. */
function wasUnheard({ reusedSocket }: ClientRequest, { code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNREFUSED' || (reusedSocket && code === 'ECONNRESET');
}

/** Headers for a replica, in the flat form of Node. */
function headersFor(asked: IncomingMessage): string[] {
  const { headers, socket, rawHeaders } = asked;
  const kept = passedOn(rawHeaders, FORWARDED_FOR);
  const before = headers[FORWARDED_FOR];
  const address = socket.remoteAddress ?? '';
  kept.push(FORWARDED_FOR, before === undefined ? address : `${String(before)}, ${address}`);
  if (headers[FORWARDED_HOST] === undefined) kept.push(FORWARDED_HOST, headers.host ?? '');
  if (headers[FORWARDED_PROTO] === undefined) kept.push(FORWARDED_PROTO, 'http');
  if (headers['transfer-encoding'] !== undefined) kept.push('transfer-encoding', 'chunked');
  return kept;
}

/** Headers without those of the connection, and without one more. */
function passedOn(raw: readonly string[], less?: string): string[] {
  const ofConnection = new Set<string>();
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toLowerCase() !== 'connection') continue;
    for (const name of raw[index + 1]?.split(',') ?? []) ofConnection.add(name.trim().toLowerCase());
  }
  const kept: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (OF_CONNECTION.has(lower) || lower === less || ofConnection.has(lower)) continue;
    kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

/** The head of an answer as it goes over a socket. */
function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode ?? 502} ${statusMessage ?? ''}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function refuse(answer: ServerResponse, status: number, detail: string): void {
  const text = JSON.stringify({ status, detail });
  answer.writeHead(status, { 'content-type': 'application/problem+json', 'content-length': Buffer.byteLength(text) });
  answer.end(text);
}

function onlyOnce<Value>(act: (value: Value) => void): (value: Value) => void {
  let isDone = false;
  return (value) => {
    if (isDone) return;
    isDone = true;
    act(value);
  };
}
