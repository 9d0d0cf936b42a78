import type { Fault } from './fault.ts';

const PLAIN_DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/;
const WALL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?$/;
/** RFC 3339 bounds no digits of a fraction; beyond nanoseconds there is no clock. */
const BEYOND_NANOSECONDS = /(\.\d{9})\d+/;

/** Years that a moment may have. Arithmetic around them stays within the calendar's range. */
const YEARS = { first: 1970, last: 9999 } as const;
const FIRST_MS = Date.UTC(YEARS.first, 0, 1);
const LAST_MS = Date.UTC(YEARS.last, 11, 31);

/** The end of an open interval. */
export const OPEN = Infinity;

/**
 * Milliseconds since the epoch of an instant (RFC 3339, at most milliseconds) or of a plain date, which means its first
 * instant in the zone. That is not always midnight: in Cairo 24 April 2026 begins at one o'clock.
 */
export function parseTime(text: string, zone: string): number | Fault {
  if (PLAIN_DATE.test(text)) {
    return momentOf(text, () => Temporal.PlainDate.from(text).toZonedDateTime(zone).epochMilliseconds);
  }
  if (INSTANT.test(text)) return momentOf(text, () => Temporal.Instant.from(text).epochMilliseconds);
  return { fault: `"${text}" is neither a date like 2026-12-01 nor an instant like 2026-12-01T09:00:00Z.` };
}

/** Milliseconds since the epoch of a text that has passed the format `date-time`. */
export function parseInstant(text: string): number | Fault {
  return momentOf(text, () => Temporal.Instant.from(text.replace(BEYOND_NANOSECONDS, '$1')).epochMilliseconds);
}

/** Parses a wall-clock time to the second: a date and a time of day, without an offset or a zone. */
export function parseWallTime(text: string): string | Fault {
  if (!WALL_TIME.test(text)) return { fault: `"${text}" is not a wall-clock time like 2026-01-31T15:00:00.` };
  const utcMs = momentOf(text, () => Temporal.PlainDateTime.from(text).toZonedDateTime('UTC').epochMilliseconds);
  return typeof utcMs === 'number' ? new Date(utcMs).toISOString().slice(0, 'YYYY-MM-DDThh:mm:ss'.length) : utcMs;
}

function momentOf(text: string, read: () => number): number | Fault {
  let ms: number;
  try {
    ms = read();
  } catch {
    return { fault: `"${text}" is not a valid calendar time.` };
  }
  if (ms >= FIRST_MS && ms <= LAST_MS) return ms;
  return { fault: `"${text}" is not between the years ${YEARS.first} and ${YEARS.last}.` };
}

export function isPlainDate(text: string): boolean {
  return PLAIN_DATE.test(text);
}

export function isZone(zone: string): boolean {
  try {
    // Temporal accepts offsets such as +02:00 as zones, but they have no daylight saving time.
    return /^[A-Za-z]/.test(zone) && new Temporal.ZonedDateTime(0n, zone).timeZoneId !== '';
  } catch {
    return false;
  }
}

/** Cached texts: decisions format few distinct moments (now, and ends of periods), and often. */
const KEPT_MAX = 1_000;

/** Formatting a time costs more than the decision that contains it. */
function cacheText<Key>(texts: Map<Key, string>, key: Key, write: () => string): string {
  const known = texts.get(key);
  if (known !== undefined) return known;
  const text = write();
  if (texts.size >= KEPT_MAX) texts.clear();
  texts.set(key, text);
  return text;
}

const instants = new Map<number, string>();

/** RFC 3339 in UTC, for answers: whole seconds where that is exact. */
export function instantText(epochMs: number): string {
  return cacheText(instants, epochMs, () => Temporal.Instant.fromEpochMilliseconds(epochMs).toString());
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');

const words = new Map<string, string>();

/** `1 December 2026`, with the time of day and the zone where it is not the start of that day. */
export function timeInWords(epochMs: number, zone: string): string {
  return cacheText(words, `${epochMs} ${zone}`, () => wordsOf(epochMs, zone));
}

function wordsOf(epochMs: number, zone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(zone);
  const date = `${local.day} ${MONTHS[local.month - 1]} ${local.year}`;
  if (local.equals(local.startOfDay())) return date;
  return `${date}, ${local.toPlainTime().toString({ smallestUnit: local.second === 0 ? 'minute' : 'second' })} (${zone})`;
}
