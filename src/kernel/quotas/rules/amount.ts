import type { Refusal } from '#kernel/base/failures.ts';
import { quotaRefusal } from '#kernel/quotas/refusals.ts';

/**
 * A whole number of units, as the caller counts them: milliseconds, skips, micro-units of money. Refused with
 * `quotas/wrong-amount` for anything else. 0 passes only where `least` is 0, for a check at the limit.
 */
export function amountOf(value: unknown, least: 0 | 1): number {
  if (typeof value !== 'number') throw wrong(`of type ${typeof value}`, 'is no number');
  if (Number.isNaN(value) || Math.abs(value) === Infinity) throw wrong(String(value), 'is no amount');
  if (value < 0) throw wrong(String(value), 'is below zero; use a refund to give units back');
  if (value > Number.MAX_SAFE_INTEGER) throw wrong(String(value), 'is beyond 2^53 - 1, up to which numbers are exact');
  if (!Number.isInteger(value)) throw wrong(String(value), 'is a fraction; count in a smaller unit');
  if (value < least) throw wrong('0', 'takes nothing; use a check instead');
  return value;
}

function wrong(value: string, why: string): Refusal {
  return quotaRefusal('wrong-amount', `The amount ${value} ${why}.`, {
    remedy: `Give a whole number from 1 to ${Number.MAX_SAFE_INTEGER}.`,
  });
}
