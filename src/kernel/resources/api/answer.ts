import type { Refusal } from '#kernel/base/failures.ts';
import { retryAfter, send, type Exchange } from '#kernel/http/exchange.ts';
import { negotiate, type Accepted } from '../codec/accept.ts';
import { REFUSAL_CODE } from '../client/refusal-of.ts';
import { encodeYaml } from '../codec/body.ts';
import type { ApiDocument } from './document.ts';
import type { OpenApiV2Document } from './openapi-v2.ts';
import type { Target } from './request.ts';
import { failureStatus } from './status.ts';

/** Sentences for the client as `Warning` headers (RFC 7234). */
export function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  return {
    warning: warnings.map((text) => `299 - "${text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?')}"`),
  };
}

/** The form that a request asks for. Throws a Refusal when there is none that it takes. */
export function acceptedBy({ request, queryText }: Exchange): Accepted {
  const accepted = negotiate(request.headers.accept);
  return /(^|&)pretty=(true|t|1)(&|$)/i.test(queryText) ? { ...accepted, pretty: true } : accepted;
}

/** Sends JSON in the form that the client takes: as it is, indented, or as YAML. */
export function sendJson(
  exchange: Exchange,
  status: number,
  json: string,
  { as, pretty }: Accepted,
  headers?: Readonly<Record<string, string | string[]>>,
): void {
  if (as === 'yaml') return send(exchange, status, 'application/yaml', encodeYaml(JSON.parse(json)), headers);
  const text = pretty === undefined ? json : `${JSON.stringify(JSON.parse(json), null, 2)}\n`;
  send(exchange, status, 'application/json', text, headers);
}

export function sendDocument(exchange: Exchange, { contentType, body, etag }: ApiDocument | OpenApiV2Document): void {
  const known = exchange.request.headers['if-none-match'] === etag;
  send(exchange, known ? 304 : 200, contentType, known ? '' : body, { vary: 'Accept', etag });
}

/** Answers a refusal as a `Status`; also for requests that were refused before their path was understood. */
export function sendRefusal(
  exchange: Exchange,
  refusal: Refusal,
  target?: Target,
  accepted: Accepted = { as: 'json' },
): void {
  const status = failureStatus(refusal, { kind: target?.kind, name: target?.name });
  // What is left of a body that is too large is not read: the connection ends with the answer.
  const headers: Record<string, string> = refusal.reason === 'RequestEntityTooLarge' ? { connection: 'close' } : {};
  sendJson(exchange, refusal.status, JSON.stringify(status), accepted, {
    ...retryAfter(refusal),
    ...headers,
    [REFUSAL_CODE]: refusal.code,
  });
}
