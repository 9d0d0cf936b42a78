import type { Fault } from './fault.ts';

const PLAIN_DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/;

/** Stands for the end of what has no end. */
export const OPEN = Infinity;

/**
 * Milliseconds since the epoch of an instant (RFC 3339, at most milliseconds) or of a plain date, which means its first
 * instant in the zone. That is not always midnight: in Cairo 24 April 2026 begins at one o'clock.
 */
export function parseTime(text: string, zone: string): number | Fault {
  try {
    if (PLAIN_DATE.test(text)) return Temporal.PlainDate.from(text).toZonedDateTime(zone).epochMilliseconds;
    if (INSTANT.test(text)) return Temporal.Instant.from(text).epochMilliseconds;
  } catch {
    return { fault: `"${text}" has the form of a time, but no calendar has it.` };
  }
  return { fault: `"${text}" is neither a date like 2026-12-01 nor an instant like 2026-12-01T09:00:00Z.` };
}

export function isPlainDate(text: string): boolean {
  return PLAIN_DATE.test(text);
}

export function isZone(zone: string): boolean {
  try {
    // Offsets such as +02:00 are zones to Temporal, but know no daylight saving time.
    return /^[A-Za-z]/.test(zone) && new Temporal.ZonedDateTime(0n, zone).timeZoneId !== '';
  } catch {
    return false;
  }
}

/** Texts that are kept: decisions name few moments (now, and when periods of calendars end), and name them often. */
const KEPT_MAX = 1_000;

/** Writing a time costs more than the decision that it stands in. */
function kept<Key>(texts: Map<Key, string>, key: Key, write: () => string): string {
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
  return kept(instants, epochMs, () => Temporal.Instant.fromEpochMilliseconds(epochMs).toString());
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');

const words = new Map<string, string>();

/** `1 December 2026`, with the time of day and the zone where it is not the start of that day. */
export function timeInWords(epochMs: number, zone: string): string {
  return kept(words, `${epochMs} ${zone}`, () => wordsOf(epochMs, zone));
}

function wordsOf(epochMs: number, zone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(zone);
  const date = `${local.day} ${MONTHS[local.month - 1]} ${local.year}`;
  if (local.equals(local.startOfDay())) return date;
  return `${date}, ${local.toPlainTime().toString({ smallestUnit: local.second === 0 ? 'minute' : 'second' })} (${zone})`;
}
