import { TIME_ZONE } from './attributes.ts';
import { epochMs } from './instant.ts';
import type { Condition, Matcher } from './language.ts';
import { zoneClock } from './zone.ts';

/** The days as conditions write them, the first is 0. */
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const MINUTES_IN_DAY = 1_440;
/** The zone that stands for the one in the context. */
export const LISTENER_ZONE = 'listener';
/** 1970-01-01 was a Thursday. */
const FIRST_DAY = 3;

type Time = NonNullable<Condition['time']>;

/** A time condition. It follows the wall clock through every change of summer time. */
export function compileTime(time: Time): Matcher {
  const after = time.after === undefined ? -Infinity : (epochMs(time.after) ?? Infinity);
  const before = time.before === undefined ? Infinity : (epochMs(time.before) ?? -Infinity);
  if (time.days === undefined && time.from === undefined && time.until === undefined) {
    return (_, nowMs) => nowMs >= after && nowMs < before;
  }
  const isInWindow = compileWindow(time);
  const { zone = 'UTC' } = time;
  if (zone !== LISTENER_ZONE) {
    const clock = zoneClock(zone);
    if (clock === undefined) return () => undefined;
    return (_, nowMs) => nowMs >= after && nowMs < before && isInWindow(nowMs + clock.offsetMs(nowMs));
  }
  return (context, nowMs) => {
    if (nowMs < after || nowMs >= before) return false;
    const name = context[TIME_ZONE] ?? 'UTC';
    const clock = typeof name === 'string' ? zoneClock(name) : undefined;
    return clock === undefined ? undefined : isInWindow(nowMs + clock.offsetMs(nowMs));
  };
}

/** Minutes since midnight of `07:30`. */
function minutesOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
}

function compileWindow({ days = [...DAYS], from = '00:00', until = '24:00' }: Time): (wallMs: number) => boolean {
  const begins = minutesOf(from);
  const ends = minutesOf(until);
  const onDay = DAYS.map((day) => days.includes(day));
  const onDayBefore = DAYS.map((_, index) => onDay[(index + 6) % 7] === true);
  return (wallMs) => {
    const minutes = Math.floor(wallMs / 60_000);
    const minute = ((minutes % MINUTES_IN_DAY) + MINUTES_IN_DAY) % MINUTES_IN_DAY;
    const day = (((Math.floor(minutes / MINUTES_IN_DAY) + FIRST_DAY) % 7) + 7) % 7;
    if (begins < ends) return minute >= begins && minute < ends && onDay[day] === true;
    return (minute >= begins && onDay[day] === true) || (minute < ends && onDayBefore[day] === true);
  };
}
