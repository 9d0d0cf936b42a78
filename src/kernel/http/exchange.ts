import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { jsonPointer, type Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import type { HttpMetrics } from './metrics.ts';
import { paceAnswer, piecesOf } from './paced-answer.ts';

/** A text above this is written as fast as its reader takes it, and packed where the reader takes that. */
const PACED_CHARS_MIN = 128 * 1024;
/** The quickest: JSON becomes a sixth all the same. */
const GZIP_LEVEL = 1;

/** Units of work: a small request is one, some 0.2 ms. */
const WORK = {
  /** Reading JSON and checking it. */
  bodyBytesPerUnit: 2 * 1024,
  answerCharsPerUnit: 64 * 1024,
  looksPerUnit: 8_000,
} as const;

const SANE_REQUEST_ID = /^[\w.:+/=-]{1,128}$/;
const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const idPrefix = randomBytes(6).toString('hex');
let idCounter = 0;

/** The parts that all exchanges of one server share. */
export interface ExchangeContext {
  readonly log: Log;
  readonly metrics: HttpMetrics;
  /** Aborted when the server stops: long answers end themselves then. */
  readonly closing: AbortSignal;
  /** Counts a connection as one of a caller who proved who they are. Throws a Refusal when that has too many. */
  readonly countCaller: (socket: Socket, caller: string | undefined) => void;
}

/** Who proved who they are on a connection, by their last request. */
const PROVED = new WeakMap<Socket, string | undefined>();

/** One HTTP request being answered, as handlers see it. Every decision makes one: it holds no closures. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** Still percent-encoded. */
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly queryText: string;
  /** The caller's `X-Request-Id` where it is a sane one, else ours. */
  readonly requestId: string;
  /** When its headers had come, as `performance.now()` counts. */
  readonly startedMs = performance.now();
  /** The name that it is counted under. */
  route = 'other';
  /** Whether its handler waits for the rest of the body: nothing was done yet. */
  isReadingBody = false;
  readonly #context: ExchangeContext;
  #pay: ((units: number, afterwards: boolean) => void) | undefined;
  /** Units of a body that came before anybody was named who pays for it. */
  #owed = 0;

  constructor(request: IncomingMessage, response: ServerResponse, context: ExchangeContext) {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.request = request;
    this.response = response;
    this.method = request.method ?? 'GET';
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.queryText = mark === -1 ? '' : url.slice(mark + 1);
    this.requestId = requestIdOf(request);
    this.#context = context;
  }

  get closing(): AbortSignal {
    return this.#context.closing;
  }

  /** Names the request, and the W3C trace that the caller is in. */
  get log(): Log {
    const traceId = traceIdOf(this.request);
    return this.#context.log.child({ requestId: this.requestId, ...(traceId === undefined ? {} : { traceId }) });
  }

  /** One header as it came, by its name in small letters. Spares the table of all, which most requests never need. */
  header(lowerCaseName: string): string | undefined {
    return headerOf(this.request, lowerCaseName);
  }

  /**
   * Counts the connection for its authenticated caller and no longer for its address; undefined for callers without a
   * limit. Throws a Refusal, and ends the connection, when the caller has too many.
   */
  countCaller(caller: string | undefined): void {
    const { socket } = this.request;
    if (PROVED.has(socket) && PROVED.get(socket) === caller) return;
    try {
      this.#context.countCaller(socket, caller);
    } catch (error) {
      this.response.shouldKeepAlive = false;
      throw error;
    }
    PROVED.set(socket, caller);
  }

  /**
   * Names who pays for the work of this request, in units. `pay` throws a Refusal when the caller has spent what they
   * may; `afterwards` says that the work is done already. A body that came before is charged at once.
   */
  chargeTo(pay: (units: number, afterwards: boolean) => void): void {
    this.#pay = pay;
    if (this.#owed === 0) return;
    const owed = this.#owed;
    this.#owed = 0;
    pay(owed, false);
  }

  /** Charges for a body before it is read as anything. @param factor how much harder it is to read than JSON */
  chargeBody(bytes: number, factor = 1): void {
    const units = Math.floor((bytes * factor) / WORK.bodyBytesPerUnit);
    if (units <= 0) return;
    if (this.#pay === undefined) this.#owed += units;
    else this.#pay(units, false);
  }

  /** Charges for looking at so many things, before it is done: a look takes some 25 ns. */
  chargeLooks(looks: number): void {
    const units = Math.floor(looks / WORK.looksPerUnit);
    if (units > 0) this.#pay?.(units, false);
  }

  chargeAnswer(chars: number): void {
    const units = Math.floor(chars / WORK.answerCharsPerUnit);
    if (units > 0) this.#pay?.(units, true);
  }

  /** Notes that an answer begins (1), or ends (-1), which goes on until somebody ends it. */
  streaming(change: 1 | -1): void {
    this.#context.metrics.streaming(change);
  }

  /** Notes that the answer has been given. */
  noteAnswer(status: number): void {
    const { log, metrics } = this.#context;
    const ms = performance.now() - this.startedMs;
    metrics.countAnswer(this.route, status, ms);
    const level = status >= 500 ? 'warn' : 'debug';
    if (!log.isLevelEnabled(level)) return;
    this.log[level]({ method: this.method, path: this.path, status, ms }, 'answered');
  }
}

function headerOf(request: IncomingMessage, lowerCaseName: string): string | undefined {
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return rawHeaders[index + 1];
  }
  return undefined;
}

/** Whether the caller says that they have what this tag names (RFC 9110: weakly compared, one of several, or any). */
export function isKnown({ request }: Exchange, etag: string): boolean {
  const given = request.headers['if-none-match'];
  if (given === undefined) return false;
  const strong = (tag: string): string => tag.trim().replace(/^W\//, '');
  return given.trim() === '*' || given.split(',').some((tag) => strong(tag) === strong(etag));
}

function requestIdOf(request: IncomingMessage): string {
  const given = headerOf(request, 'x-request-id');
  if (given !== undefined && SANE_REQUEST_ID.test(given)) return given;
  idCounter += 1;
  return `${idPrefix}-${idCounter.toString(36)}`;
}

function traceIdOf(request: IncomingMessage): string | undefined {
  const id = TRACE_PARENT.exec(headerOf(request, 'traceparent') ?? '')?.[1];
  return id === '0'.repeat(32) ? undefined : id;
}

/** The headers that describe an answer. */
interface AnswerForm {
  /** application/json where none is named. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
}

/** Made once: most answers are JSON without headers of their own. */
const JSON_FORM: AnswerForm = {};

export function send(exchange: Exchange, status: number, body: string | Buffer, form = JSON_FORM): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  const isLong = body.length >= PACED_CHARS_MIN;
  const isPacked = isLong && takesGzip(exchange);
  const lines = headLines(exchange, form, isLong, isPacked);
  if (!isPacked) lines.push('content-length', String(Buffer.byteLength(body)));
  response.writeHead(status, lines);
  if (exchange.method === 'HEAD') response.end();
  else if (isLong && typeof body === 'string') sendPaced(exchange, writerOf(exchange, isPacked), piecesOf(body));
  else writerOf(exchange, isPacked).end(body);
  exchange.noteAnswer(status);
}

/** Sends a text that is made piece by piece as its reader takes it. A short one is sent with its length. */
export function sendPieces(exchange: Exchange, status: number, pieces: Iterable<string>, form = JSON_FORM): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  const left = pieces[Symbol.iterator]();
  let begun = '';
  while (begun.length < PACED_CHARS_MIN) {
    const { done, value } = left.next();
    if (done === true) return send(exchange, status, begun, form);
    begun += value;
  }
  const isPacked = takesGzip(exchange);
  response.writeHead(status, headLines(exchange, form, true, isPacked));
  if (exchange.method === 'HEAD') response.end();
  else sendPaced(exchange, writerOf(exchange, isPacked), left, begun);
  exchange.noteAnswer(status);
}

/** Whether the reader takes gzip (RFC 9110, section 12.5.3): what is named wins over `*`, and a weight of 0 is a no. */
function takesGzip(exchange: Exchange): boolean {
  const weights = new Map(
    (exchange.header('accept-encoding') ?? '').split(',').map((one) => {
      const [coding = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice('q='.length) ?? '1';
      return [coding, Number(weight)] as const;
    }),
  );
  return (weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0) > 0;
}

/** Where an answer is written to. Packing is done on other threads. */
function writerOf({ response }: Exchange, isPacked: boolean): Writable {
  if (!isPacked) return response;
  const packing = createGzip({ level: GZIP_LEVEL });
  response.once('close', () => packing.destroy());
  packing.once('close', () => {
    if (!packing.readableEnded) response.destroy();
  });
  packing.once('error', () => response.destroy());
  packing.pipe(response);
  return packing;
}

function sendPaced(exchange: Exchange, writer: Writable, pieces: Iterator<string>, begun = ''): void {
  let first = begun;
  paceAnswer(writer, {
    next: () => {
      if (first !== '') {
        const text = first;
        first = '';
        return text;
      }
      const { done, value } = pieces.next();
      return done === true ? null : value;
    },
    wrote: (chars) => exchange.chargeAnswer(chars),
    onStall: () => exchange.log.warn({ path: exchange.path }, 'http: slow reader disconnected (timeout)'),
    onFailure: (error) => {
      exchange.log.error({ err: error, path: exchange.path }, 'http: answer failed');
      exchange.response.destroy();
    },
  });
}

function headLines(
  exchange: Exchange,
  { contentType = 'application/json', headers }: AnswerForm,
  isLong: boolean,
  isPacked: boolean,
): (string | string[])[] {
  const lines: (string | string[])[] = ['content-type', contentType, 'x-request-id', exchange.requestId];
  for (const name in headers) {
    const value = headers[name] ?? '';
    // A compressed answer is the same in other bytes.
    const isStrong = isPacked && name === 'etag' && typeof value === 'string' && !value.startsWith('W/');
    lines.push(name, isStrong ? `W/${value}` : value);
  }
  if (isPacked) lines.push('content-encoding', 'gzip');
  if (isLong) lines.push('vary', 'Accept-Encoding');
  return lines;
}

/** Answers with RFC 9457 problem details: the form of every error outside the resource API. */
export function sendProblem(exchange: Exchange, refusal: Refusal): void {
  const [first] = refusal.problems;
  const body = {
    type: `urn:backline:problem:${refusal.code}`,
    title: refusal.reason,
    status: refusal.status,
    detail: refusal.message,
    code: refusal.code,
    ...(first === undefined ? {} : { pointer: jsonPointer(first.path) }),
    ...(refusal.problems.length === 0
      ? {}
      : { errors: refusal.problems.map(({ path, detail }) => ({ pointer: jsonPointer(path), detail })) }),
    ...(refusal.remedy === undefined ? {} : { remedy: refusal.remedy }),
    requestId: exchange.requestId,
  };
  const form = { contentType: 'application/problem+json', headers: refusalHeaders(refusal) };
  send(exchange, refusal.status, JSON.stringify(body), form);
}

/** The headers of a refusal. */
export function refusalHeaders({ retryAfterSeconds, allow }: Refusal): Record<string, string> {
  return {
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    ...(allow === undefined ? {} : { allow: allow.join(', ') }),
  };
}

/**
 * The whole body, refused above the limit before more of it is read, and charged to who pays for the request.
 *
 * @param factor how much harder it is to read than JSON
 */
export async function readBody(exchange: Exchange, bytesMax: number, factor = 1): Promise<Buffer> {
  const tooLarge = () => httpRefusal('body-too-large', `The body is larger than ${bytesMax} bytes.`);
  const { request } = exchange;
  if (Number(exchange.header('content-length') ?? 0) > bytesMax) throw tooLarge();
  exchange.isReadingBody = true;
  // By events: an asynchronous iterator would cost as much as half of a decision.
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= bytesMax) return;
      reject(tooLarge());
      request.destroy();
    });
    request.once('end', () => {
      exchange.isReadingBody = false;
      try {
        exchange.chargeBody(bytes, factor);
      } catch (error) {
        reject(error);
        return;
      }
      const [first] = chunks;
      resolve(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, bytes));
    });
    request.once('error', reject);
    request.once('close', () => {
      if (!request.readableEnded) reject(Object.assign(new Error('the body ended early'), { code: 'ECONNRESET' }));
    });
  });
}
