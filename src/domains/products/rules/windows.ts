import { CALENDAR_PERIODS, type WindowSpec } from '#kernel/quotas/rules/window-spec.ts';
import { isFault } from './fault.ts';
import { periodInWords } from './intervals.ts';

/** Where a window of the kernel is counted from. */
export interface WindowAnchor {
  readonly at: string;
  readonly zone: string;
}

/** Periods are counted from here for those who have no subscription: months then begin on the first of the month. */
export const DEFAULT_ANCHOR = '1970-01-01';

/**
 * The window of an entitlement's period, by the calendar of a zone. What no calendar has, like 3 days, is counted from
 * the default anchor; minutes, which cannot be, roll.
 */
export function periodWindow(
  per: string | undefined,
  zone: string,
): { readonly window: WindowSpec; readonly anchor?: WindowAnchor } {
  if (per === undefined) return { window: { type: 'lifetime' } };
  if (CALENDAR_PERIODS.some((period) => period === per)) return { window: { type: 'calendar', per, zone } };
  if (per.endsWith('M') && per.startsWith('PT')) return { window: { type: 'rolling', per } };
  return { window: { type: 'anchored', per }, anchor: { at: DEFAULT_ANCHOR, zone } };
}

/** `a month`, `a month counted from the start of the subscription`, `within any hour`, `at once`: follows an amount. */
export function windowInWords({ type, per = '' }: WindowSpec): string {
  switch (type) {
    case 'lifetime':
      return 'in all';
    case 'concurrent':
      return 'at once';
    case 'rolling':
      return `within any ${lengthInWords(per)}`;
    case 'anchored':
      return `${often(per)} counted from the start of the subscription`;
    case 'calendar':
      return often(per);
  }
}

function often(per: string): string {
  const words = periodInWords(per);
  return isFault(words) ? per : words;
}

const LENGTH = /^PT(\d+)([HMS])$/;
const LENGTH_NAMES = { H: 'hour', M: 'minute', S: 'second' } as const;

function lengthInWords(per: string): string {
  const [, count = '', unit = 'S'] = LENGTH.exec(per) ?? [];
  const name = LENGTH_NAMES[unit as keyof typeof LENGTH_NAMES];
  return count === '1' ? name : `${count} ${name}s`;
}

const DAYS = { PH: 1 / 24, PM: 1 / 1_440, PS: 1 / 86_400, D: 1, W: 7, M: 30.4, Y: 365.2 } as const;
/** As long as anybody has a subscription; what lasts for ever is little for each day. */
const LIFETIME_DAYS = 36_500;

/** How long a window is, about: only to compare what plans give, never to count with. */
export function roughWindowDays({ type, per = '' }: WindowSpec): number {
  if (type === 'lifetime') return LIFETIME_DAYS;
  if (type === 'concurrent') return 1;
  const [, time, count = '1', unit = 'D'] = /^P(T?)(\d+)([DWMYHS])$/.exec(per) ?? [];
  const name = time === 'T' ? `P${unit}` : unit;
  return Number(count) * (DAYS[name as keyof typeof DAYS] ?? 1);
}
