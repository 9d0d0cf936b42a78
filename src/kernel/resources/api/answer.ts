import type { Refusal } from '#kernel/base/failures.ts';
import { retryAfter, send, type Exchange } from '#kernel/http/exchange.ts';
import type { Accepted } from '../codec/accept.ts';
import { REFUSAL_CODE } from '../client/refusal-of.ts';
import { encodeYaml } from '../codec/body.ts';
import type { Kind } from '../kind.ts';
import type { Entry } from '../store-contract.ts';
import type { ApiDocument } from './document.ts';
import type { OpenApiV2Document } from './openapi-v2.ts';
import type { Target } from './request.ts';
import { failureStatus } from './status.ts';

/** A list as JSON: the objects' own texts, joined. */
export function listText(
  kind: Kind,
  version: number,
  entries: readonly Entry[],
  metadata: object = { resourceVersion: String(version) },
): string {
  const head = `{"kind":"${kind.kind}List","apiVersion":"${kind.apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`;
  return `${head}${entries.map(({ text }) => text).join(',')}]}`;
}

/** Sentences for the client as `Warning` headers (RFC 7234). */
export function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  return {
    warning: warnings.map((text) => `299 - "${text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?')}"`),
  };
}

export function sendObject(
  exchange: Exchange,
  status: number,
  object: object,
  accepted: Accepted,
  warnings: readonly string[] = [],
): void {
  const yaml = accepted.as === 'yaml' && accepted.table === undefined;
  send(
    exchange,
    status,
    yaml ? 'application/yaml' : 'application/json',
    yaml ? encodeYaml(object) : JSON.stringify(object),
    warningHeaders(warnings),
  );
}

export function sendDocument(exchange: Exchange, { contentType, body, etag }: ApiDocument | OpenApiV2Document): void {
  const known = exchange.request.headers['if-none-match'] === etag;
  send(exchange, known ? 304 : 200, contentType, known ? '' : body, { vary: 'Accept', etag });
}

/** Answers a refusal as a `Status`; also for requests that were refused before their path was understood. */
export function sendRefusal(exchange: Exchange, refusal: Refusal, target?: Target): void {
  const status = failureStatus(refusal, { kind: target?.kind, name: target?.name });
  // What is left of a body that is too large is not read: the connection ends with the answer.
  const headers: Record<string, string> = refusal.reason === 'RequestEntityTooLarge' ? { connection: 'close' } : {};
  send(exchange, refusal.status, 'application/json', JSON.stringify(status), {
    ...retryAfter(refusal),
    ...headers,
    [REFUSAL_CODE]: refusal.code,
  });
}
