import { quotaRefusal } from '#kernel/quotas/refusals.ts';
import { ANCHORED_PERIOD, WEEKDAYS, rollingSeconds, type WindowSpec } from './window-spec.ts';

/** A moment of the subject from which periods are counted: a wall-clock time and its zone. */
export interface Anchor {
  /** `2026-01-31T15:00`, or a date, which begins at midnight. */
  readonly at: string;
  /** IANA time zone; also that of calendar windows without one. */
  readonly zone: string;
}

/** One window of time: from the first millisecond up to, and without, the last. */
export interface Span {
  /** -Infinity for lifetime and concurrent. For rolling, the moment before which use no longer counts. */
  readonly fromMs: number;
  /** undefined for lifetime and concurrent. For rolling, the moment itself. */
  readonly untilMs: number | undefined;
  /**
   * The name of the window in its counter. It holds no zone: a listener who moves to another zone gets the same day
   * only once.
   */
  readonly key: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Windows in the cache: those of calendars are the same for all subjects of a zone, anchored ones mostly differ. */
const CACHED_MAX = 20_000;
/** Guesses are one or two windows off at most: around a shift of the clock, or where days differ in length. */
const STEPS_MAX = 8;

/**
 * The window that holds the moment. The windows of a spec tile the line of time, without a gap or an overlap.
 *
 * - calendar: hours, days, weeks, months and years begin when the clock of the zone first shows them; a day without
 *   midnight begins at its first moment. An hour that the clock shows twice is two windows.
 * - anchored: the window n begins at anchor + n periods, never at the previous one + 1, so that the 31st comes back
 *   after February. By the wall clock ('compatible' of Temporal), but for hours, which are exact.
 * - rolling: one key for all moments; only use after `fromMs` counts.
 *
 * Refused with `quotas/anchor-missing` where a window needs an anchor (anchored; a calendar without a zone).
 */
export function windowAt(spec: WindowSpec, anchor: Anchor | undefined, atMs: number): Span {
  switch (spec.type) {
    case 'lifetime':
    case 'concurrent':
      return { fromMs: -Infinity, untilMs: undefined, key: spec.type };
    case 'rolling':
      return { fromMs: atMs - rollingSeconds(spec.per ?? '') * 1_000, untilMs: atMs, key: 'rolling' };
    case 'anchored':
      return anchoredWindow(
        spec.per ?? '',
        anchor ?? refuseWithoutAnchor('An anchored window is counted from an anchor'),
        atMs,
      );
    case 'calendar': {
      const zone =
        spec.zone ?? anchor?.zone ?? refuseWithoutAnchor('A calendar window without a zone takes that of the anchor');
      return findCached(`${spec.per} ${spec.weekStart ?? ''} ${zone}`, atMs, () =>
        spec.per === 'PT1H' ? hourAt(zone, atMs) : datesAt(calendarOf(spec), zone, atMs),
      );
    }
  }
}

function anchoredWindow(per: string, anchor: Anchor, atMs: number): Span {
  return findCached(`${per}@${anchor.at} ${anchor.zone}`, atMs, () => anchoredAt(per, anchor, atMs));
}

const cached = new Map<string, Span>();

/** The cached window of that name, if it holds the moment; else the one that `find` gives. */
function findCached(name: string, atMs: number, find: () => Span): Span {
  const last = cached.get(name);
  if (last !== undefined && last.fromMs <= atMs && atMs < (last.untilMs ?? Infinity)) return last;
  const span = find();
  if (cached.size >= CACHED_MAX) cached.clear();
  cached.set(name, span);
  return span;
}

function refuseWithoutAnchor(what: string): never {
  throw quotaRefusal('anchor-missing', `${what}, and none was given.`);
}

/** The clock of the zone shows the same hour throughout; a shift by less than an hour cuts the hour in two. */
function hourAt(zone: string, atMs: number): Span {
  const moment = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone);
  const offsetMs = moment.offsetNanoseconds / 1e6;
  let fromMs = Math.floor((atMs + offsetMs) / HOUR_MS) * HOUR_MS - offsetMs;
  let untilMs = fromMs + HOUR_MS;
  const before = moment.add({ nanoseconds: 1 }).getTimeZoneTransition('previous');
  if (before !== null && before.epochMilliseconds > fromMs) fromMs = before.epochMilliseconds;
  const after = moment.getTimeZoneTransition('next');
  if (after !== null && after.epochMilliseconds < untilMs) untilMs = after.epochMilliseconds;
  const text = Temporal.Instant.fromEpochMilliseconds(fromMs).toString({ smallestUnit: 'minute' });
  return { fromMs, untilMs, key: `PT1H:${text}` };
}

interface Dates {
  /** The first day of the window that a day is in. */
  readonly first: (day: Temporal.PlainDate) => Temporal.PlainDate;
  readonly period: Temporal.DurationLike;
  readonly key: (first: Temporal.PlainDate) => string;
}

function calendarOf({ per, weekStart = 'mon' }: WindowSpec): Dates {
  switch (per) {
    case 'P1W': {
      const start = WEEKDAYS.indexOf(weekStart) + 1;
      return {
        first: (day) => day.subtract({ days: (day.dayOfWeek - start + 7) % 7 }),
        period: { weeks: 1 },
        key: (first) => `P1W:${first.toString()}`,
      };
    }
    case 'P1M':
      return {
        first: (day) => day.with({ day: 1 }),
        period: { months: 1 },
        key: (first) => `P1M:${first.toString().slice(0, -3)}`,
      };
    case 'P1Y':
      return {
        first: (day) => day.with({ month: 1, day: 1 }),
        period: { years: 1 },
        key: (first) => `P1Y:${first.toString().slice(0, -6)}`,
      };
    default:
      return { first: (day) => day, period: { days: 1 }, key: (first) => `P1D:${first.toString()}` };
  }
}

function datesAt({ first, period, key }: Dates, zone: string, atMs: number): Span {
  // A date without a time is the first moment of that day, which need not be midnight.
  const startMs = (day: Temporal.PlainDate): number => day.toZonedDateTime(zone).epochMilliseconds;
  let day = first(Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone).toPlainDate());
  let next = day.add(period);
  // Where clocks go back over midnight, a moment may show yesterday's date after the beginning of today.
  for (let step = 0; step < STEPS_MAX && startMs(next) <= atMs; step += 1) {
    day = next;
    next = day.add(period);
  }
  return { fromMs: startMs(day), untilMs: startMs(next), key: key(day) };
}

function anchoredAt(per: string, anchor: Anchor, atMs: number): Span {
  const [, hours, count, unit] = ANCHORED_PERIOD.exec(per) ?? [];
  const wall = Temporal.PlainDateTime.from(anchor.at);
  const name = `${per}@${wall.toString()}`;
  const anchorMs = wall.toZonedDateTime(anchor.zone).epochMilliseconds;
  if (hours !== undefined) {
    const lengthMs = Number(hours) * HOUR_MS;
    const n = Math.floor((atMs - anchorMs) / lengthMs);
    return { fromMs: anchorMs + n * lengthMs, untilMs: anchorMs + (n + 1) * lengthMs, key: `${name}+${n}` };
  }
  const { field, days } = UNITS[unit as keyof typeof UNITS];
  const length = Number(count);
  const startMs = (n: number): number =>
    wall.add({ [field]: n * length }).toZonedDateTime(anchor.zone).epochMilliseconds;
  let n = Math.floor((atMs - anchorMs) / (days * length * DAY_MS));
  let fromMs = startMs(n);
  for (let step = 0; step < STEPS_MAX && fromMs > atMs; step += 1) fromMs = startMs((n -= 1));
  let untilMs = startMs(n + 1);
  for (let step = 0; step < STEPS_MAX && untilMs <= atMs; step += 1) {
    fromMs = untilMs;
    untilMs = startMs((n += 1) + 1);
  }
  return { fromMs, untilMs, key: `${name}+${n}` };
}

/** Days are the mean of the Gregorian calendar: the guess is off by one or two at most, at any distance. */
const UNITS = {
  D: { field: 'days', days: 1 },
  W: { field: 'weeks', days: 7 },
  M: { field: 'months', days: 30.436875 },
  Y: { field: 'years', days: 365.2425 },
} as const;
