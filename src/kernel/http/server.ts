import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { BlockList, createServer as createTcpServer, isIP, type AddressInfo, type Socket } from 'node:net';
import { setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { refusalIn } from '#kernel/base/failures.ts';
import { httpRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { Exchange, sendProblem, type ExchangeContext } from './exchange.ts';
import type { HttpMetrics } from './metrics.ts';

/** Named, so that a test can lower one. */
const HTTP_LIMITS = {
  /** A client that has not sent its headers by then is cut off. */
  headersMsMax: 10_000,
  /** A client that has not sent its whole request by then is cut off: slow bodies hold no memory. */
  requestMsMax: 60_000,
  keepAliveMs: 65_000,
  headerBytesMax: 32 * 1024,
  connectionsMax: 10_000,
  /** Connections of one address that nobody proved an identity on: more are closed at once. */
  unprovenPerAddressMax: 1_000,
  /** Connections of one caller who proved who they are, administrators excepted. A controller holds one for each kind. */
  perCallerMax: 1_000,
  /** Requests that one connection may send ahead of their answers; one that sends more is closed. */
  pipelinedMax: 64,
  /** How often slow clients are looked for. */
  checkMs: 5_000,
  /** A connection that has not sent its first byte by then, or not ended its TLS handshake, is closed. */
  firstByteMsMax: 10_000,
  /** How long answers under way may take once the server stops. */
  drainMsMax: 1_000,
};

/** So many before the last one, the caller with the most connections makes room. */
const CONNECTIONS_SPARE = 100;

/** First byte of a TLS handshake record. */
const TLS_HANDSHAKE = 0x16;

const TLS_MIN = 'TLSv1.2';

export interface HttpServerOptions {
  readonly host: string;
  /** 0 chooses a free one. */
  readonly port: number;
  readonly tls: { readonly key: string; readonly cert: string };
  readonly handle: (exchange: Exchange) => void | Promise<void>;
  readonly log: Log;
  readonly metrics: HttpMetrics;
  /** Addresses of proxies, which open connections for many: the limit of one address is not for them. */
  readonly trustedProxies?: readonly string[] | undefined;
  readonly limits?: Partial<typeof HTTP_LIMITS>;
}

export interface HttpServer {
  readonly port: number;
  /** Answers by this from now on. */
  readonly answerWith: (handle: HttpServerOptions['handle']) => void;
  /** Shows another certificate on connections from now on. */
  readonly renew: (tls: HttpServerOptions['tls']) => void;
  /** Ends idle connections, lets answers under way finish for a moment, then cuts what is left. */
  readonly close: () => Promise<void>;
}

/**
 * Serves TLS and plain HTTP on one port: the first byte of a connection tells which it is. So one address is enough,
 * kubectl gets the TLS that it insists on, and a browser or curl on the same machine needs no certificate.
 * Plain HTTP is accepted from the same machine only: a token must not cross a network in the clear.
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { log } = options;
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const serverOptions = {
    headersTimeout: limits.headersMsMax,
    requestTimeout: limits.requestMsMax,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.checkMs,
    maxHeaderSize: limits.headerBytesMax,
    noDelay: true,
  };
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const connections = new ConnectionAccounts(limits, options.trustedProxies ?? []);
  const context: ExchangeContext = {
    log,
    metrics: options.metrics,
    closing: closing.signal,
    countCaller: (socket, caller) => {
      if (connections.prove(socket, caller)) return;
      throw httpRefusal(
        'too-many-connections',
        `${caller ?? 'Somebody'} has more than ${limits.perCallerMax} connections to this process.`,
        { retryAfterSeconds: 10 },
      );
    },
  };
  let { handle } = options;
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    inTurn(request, response, limits.pipelinedMax, () => answer(handle, context, request, response));
  const plain = createHttpServer(serverOptions, onRequest);
  const secure = createHttpsServer(
    { ...serverOptions, ...options.tls, minVersion: TLS_MIN, handshakeTimeout: limits.firstByteMsMax },
    onRequest,
  );
  for (const server of [plain, secure]) server.on('clientError', (error, socket) => refuseBytes(error, socket, limits));
  secure.on('tlsClientError', (error) => log.debug({ error: error.message }, 'http: TLS handshake failed'));

  // These two never listen: they are handed their connections. The event starts their watch over
  // time limits and idle connections.
  const servers = [plain, secure];
  for (const server of servers) server.emit('listening');

  const sockets = new Set<Socket>();
  const front = createTcpServer({ noDelay: true, pauseOnConnect: false }, (socket) => {
    if (!connections.open(socket)) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const ignore = () => socket.destroy();
    socket.on('error', ignore);
    socket.setTimeout(limits.firstByteMsMax, ignore);
    socket.once('data', (first: Buffer) => {
      socket.setTimeout(0);
      socket.off('timeout', ignore);
      const isTls = first[0] === TLS_HANDSHAKE;
      if (!isTls && !isLoopback(socket.remoteAddress)) {
        socket.end(
          'HTTP/1.1 421 Misdirected Request\r\nconnection: close\r\n\r\nPlain HTTP is for this machine only. Use https here.\n',
        );
        return;
      }
      socket.pause();
      socket.unshift(first);
      (isTls ? secure : plain).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  front.maxConnections = limits.connectionsMax;
  await new Promise<void>((resolve, reject) => {
    front.once('error', reject);
    front.listen(options.port, options.host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw httpRefusal('port-taken', `Port ${options.port} on ${options.host} is taken by another program.`);
  });

  let closed: Promise<void> | undefined;
  return {
    port: (front.address() as AddressInfo).port,
    answerWith: (next) => {
      handle = next;
    },
    renew: (tls) => secure.setSecureContext({ ...tls, minVersion: TLS_MIN }),
    close: () => (closed ??= close()),
  };

  async function close(): Promise<void> {
    closing.abort();
    const ended = new Promise<void>((resolve) => front.close(() => resolve()));
    for (const server of servers) server.close(() => {});
    const cut = setTimeout(() => sockets.forEach((socket) => socket.destroy()), limits.drainMsMax);
    await ended;
    clearTimeout(cut);
  }
}

/** Bytes that are no request, by what Node.js says of them; anything else is 400. */
const UNREADABLE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers what could not be read as a request; what went wrong before there were bytes to read gets no answer. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex, { headerBytesMax }: typeof HTTP_LIMITS): void {
  const { code = '' } = error;
  if (!socket.writable || !(code.startsWith('HPE_') || code in UNREADABLE)) return void socket.destroy();
  const status = UNREADABLE[code] ?? '400 Bad Request';
  const text =
    code === 'HPE_HEADER_OVERFLOW'
      ? `The request line and headers are longer than ${headerBytesMax} bytes: spread a long selector over several requests.\n`
      : '';
  const head = `connection: close\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}`;
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${text}`, () => socket.destroy());
}

export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (/^(::ffff:)?127\./.test(address) || address === '::1');
}

/** The answer that is under way on each connection, and how many requests wait behind it. */
const UNDER_WAY = new WeakMap<Socket, { last: ServerResponse; waiting: number }>();

/**
 * Begins an answer once the one before it on the same connection has left. So a client that sends requests ahead and
 * reads nothing holds the memory of one answer.
 */
function inTurn(request: IncomingMessage, response: ServerResponse, pipelinedMax: number, begin: () => void): void {
  const { socket } = request;
  const lane = UNDER_WAY.get(socket);
  if (lane === undefined) {
    UNDER_WAY.set(socket, { last: response, waiting: 0 });
    return begin();
  }
  const before = lane.last;
  lane.last = response;
  if (before.writableFinished) return begin();
  lane.waiting += 1;
  if (lane.waiting > pipelinedMax) return void socket.destroy();
  before.once('close', () => {
    lane.waiting -= 1;
    if (!socket.destroyed) begin();
  });
}

/** Connections by who holds them: an address, until a request on one proves who sends it, then that caller. */
class ConnectionAccounts {
  /** Of each holder, its connections in the order in which it got them. */
  readonly #held = new Map<string, Map<string, Socket>>();
  /** Who holds a connection, by its address and port, which the TLS socket around it shares. */
  readonly #holders = new Map<string, string>();
  readonly #limits: Pick<typeof HTTP_LIMITS, 'unprovenPerAddressMax' | 'perCallerMax' | 'connectionsMax'>;
  readonly #trusted = new BlockList();

  constructor(limits: typeof HTTP_LIMITS, trusted: readonly string[]) {
    this.#limits = limits;
    for (const address of trusted) this.#trusted.addAddress(address, familyOf(address));
  }

  /**
   * False when the address has too many connections that nobody has proved anything on. When there are nearly as many
   * connections as there may be, the caller that holds the most loses its oldest one, so that others still get in.
   */
  open(socket: Socket): boolean {
    const { remoteAddress: address } = socket;
    if (address === undefined || this.#trusted.check(address, familyOf(address))) return true;
    const holder = `address ${address}`;
    if (this.#count(holder) >= this.#limits.unprovenPerAddressMax) return false;
    if (this.#holders.size >= this.#limits.connectionsMax - CONNECTIONS_SPARE) this.#closeOldest();
    const key = keyOf(socket);
    this.#hold(key, holder, socket);
    socket.once('close', () => this.#release(key));
    return true;
  }

  /** False when the caller has too many connections. A connection without a caller has no limit. */
  prove(socket: Socket, caller: string | undefined): boolean {
    const key = keyOf(socket);
    const held = this.#release(key);
    // A connection of a trusted proxy carries requests of many.
    if (held === undefined || caller === undefined) return true;
    const holder = `caller ${caller}`;
    this.#hold(key, holder, held);
    return this.#count(holder) <= this.#limits.perCallerMax;
  }

  #count(holder: string): number {
    return this.#held.get(holder)?.size ?? 0;
  }

  #hold(key: string, holder: string, socket: Socket): void {
    const sockets = this.#held.get(holder) ?? new Map<string, Socket>();
    this.#held.set(holder, sockets.set(key, socket));
    this.#holders.set(key, holder);
  }

  #release(key: string): Socket | undefined {
    const holder = this.#holders.get(key);
    if (holder === undefined) return undefined;
    this.#holders.delete(key);
    const sockets = this.#held.get(holder);
    const socket = sockets?.get(key);
    sockets?.delete(key);
    if (sockets?.size === 0) this.#held.delete(holder);
    return socket;
  }

  #closeOldest(): void {
    let most: ReadonlyMap<string, Socket> = new Map();
    for (const sockets of this.#held.values()) if (sockets.size > most.size) most = sockets;
    const [oldest] = most;
    if (oldest === undefined) return;
    const [key, socket] = oldest;
    this.#release(key);
    socket.destroy();
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

function answer(
  handle: HttpServerOptions['handle'],
  context: ExchangeContext,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const exchange = new Exchange(request, response, context);
  try {
    const pending = handle(exchange);
    if (pending !== undefined) pending.catch((error: unknown) => handleFailure(exchange, error));
  } catch (error) {
    handleFailure(exchange, error);
  }
}

function handleFailure(exchange: Exchange, error: unknown): void {
  const refusal = refusalIn(error);
  if (refusal !== undefined) return sendProblem(exchange, refusal);
  const { response } = exchange;
  if (response.destroyed || (error as NodeJS.ErrnoException)?.code === 'ECONNRESET') return;
  exchange.log.error({ err: error, method: exchange.method, path: exchange.path }, 'http: request failed (bug)');
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(500, { 'content-type': 'application/problem+json', 'x-request-id': exchange.requestId });
  response.end(
    JSON.stringify({
      type: 'urn:backline:problem:http/unexpected',
      title: 'InternalError',
      status: 500,
      code: 'http/unexpected',
      detail: `Something went wrong on our side. Quote request id ${exchange.requestId}.`,
      requestId: exchange.requestId,
    }),
  );
  exchange.noteAnswer(500);
}
