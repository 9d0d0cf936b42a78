import type { Fault } from './fault.ts';

const INTERVAL = /^P([1-9]\d{0,2})([DWMY])$/;
const NAMES = {
  D: ['daily', 'days'],
  W: ['weekly', 'weeks'],
  M: ['monthly', 'months'],
  Y: ['yearly', 'years'],
} as const;
/** For sorting only, never for computing. */
const ROUGH_DAYS = { D: 1, W: 7, M: 30.4, Y: 365.2 } as const;

type Unit = keyof typeof NAMES;

/**
 * A billing interval: one number and one calendar unit, in canonical form, so that equal texts mean equal
 * intervals.
 */
export function parseInterval(text: string): { readonly count: number; readonly unit: Unit } | Fault {
  const match = INTERVAL.exec(text);
  if (match === null) {
    return { fault: `"${text}" is not a billing interval; write it like P1M (monthly), P1Y (yearly) or P1W (weekly).` };
  }
  const count = Number(match[1]);
  const unit = match[2] as Unit;
  if (unit === 'M' && count % 12 === 0)
    return { fault: `Write P${count / 12}Y instead of ${text}, which means the same.` };
  if (unit === 'D' && count % 7 === 0)
    return { fault: `Write P${count / 7}W instead of ${text}, which means the same.` };
  return { count, unit };
}

/** `monthly`, `every 3 months`. */
export function intervalInWords(text: string): string {
  const interval = parseInterval(text);
  if ('fault' in interval) return text;
  const [once, many] = NAMES[interval.unit];
  return interval.count === 1 ? once : `every ${interval.count} ${many}`;
}

/** Shorter intervals first. */
export function compareIntervals(a: string, b: string): number {
  return roughDays(a) - roughDays(b) || (a < b ? -1 : a > b ? 1 : 0);
}

function roughDays(text: string): number {
  const interval = parseInterval(text);
  return 'fault' in interval ? 0 : interval.count * ROUGH_DAYS[interval.unit];
}

const PERIOD = /^P(?:([1-9]\d{0,2})([DWMY])|T([1-9]\d{0,3})([HM]))$/;
/** Hours of a month of 31 days: longer periods use days, months or years. */
const PERIOD_HOURS_MAX = 744;
const PERIOD_NAMES = { D: 'day', W: 'week', M: 'month', Y: 'year', TH: 'hour', TM: 'minute' } as const;

/** `a month`, `an hour`, `every 3 days`: how often a metered limit starts anew. */
export function periodInWords(text: string): string | Fault {
  const match = PERIOD.exec(text);
  if (match === null) {
    return { fault: `"${text}" is not a period; write it like P1M (a month), P1D (a day) or PT1H (an hour).` };
  }
  const count = Number(match[1] ?? match[3]);
  if (match[4] === 'H' && count > PERIOD_HOURS_MAX) {
    return { fault: `"${text}" is longer than ${PERIOD_HOURS_MAX} hours; write it in days, weeks, months or years.` };
  }
  const name = PERIOD_NAMES[(match[2] ?? `T${match[4]}`) as keyof typeof PERIOD_NAMES];
  if (count > 1) return `every ${count} ${name}s`;
  return name === 'hour' ? 'an hour' : `a ${name}`;
}
