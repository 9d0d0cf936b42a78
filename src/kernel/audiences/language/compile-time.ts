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
  const window = weeklyWindow(time);
  const { zone = 'UTC' } = time;
  if (zone !== LISTENER_ZONE) {
    const clock = zoneClock(zone);
    if (clock === undefined) return () => undefined;
    return (_, nowMs) => nowMs >= after && nowMs < before && isInWindow(window, nowMs + clock.offsetMs(nowMs));
  }
  return (context, nowMs) => {
    if (nowMs < after || nowMs >= before) return false;
    const name = context[TIME_ZONE] ?? 'UTC';
    const clock = typeof name === 'string' ? zoneClock(name) : undefined;
    return clock === undefined ? undefined : isInWindow(window, nowMs + clock.offsetMs(nowMs));
  };
}

/** Minutes since midnight of `07:30`. */
function minutesOf(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
}

/** A window of each week, by minutes since midnight; before `begins`, `ends` means the next day. */
export interface WeeklyWindow {
  readonly begins: number;
  readonly ends: number;
  /** Whether it begins on each day, Monday first. */
  readonly days: readonly boolean[];
}

export function weeklyWindow({
  days = [...DAYS],
  from = '00:00',
  until = '24:00',
}: Pick<Time, 'days' | 'from' | 'until'>): WeeklyWindow {
  return { begins: minutesOf(from), ends: minutesOf(until), days: DAYS.map((day) => days.includes(day)) };
}

/** Whether a window has a moment of the wall clock, as if that were UTC. */
export function isInWindow({ begins, ends, days }: WeeklyWindow, wallMs: number): boolean {
  const minutes = Math.floor(wallMs / 60_000);
  const minute = ((minutes % MINUTES_IN_DAY) + MINUTES_IN_DAY) % MINUTES_IN_DAY;
  const day = (((Math.floor(minutes / MINUTES_IN_DAY) + FIRST_DAY) % 7) + 7) % 7;
  if (begins < ends) return minute >= begins && minute < ends && days[day] === true;
  return (minute >= begins && days[day] === true) || (minute < ends && days[(day + 6) % 7] === true);
}
