import { CALENDAR_PERIODS, type WindowSpec } from '#kernel/quotas/rules/window-spec.ts';
import { isFault } from './fault.ts';
import { periodInWords } from './intervals.ts';

/** Start of a kernel window. */
export interface WindowAnchor {
  readonly at: string;
  readonly zone: string;
}

/** Start of periods without a subscription: months then begin on the first of the month. */
export const DEFAULT_ANCHOR = '1970-01-01';

/**
 * The window of an entitlement's period in a zone's calendar. Periods without a calendar unit, like 3 days,
 * count from the default anchor; minutes roll.
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

/**
 * Describes a window after an amount: `a month`, `a month counted from the start of the subscription`,
 * `within any hour`, `at once`.
 */
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
/** Longer than any subscription, so a lifetime limit is small per day. */
const LIFETIME_DAYS = 36_500;

/** Approximate length of a window: only to compare plans, never to count. */
export function roughWindowDays({ type, per = '' }: WindowSpec): number {
  if (type === 'lifetime') return LIFETIME_DAYS;
  if (type === 'concurrent') return 1;
  const [, time, count = '1', unit = 'D'] = /^P(T?)(\d+)([DWMYHS])$/.exec(per) ?? [];
  const name = time === 'T' ? `P${unit}` : unit;
  return Number(count) * (DAYS[name as keyof typeof DAYS] ?? 1);
}
