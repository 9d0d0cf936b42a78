import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomBytes } from 'node:crypto';
import { Refusal, jsonPointer } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';

/** One HTTP request being answered, as handlers see it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** Still percent-encoded. */
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly queryText: string;
  /** The caller's `X-Request-Id` where it is a sane one, else ours. */
  readonly requestId: string;
  readonly log: Log;
  /** Aborted when the server stops: long answers end themselves then. */
  readonly closing: AbortSignal;
}

const SANE_REQUEST_ID = /^[\w.:+/=-]{1,128}$/;
const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const idPrefix = randomBytes(6).toString('hex');
let idCounter = 0;

export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  if (typeof given === 'string' && SANE_REQUEST_ID.test(given)) return given;
  idCounter += 1;
  return `${idPrefix}-${idCounter.toString(36)}`;
}

/** The W3C trace that the caller is in, if it says so. */
export function traceIdOf(request: IncomingMessage): string | undefined {
  const header = request.headers['traceparent'];
  if (typeof header !== 'string') return undefined;
  const id = TRACE_PARENT.exec(header)?.[1];
  return id === '0'.repeat(32) ? undefined : id;
}

export function send(
  exchange: Exchange,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string | string[]>> = {},
): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-request-id': exchange.requestId,
    ...headers,
  });
  response.end(exchange.method === 'HEAD' ? undefined : body);
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
  send(exchange, refusal.status, 'application/problem+json', JSON.stringify(body), retryAfter(refusal));
}

export function retryAfter(refusal: Refusal): Record<string, string> {
  return refusal.retryAfterSeconds === undefined ? {} : { 'retry-after': String(refusal.retryAfterSeconds) };
}

/** The whole body, refused above the limit before more of it is read. */
export async function readBody(exchange: Exchange, bytesMax: number): Promise<Buffer> {
  const tooLarge = () =>
    new Refusal('http/body-too-large', 'RequestEntityTooLarge', `The body is larger than ${bytesMax} bytes.`, {
      remedy: 'Send less at once.',
    });
  if (Number(exchange.request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of exchange.request) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
