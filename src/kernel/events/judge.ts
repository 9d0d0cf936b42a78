import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { FORMATS } from '#kernel/kinds/schema/formats.ts';
import { ANONYMOUS } from '#kernel/snapshots/anonymous.ts';
import type { EventRules, EventTable } from './event-table.ts';

export const EVENT_LIMITS = {
  idCharsMax: 200,
  subjectCharsMax: 200,
  /** Characters of the properties as JSON: one event is a fact, not a document. */
  propertiesCharsMax: 32 * 1024,
  /** Events from further in the future are quarantined: no correction is known for such a clock. */
  aheadMsMax: 24 * 3_600_000,
  /** Smaller differences are the time of transport. Correcting them would change the order of events. */
  skewMsMin: 5 * 60_000,
  /** Larger differences are not corrected: `sentAt` may be that of an earlier request. */
  skewMsMax: 24 * 3_600_000,
} as const;

/** The format in which an event was sent. */
export type EventFormat = 'backline' | 'segment' | 'cloudevents';

/** Where a sender wrote each part of an event, as JSON pointers. */
export interface Places {
  readonly type: string;
  readonly id: string;
  readonly at: string;
  readonly subject: string;
  readonly properties: string;
}

/** By format, so that messages name the members that the sender wrote. */
export const PLACES: Readonly<Record<EventFormat, Places>> = {
  backline: { type: '/type', id: '/id', at: '/at', subject: '/subject', properties: '/properties' },
  segment: { type: '/event', id: '/messageId', at: '/timestamp', subject: '/userId', properties: '/properties' },
  cloudevents: { type: '/type', id: '/id', at: '/time', subject: '/subject', properties: '/data' },
};

/** Texts that programs write for a missing value. As subjects, they would merge all senders without one. */
const NO_SUBJECT: ReadonlySet<string> = new Set(['undefined', 'null', '[object Object]', 'NaN', 'None']);

/** An event as it was sent; nothing in it is validated. */
export interface GivenEvent {
  readonly format: EventFormat;
  readonly places: Places;
  /** The event as received, kept in the quarantine when it is not accepted. */
  readonly original: unknown;
  readonly type: unknown;
  readonly id: unknown;
  readonly at: unknown;
  readonly subject: unknown;
  /** Id of a listener who is not logged in. */
  readonly anonymousId: unknown;
  readonly properties: unknown;
  /** Why the format itself is wrong, as a sentence. */
  readonly fault?: string | undefined;
}

/** Properties that all events of one request share. */
export interface Envelope {
  /** The sender; event ids are unique within it. One that begins with `ANONYMOUS` has no authenticated subject. */
  readonly client: string;
  /** The one subject that the sender may name; undefined: any. */
  readonly boundTo: string | undefined;
  /** By the sender's clock. */
  readonly sentMs: number | undefined;
  /** By ours. */
  readonly receivedMs: number;
}

export type QuarantineReason =
  | 'unknown-type'
  | 'invalid'
  | 'bad-time'
  | 'clock-ahead'
  | 'too-late'
  | 'subject-missing'
  | 'subject-forbidden'
  | 'id-reused';

export interface AcceptedEvent {
  readonly outcome: 'accepted';
  readonly rules: EventRules;
  readonly given: GivenEvent;
  readonly id: string;
  readonly subject: string | undefined;
  /** By the sender's clock. */
  readonly atMs: number;
  /** By ours. */
  readonly correctedMs: number;
  readonly properties: Readonly<Record<string, unknown>>;
  /** The properties as JSON. */
  readonly text: string;
}

export interface QuarantinedEvent {
  readonly outcome: 'quarantined';
  readonly reason: QuarantineReason;
  /** The place, the fault and the remedy; cites no values. */
  readonly detail: string;
  readonly given: GivenEvent;
  /** Empty where they are not readable. */
  readonly type: string;
  readonly id: string;
  /** The type if it is live, else empty: unknown types share one metric label. */
  readonly countedAs: string;
  /** The event without its lateness: one that was accepted in time and is sent again is a duplicate. */
  readonly late?: AcceptedEvent;
}

export type Verdict = AcceptedEvent | QuarantinedEvent;

/** The sender of this program's own events; no other sender has this name. */
export const OWN_SENDER = 'backline';

const isDateTime = FORMATS.get('date-time') ?? (() => false);

/** The last millisecond that RFC 3339 can write in UTC. */
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Epoch milliseconds of a time as in RFC 3339, from 1970 to 9999; undefined for anything else. */
export function timeMs(value: unknown): number | undefined {
  if (typeof value !== 'string' || !isDateTime(value)) return undefined;
  const ms = Date.parse(value);
  // A leap second is valid RFC 3339, but `Date.parse` gives NaN for it.
  return ms >= 0 && ms <= LAST_MS ? ms : undefined;
}

/** Judges one event; duplicates are found later. Pure. */
export function judge(table: EventTable, given: GivenEvent, envelope: Envelope): Verdict {
  const { id, at, fault, places } = given;
  const type = readable(given.type);
  const named = typeof given.type === 'string' ? table.types.get(given.type) : undefined;
  // Some of these events are evidence for releases, so that no other sender may forge them.
  const isMadeUp = named?.isOwn === true && envelope.client !== OWN_SENDER;
  const rules = isMadeUp ? undefined : named;
  const quarantine = (reason: QuarantineReason, detail: string): QuarantinedEvent => ({
    outcome: 'quarantined',
    reason,
    detail,
    given,
    type,
    id: readable(id),
    countedAs: rules?.type ?? '',
  });

  if (fault !== undefined) return quarantine('invalid', fault);
  if (isMadeUp) return quarantine('unknown-type', `${places.type}: only Backline itself sends ${type}`);
  if (rules === undefined) {
    const hint = didYouMean(nearSpellings(type, table.types.keys()));
    return quarantine(
      'unknown-type',
      type === ''
        ? `${places.type}: must be text of 1 to ${EVENT_LIMITS.idCharsMax} characters`
        : `${places.type}: no event type is called "${type}"${hint}`,
    );
  }
  if (!isName(id, EVENT_LIMITS.idCharsMax)) {
    return quarantine('invalid', `${places.id}: must be text of 1 to ${EVENT_LIMITS.idCharsMax} characters`);
  }
  const atMs = timeMs(at);
  if (atMs === undefined)
    return quarantine(
      'bad-time',
      `${places.at}: must be a time as in RFC 3339, from 1970 to 9999, like 2026-05-01T12:00:00Z`,
    );
  const { sentMs, receivedMs } = envelope;
  const correctedMs = atMs + correctionMs(sentMs, receivedMs);
  if (correctedMs > receivedMs + EVENT_LIMITS.aheadMsMax) {
    return quarantine(
      'clock-ahead',
      `${places.at}: is more than 24 hours in the future${aboutClock(sentMs, receivedMs)}`,
    );
  }
  const about = subjectOf(rules, given, envelope);
  if ('fault' in about) return quarantine(about.fault, `${places.subject}: ${about.detail}`);
  const content = propertiesOf(rules, given);
  if ('fault' in content) return quarantine('invalid', content.fault);
  const { subject } = about;
  const event = { outcome: 'accepted', rules, given, id, subject, atMs, correctedMs, ...content } as const;
  if (correctedMs >= receivedMs - rules.latenessMs) return event;
  const hours = Math.round(rules.latenessMs / 3_600_000);
  const detail = `${places.at}: is longer ago than the ${hours} hours for which ${rules.type} is accepted`;
  const clock = isBeyond(sentMs, receivedMs) ? aboutClock(sentMs, receivedMs) : '';
  return { ...quarantine('too-late', detail + clock), late: event };
}

/** The subject of an event, or why it cannot be accepted. */
function subjectOf(
  { subject: rule, type }: EventRules,
  { anonymousId, subject: named }: GivenEvent,
  { client, boundTo }: Envelope,
): { readonly subject: string | undefined } | { readonly fault: QuarantineReason; readonly detail: string } {
  const isAnonymous = client.startsWith(ANONYMOUS);
  const claimed = (isAnonymous ? anonymousId : named) ?? undefined;
  const charsMax = EVENT_LIMITS.subjectCharsMax - (isAnonymous ? ANONYMOUS.length : 0);
  if (claimed !== undefined && !isName(claimed, charsMax)) {
    return { fault: 'invalid', detail: `must be text of 1 to ${charsMax} characters` };
  }
  if (claimed !== undefined && NO_SUBJECT.has(claimed) && rule !== 'none') {
    return { fault: 'invalid', detail: 'is a placeholder for a missing value: leave it out' };
  }
  const subject = isAnonymous && claimed !== undefined ? `${ANONYMOUS}${claimed}` : claimed;
  if (boundTo !== undefined && subject !== undefined && subject !== boundTo) {
    return { fault: 'subject-forbidden', detail: 'the sender may name only the subject of its token' };
  }
  const about = rule === 'none' ? undefined : (subject ?? boundTo);
  if (about === undefined && rule === 'required') {
    return { fault: 'subject-missing', detail: `is required for ${type}` };
  }
  return { subject: about };
}

/** The properties of an event and their JSON, or what is wrong with them. */
function propertiesOf(
  rules: EventRules,
  { properties: given, places }: GivenEvent,
): Pick<AcceptedEvent, 'properties' | 'text'> | { readonly fault: string } {
  const sent = given ?? {};
  if (!isRecord(sent)) return { fault: `${places.properties}: must be an object` };
  const faults = rules.faults(sent).map((one) => `${places.properties}${one}`);
  if (faults.length > 0) return { fault: faults.join('; ') };
  const properties = withoutNulls(sent, rules.fields);
  const text = JSON.stringify(properties);
  if (text.length > EVENT_LIMITS.propertiesCharsMax) {
    return {
      fault: `${places.properties}: has ${text.length} characters as JSON; at most ${EVENT_LIMITS.propertiesCharsMax} are allowed`,
    };
  }
  if (holdsUnstorable(text)) {
    return {
      fault: `${places.properties}: holds a NUL character or half of a surrogate pair, which no table can keep`,
    };
  }
  return { properties, text };
}

/** Milliseconds to add to the sender's times; see `EVENT_LIMITS`. */
function correctionMs(sentMs: number | undefined, receivedMs: number): number {
  if (sentMs === undefined || isBeyond(sentMs, receivedMs)) return 0;
  const skewMs = receivedMs - sentMs;
  return Math.abs(skewMs) < EVENT_LIMITS.skewMsMin ? 0 : skewMs;
}

function isBeyond(sentMs: number | undefined, receivedMs: number): boolean {
  return sentMs !== undefined && Math.abs(receivedMs - sentMs) > EVENT_LIMITS.skewMsMax;
}

function aboutClock(sentMs: number | undefined, receivedMs: number): string {
  if (sentMs === undefined) return '; say when it is sent (sentAt), so that a wrong clock can be corrected';
  return isBeyond(sentMs, receivedMs)
    ? '; sentAt is more than 24 hours off, which is not corrected'
    : ', also after correcting the clock by sentAt';
}

/** Removes declared fields that are null. Undeclared fields stay as they are. */
function withoutNulls(
  properties: Readonly<Record<string, unknown>>,
  declared: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  const isAbsent = (name: string): boolean => properties[name] === null && declared.has(name);
  if (!Object.keys(properties).some(isAbsent)) return properties;
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !isAbsent(name)));
}

/** Whether a value is text that PostgreSQL can hold, of limited length. */
function isName(value: unknown, charsMax: number): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= charsMax &&
    value.isWellFormed() &&
    !value.includes('\0')
  );
}

/** A text for a row of the quarantine. Other types and long texts become empty, because an erasure matches whole texts. */
function readable(value: unknown): string {
  if (typeof value !== 'string' || value.length > EVENT_LIMITS.idCharsMax) return '';
  return value.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Whether JSON text has an escape for a character that PostgreSQL and Parquet cannot store. */
function holdsUnstorable(json: string): boolean {
  // JSON.stringify escapes lone surrogates and control characters only, and almost no event has any.
  return json.includes('\\u') && /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/.test(json);
}
