import type { Balance } from '#kernel/quotas/rules/bucket.ts';
import type { CheckAnswer as Standing } from '#kernel/quotas/rules/contract.ts';
import type { SlotAnswer } from '#kernel/quotas/rules/contract.ts';
import { UNLIMITED, type Limit } from '../rules/entitlement.ts';
import { instantText, timeInWords } from '../rules/times.ts';
import type { MeteredUse } from './buckets-for.ts';

/** State of one source of units. */
interface BucketUsage {
  readonly bucket: string;
  readonly from: 'plan' | 'grace' | 'grant' | 'override';
  readonly title: string;
  /** Id of the grant or override on record. */
  readonly record?: string;
  readonly limit: Limit;
  readonly used: number;
  readonly remaining: Limit;
  /** Units that rolled over from the previous window; negative when use beyond its limit is deducted. */
  readonly rolledOver?: number;
  readonly resetsAt?: string;
  readonly expiresAt?: string;
}

/** Use and remaining units of a feature, summed over the buckets in force. A grace is not included. */
export interface UsageReport {
  readonly unit: string;
  readonly limit: Limit;
  readonly used: number;
  /** Never below 0. */
  readonly remaining: Limit;
  /** When the plan's window resets; absent where it never does, or where it rolls. */
  readonly resetsAt?: string;
  /** Use exceeds the limit: the limit was lowered, or a soft cap let use go on. */
  readonly overLimit: boolean;
  /** In the order of consumption. */
  readonly by: readonly BucketUsage[];
  readonly sentence: string;
}

/** Describes the quotas' answer, for people and programs. */
export function describeUsage(
  use: MeteredUse,
  { balances, atMs = -Infinity }: Pick<Standing, 'balances'> & Partial<Pick<Standing, 'atMs'>>,
): UsageReport {
  const by: BucketUsage[] = [];
  for (const { id, limit: own, rollover, validUntilMs } of use.buckets) {
    // For late use the quotas may list the earlier window first.
    const [balance, origin] = [balances.findLast(({ bucket }) => bucket === id), use.origins.get(id)];
    if (balance === undefined || origin === undefined) continue;
    const { limit, used, remaining, resetsAtMs } = balance;
    by.push({
      bucket: id,
      ...origin,
      limit,
      used,
      remaining,
      ...(rollover === undefined || own === UNLIMITED || limit === UNLIMITED ? {} : { rolledOver: limit - own }),
      ...(resetsAtMs === undefined ? {} : { resetsAt: instantText(resetsAtMs) }),
      ...(validUntilMs === undefined ? {} : { expiresAt: instantText(validUntilMs) }),
    });
  }
  const own = by.filter(({ from }) => from !== 'grace');
  const beyond = by.reduce((sum, { from, used }) => sum + (from === 'grace' ? used : 0), 0);
  const sums = {
    limit: sumOf(own.map(({ limit }) => limit)),
    used: own.reduce((sum, { used }) => sum + used, beyond),
    remaining: sumOf(own.map(({ remaining }) => remaining)),
    overLimit: beyond > 0 || balances.some(({ overLimit }) => overLimit),
  };
  const resetsAtMs = resetOf(use, balances);
  return {
    unit: use.unit,
    ...sums,
    ...(resetsAtMs === undefined ? {} : { resetsAt: instantText(resetsAtMs) }),
    by,
    // For late use the reset may lie in the past.
    sentence: sentenceOf(use, sums, own, resetsAtMs !== undefined && resetsAtMs <= atMs ? undefined : resetsAtMs),
  };
}

/** The plan's window; without one, the first that starts anew. */
function resetOf({ buckets, origins }: MeteredUse, balances: readonly Balance[]): number | undefined {
  let first: number | undefined;
  for (const { id } of buckets) {
    const resetsAtMs = balances.findLast(({ bucket }) => bucket === id)?.resetsAtMs;
    if (resetsAtMs === undefined) continue;
    if (origins.get(id)?.from === 'plan') return resetsAtMs;
    first ??= resetsAtMs;
  }
  return first;
}

function sumOf(amounts: readonly Limit[]): Limit {
  return amounts.reduce<Limit>((sum, one) => (sum === UNLIMITED || one === UNLIMITED ? UNLIMITED : sum + one), 0);
}

function sentenceOf(
  { title, unit, zone, plan }: MeteredUse,
  { limit, used, remaining, overLimit }: Pick<UsageReport, 'limit' | 'used' | 'remaining' | 'overLimit'>,
  own: readonly BucketUsage[],
  resetsAtMs: number | undefined,
): string {
  const resets =
    resetsAtMs !== undefined
      ? `; resets on ${timeInWords(resetsAtMs, zone)}`
      : plan?.window.type === 'rolling'
        ? '; used units return gradually'
        : '';
  if (own.length === 0) return `${title}: nothing can be used now.`;
  if (limit === UNLIMITED || remaining === UNLIMITED) return `${title}: unlimited.`;
  if (overLimit && remaining === 0) {
    const more = used > limit ? `, ${used - limit} beyond the limit` : '';
    return `${title}: ${used} of ${limit} ${unit} used${more}${resets}.`;
  }
  if (remaining === 0) {
    return `${title}: ${limit === 1 ? 'the only one is used' : `all ${limit} ${unit} are used`}${resets}.`;
  }
  const left = own.filter((one) => one.remaining !== 0);
  const parts = own.length < 2 ? '' : `: ${left.map((one) => `${one.remaining} from ${one.title}`).join(', ')}`;
  const rolled = own.reduce((sum, one) => sum + (one.rolledOver ?? 0), 0);
  const before =
    rolled === 0
      ? ''
      : rolled > 0
        ? `, with ${rolled} from before`
        : `, after ${-rolled} were used beyond the limit before`;
  return `${title}: ${remaining} of ${limit} ${unit} left${parts}${before}${resets}.`;
}

/**
 * Shows slots as a quota balance: slots that other sessions hold count as used. So concurrent features are
 * described and decided like metered ones.
 */
export function standingOfSlots({ buckets }: MeteredUse, answer: SlotAnswer, atMs: number): Standing {
  const inUse = answer.outcome === 'ended' ? 0 : answer.inUse;
  let left = inUse;
  const balances = buckets
    .filter(({ suspended, validFromMs = -Infinity, validUntilMs = Infinity }) => {
      return suspended !== true && validFromMs <= atMs && atMs < validUntilMs;
    })
    .map(({ id, limit }, index, all): Balance => {
      const most = limit === UNLIMITED || index === all.length - 1 ? left : Math.min(limit, left);
      left -= most;
      return {
        bucket: id,
        window: 'concurrent',
        limit,
        used: most,
        remaining: limit === UNLIMITED ? limit : Math.max(0, limit - most),
        overLimit: limit !== UNLIMITED && most > limit,
      };
    });
  return { outcome: answer.outcome === 'conflict' ? 'denied' : 'granted', balances, atMs };
}
