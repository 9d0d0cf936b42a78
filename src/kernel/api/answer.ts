import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { isKnown, refusalHeaders, send, sendPieces, type Exchange } from '#kernel/http/exchange.ts';
import { negotiate, type AcceptedForm } from './codec/accept.ts';
import { REFUSAL_CODE } from './parse-refusal.ts';
import { encodeYaml } from './codec/body.ts';
import { CBOR_TYPE, encodeCbor } from './codec/cbor.ts';
import type { ApiDocument } from './document.ts';
import type { OpenApiV2Document } from './openapi-v2.ts';
import type { RequestTarget } from './request.ts';
import { failureStatus } from './status.ts';

/** Sentences for the client as `Warning` headers (RFC 7234). */
export function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {};
  return {
    warning: warnings.map((text) => `299 - "${text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e]/g, '?')}"`),
  };
}

/** The form that a request asks for. Throws a Refusal when there is none that it takes. */
export function acceptedBy({ request, queryText }: Exchange): AcceptedForm {
  const accepted = negotiate(request.headers.accept);
  return /(^|&)pretty=(true|t|1)(&|$)/i.test(queryText) ? { ...accepted, pretty: true } : accepted;
}

/** Writing YAML, CBOR, or JSON with indentation, takes up to 20 times as long as the JSON that there is. */
const REWRITTEN_CHARS_MAX = 512 * 1024;

interface JsonAnswer {
  /** 200 where none is named. */
  readonly status?: number;
  readonly json: string;
  readonly accepted: AcceptedForm;
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
}

/** Sends JSON in the form that the client takes: as it is, indented, or as YAML. */
export function sendJson(exchange: Exchange, answer: JsonAnswer): void {
  const { status = 200, json, accepted, headers } = answer;
  if (isAsStored(accepted) || (accepted.orJson === true && json.length > REWRITTEN_CHARS_MAX)) {
    return send(exchange, status, json, { headers });
  }
  return sendRewritten(exchange, answer);
}

/** Sends JSON that is made piece by piece as its reader takes it. */
export function sendJsonPieces(
  exchange: Exchange,
  pieces: Iterable<string>,
  accepted: AcceptedForm,
  headers?: Readonly<Record<string, string | string[]>>,
): void {
  if (isAsStored(accepted)) return sendPieces(exchange, 200, pieces, { headers });
  let json = '';
  const left = pieces[Symbol.iterator]();
  for (let next = left.next(); next.done !== true; next = left.next()) {
    json += next.value;
    if (json.length <= REWRITTEN_CHARS_MAX) continue;
    if (accepted.orJson !== true) throw tooLargeToRewrite();
    return sendPieces(exchange, 200, following(json, left), { headers });
  }
  return sendRewritten(exchange, { json, accepted, headers });
}

function isAsStored({ as, pretty }: AcceptedForm): boolean {
  return as === 'json' && pretty === undefined;
}

function* following(first: string, left: Iterator<string>): Iterable<string> {
  yield first;
  for (let next = left.next(); next.done !== true; next = left.next()) yield next.value;
}

function sendRewritten(exchange: Exchange, { status = 200, json, accepted, headers }: JsonAnswer): void {
  if (json.length > REWRITTEN_CHARS_MAX) throw tooLargeToRewrite();
  const value: unknown = JSON.parse(json);
  if (accepted.as === 'cbor') return send(exchange, status, encodeCbor(value), { contentType: CBOR_TYPE, headers });
  if (accepted.as === 'yaml') {
    return send(exchange, status, encodeYaml(value), { contentType: 'application/yaml', headers });
  }
  return send(exchange, status, `${JSON.stringify(value, null, 2)}\n`, { headers });
}

function tooLargeToRewrite(): Refusal {
  return resourceRefusal(
    'not-acceptable',
    `The answer has more than ${REWRITTEN_CHARS_MAX} characters, which is too much to write as YAML, as CBOR or with indentation.`,
    { remedy: 'Ask for application/json without pretty, or for pages with limit.' },
  );
}

export function sendDocument(exchange: Exchange, { contentType, body, etag }: ApiDocument | OpenApiV2Document): void {
  const known = isKnown(exchange, etag);
  send(exchange, known ? 304 : 200, known ? '' : body, { contentType, headers: { vary: 'Accept', etag } });
}

/** Answers a refusal as a `Status`; also for requests that were refused before their path was understood. */
export function sendRefusal(
  exchange: Exchange,
  refusal: Refusal,
  target?: RequestTarget,
  accepted: AcceptedForm = { as: 'json' },
): void {
  const status = failureStatus(refusal, { kind: target?.kind, name: target?.name });
  // The rest of a body that is too large is not read: the connection ends with the answer.
  const headers: Record<string, string> = refusal.reason === 'RequestEntityTooLarge' ? { connection: 'close' } : {};
  sendJson(exchange, {
    status: refusal.status,
    json: JSON.stringify(status),
    accepted,
    headers: { ...refusalHeaders(refusal), ...headers, [REFUSAL_CODE]: refusal.code },
  });
}
