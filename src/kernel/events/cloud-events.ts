import { isRecord } from '#kernel/base/is-record.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { type GivenEvent, PLACES } from './judge.ts';

const HEADER = /^ce-([a-z0-9]{1,20})$/;
const STRUCTURED = /^application\/cloudevents\+json\s*(;|$)/i;
const BATCH = /^application\/cloudevents-batch\+json\s*(;|$)/i;

/**
 * Reads the CloudEvents of a request, in any of the three forms of the HTTP binding; undefined when it holds none
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
 */
export function cloudEventsIn(exchange: Exchange, body: unknown): readonly unknown[] | undefined {
  const contentType = exchange.header('content-type') ?? '';
  if (BATCH.test(contentType)) return Array.isArray(body) ? body : [body];
  if (STRUCTURED.test(contentType)) return [body];
  if (exchange.header('ce-specversion') === undefined) return undefined;
  const attributes = Object.entries(exchange.request.headers).flatMap(([name, value]) => {
    const [, attribute] = HEADER.exec(name) ?? [];
    return attribute === undefined ? [] : [[attribute, decodeHeader(String(value))] as const];
  });
  return [{ ...Object.fromEntries(attributes), data: body }];
}

/**
 * Reads one CloudEvent. `source` and `id` together are unique, so that they form its id. Attributes that are not named
 * here are dropped.
 */
export function readCloudEvent(original: unknown): GivenEvent {
  const event = isRecord(original) ? original : {};
  const { specversion, type, source, id, time, subject, data } = event;
  return {
    format: 'cloudevents',
    places: PLACES.cloudevents,
    original,
    type,
    id: typeof source === 'string' && typeof id === 'string' ? `${source}#${id}` : undefined,
    at: time,
    subject,
    anonymousId: subject,
    properties: data,
    fault: isRecord(original) ? faultOf(specversion, 'data_base64' in event) : 'an event must be an object',
  };
}

function faultOf(specversion: unknown, isBinary: boolean): string | undefined {
  if (specversion !== '1.0') return '/specversion: must be "1.0"';
  return isBinary ? '/data_base64: only data that is a JSON object is kept' : undefined;
}

/** Decodes a percent-encoded header value; gives a malformed one unchanged. */
function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
