import type { Path, Refusal } from '#kernel/base/failures.ts';
import { eventRefusal } from './refusals.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { isTooDeep, valueDepthMax } from '#kernel/kinds/schema/depth.ts';
import { readCloudEvent } from './cloud-events.ts';
import type { EventTable } from './event-table.ts';
import { type EventFormat, type GivenEvent, PLACES, timeMs } from './judge.ts';
import { readSegmentEvent } from './segment.ts';

export const BATCH_LIMITS = {
  eventsMax: 1_000,
  producerCharsMax: 200,
} as const;

/** The events of a request, with the members that concern all of them. */
export interface GivenBatch {
  readonly sentMs: number | undefined;
  /** The client's machine or installation that sends; may be empty. */
  readonly producer: string;
  /** Number of the batch, counted by the producer; gaps show lost batches. */
  readonly sequence: number | undefined;
  readonly events: readonly GivenEvent[];
}

/** Reads the body of `POST /v1/events`. Refuses a malformed batch as a whole; single events are judged later. */
export function readBatch(body: unknown): GivenBatch {
  // Credentials are read before.
  const { events, sentAt, producer = '', sequence, writeKey: _key, subjectToken: _token, ...others } = asObject(body);
  const [stray] = Object.keys(others);
  if (stray !== undefined) {
    throw badBatch([stray], `there is no member "${stray.slice(0, 100)}"${didYouMean(nearSpellings(stray, MEMBERS))}`);
  }
  if (typeof producer !== 'string' || producer.length > BATCH_LIMITS.producerCharsMax || !isStorable(producer)) {
    throw badBatch(['producer'], `must be text of at most ${BATCH_LIMITS.producerCharsMax} characters`);
  }
  if (sequence !== undefined && (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0)) {
    throw badBatch(['sequence'], 'must be a whole number from 0');
  }
  const list = listOf(events, 'events');
  return { sentMs: sentMsOf(sentAt), producer, sequence, events: list.map(readNativeEvent).map(notTooDeep) };
}

/** Reads the body of Segment's `POST /v1/batch`. */
export function readSegmentBatch(body: unknown, table: EventTable): GivenBatch {
  const { batch, sentAt } = asObject(body);
  const list = listOf(batch, 'batch');
  const events = list.map((event) => notTooDeep(readSegmentEvent(withoutKey(event), table)));
  return { sentMs: sentMsOf(sentAt), producer: '', sequence: undefined, events };
}

/** Reads the body of a single call of Segment's libraries. @param call the type of the call, if the body has none */
export function readSegmentCall(body: unknown, call: string, table: EventTable): GivenBatch {
  const { writeKey: _key, subjectToken: _token, ...message } = asObject(body);
  const event = notTooDeep(readSegmentEvent({ type: call, ...message }, table));
  return { sentMs: sentMsOf(message['sentAt']), producer: '', sequence: undefined, events: [event] };
}

/** Reads CloudEvents, which have no time of sending. */
export function readCloudEvents(given: readonly unknown[]): GivenBatch {
  const events = listOf(given, '').map(readCloudEvent).map(notTooDeep);
  return { sentMs: undefined, producer: '', sequence: undefined, events };
}

/** Marks an event that is nested too deep as faulty, so that later code may recurse. */
function notTooDeep(given: GivenEvent): GivenEvent {
  if (!isTooDeep(given.original)) return given;
  return { ...given, fault: `the event is nested deeper than ${valueDepthMax} levels` };
}

/** Reads a stored event again. */
export function readEvent(format: EventFormat, original: unknown, table: EventTable): GivenEvent {
  switch (format) {
    case 'segment':
      return readSegmentEvent(original, table);
    case 'cloudevents':
      return readCloudEvent(original);
    case 'backline':
      return readNativeEvent(original);
    default:
      return format satisfies never;
  }
}

/** Removes the write key, which some libraries put into each message. */
function withoutKey(message: unknown): unknown {
  if (!isRecord(message) || !('writeKey' in message)) return message;
  const { writeKey: _key, ...others } = message;
  return others;
}

const MEMBERS = ['events', 'sentAt', 'producer', 'sequence'];
const EVENT_MEMBERS = ['type', 'id', 'at', 'subject', 'properties'];

function readNativeEvent(original: unknown): GivenEvent {
  const event = isRecord(original) ? original : {};
  const { type, id, at, subject, properties, ...others } = event;
  const [stray] = Object.keys(others);
  const fault = isRecord(original)
    ? stray === undefined
      ? undefined
      : `there is no member "${stray.slice(0, 100).toWellFormed()}"${didYouMean(nearSpellings(stray, EVENT_MEMBERS))}; what an event carries goes into its properties`
    : 'an event must be an object';
  const places = PLACES.backline;
  return { format: 'backline', places, original, type, id, at, subject, anonymousId: subject, properties, fault };
}

function asObject(body: unknown): Record<string, unknown> {
  if (!isRecord(body)) throw badBatch([], 'the body must be an object');
  return body;
}

function listOf(list: unknown, member: string): readonly unknown[] {
  if (!Array.isArray(list) || list.length === 0)
    throw badBatch(member === '' ? [] : [member], 'must be a list of at least one event');
  if (list.length <= BATCH_LIMITS.eventsMax) return list;
  throw eventRefusal(
    'too-many',
    `A batch holds at most ${BATCH_LIMITS.eventsMax} events, and this one holds ${list.length}.`,
  );
}

function sentMsOf(sentAt: unknown): number | undefined {
  if (sentAt === undefined || sentAt === null) return undefined;
  const ms = timeMs(sentAt);
  if (ms === undefined)
    throw badBatch(['sentAt'], 'must be a time as in RFC 3339, from 1970 to 9999, like 2026-05-01T12:00:00Z');
  return ms;
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function badBatch(path: Path, detail: string): Refusal {
  const where = path.length === 0 ? '' : `/${path.join('/')}: `;
  return eventRefusal('bad-batch', `The batch cannot be read: ${where}${detail}.`, {
    problems: [{ path, reason: 'FieldValueInvalid', detail }],
  });
}
