import { isRecord } from '#kernel/base/is-record.ts';
import type { EventTable } from './event-table.ts';
import { type GivenEvent, PLACES } from './judge.ts';

/**
 * Reads one message of Segment's libraries (https://segment.com/docs/connections/spec/). Members that the libraries add
 * (context, integrations) are not declared and are dropped.
 */
export function readSegmentEvent(original: unknown, table: EventTable): GivenEvent {
  const message = isRecord(original) ? original : {};
  const { type: call, messageId, timestamp, originalTimestamp, sentAt, userId, anonymousId } = message;
  return {
    format: 'segment',
    places: {
      ...PLACES.segment,
      ...(call === 'track' ? {} : { type: '/type' }),
      ...(call === 'identify' || call === 'group' ? { properties: '/traits' } : {}),
    },
    original,
    type: typeOf(message, table),
    id: messageId,
    at: firstOf(timestamp, originalTimestamp, sentAt),
    subject: textOf(firstOf(userId, anonymousId)),
    anonymousId: textOf(firstOf(anonymousId)),
    properties: propertiesOf(message),
    fault: isRecord(original) ? undefined : 'a message must be an object',
  };
}

/** The first value that is not absent. The libraries send empty text for unknown values. */
function firstOf(...values: readonly unknown[]): unknown {
  return values.find((value) => value !== undefined && value !== null && value !== '');
}

function typeOf({ type: call, event }: Record<string, unknown>, { bySegment }: EventTable): unknown {
  if (call !== 'track') return typeof call === 'string' ? (bySegment.get(`${call} `) ?? call) : call;
  return typeof event === 'string' ? (bySegment.get(`track ${event}`) ?? wordsWithHyphens(event)) : event;
}

/** `Song Played` → `song-played`, `songPlayed` → `song-played`. */
function wordsWithHyphens(name: string): string {
  return name
    .slice(0, 200)
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

function propertiesOf(message: Record<string, unknown>): unknown {
  const { type, properties, traits, name, category, groupId, previousId } = message;
  switch (type) {
    case 'identify':
      return traits;
    case 'page':
    case 'screen':
      return mergeProperties({ name, category }, properties);
    case 'group':
      return mergeProperties({ groupId }, traits);
    case 'alias':
      return mergeProperties({ previousId }, undefined);
    default:
      return properties;
  }
}

/** Merges members of the message into its properties, which take precedence. */
function mergeProperties(beside: Record<string, unknown>, properties: unknown): unknown {
  if (properties !== undefined && properties !== null && !isRecord(properties)) return properties;
  const given = Object.entries(beside).filter(([, value]) => value !== undefined && value !== null);
  return { ...Object.fromEntries(given), ...properties };
}

/** Converts an id that is a number to text. */
function textOf(id: unknown): unknown {
  return typeof id === 'number' ? String(id) : id;
}
