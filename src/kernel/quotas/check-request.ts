import { Refusal } from '#kernel/base/failures.ts';
import { amountOf } from './amount.ts';
import type { Bucket } from './bucket.ts';
import { windowAt } from './window.ts';
import { windowProblems } from './window-spec.ts';

const REQUEST_LIMITS = {
  /** Characters of a subject, a key, a quota, a bucket or a session: they are parts of index rows. */
  nameLengthMax: 256,
  /** More sources of one quota are no longer an order that a person understands. */
  bucketsMax: 100,
  /** Quotas that are asked for at once. */
  itemsMax: 50,
  /** A reservation that is longer is a purchase. */
  ttlMsMax: 40 * 86_400_000,
} as const;

/** Refused with `quotas/wrong-name`: names stand in keys, and are not the place for texts. */
export function checkName(what: string, name: string): void {
  const isText = name.isWellFormed() && !name.includes('\u0000');
  if (name.length > 0 && name.length <= REQUEST_LIMITS.nameLengthMax && isText) return;
  const why =
    name === '' ? 'is empty' : isText ? `has ${name.length} characters` : 'is no Unicode text, or holds U+0000';
  throw new Refusal('quotas/wrong-name', 'Invalid', `The ${what} ${why}.`, {
    remedy: `Give 1 to ${REQUEST_LIMITS.nameLengthMax} characters, of Unicode without U+0000.`,
  });
}

const good = new WeakSet<Bucket>();

/** Refused with `quotas/wrong-bucket`. Each bucket object is looked at once: snapshots give the same ones again. */
export function checkBuckets(buckets: readonly Bucket[]): void {
  if (buckets.length > REQUEST_LIMITS.bucketsMax) {
    throw wrongBucket(`${buckets.length} buckets are more than ${REQUEST_LIMITS.bucketsMax}`);
  }
  for (const [index, bucket] of buckets.entries()) {
    if (buckets.some(({ id }, other) => other < index && id === bucket.id)) {
      throw wrongBucket(`two buckets are called "${bucket.id}"`);
    }
    if (good.has(bucket)) continue;
    checkName('id of a bucket', bucket.id);
    if (bucket.limit !== 'unlimited') amountOf(bucket.limit, 0);
    const [problem] = windowProblems(bucket.window, ['window']);
    if (problem !== undefined) throw wrongBucket(`"${bucket.id}": ${problem.detail}`);
    try {
      windowAt(bucket.window, bucket.anchor, bucket.createdMs);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw wrongBucket(`"${bucket.id}" has the anchor ${JSON.stringify(bucket.anchor)}, which is no time of a zone`);
    }
    good.add(bucket);
  }
}

/** Refused with `quotas/wrong-batch`. */
export function checkItems(items: readonly unknown[]): void {
  if (items.length > 0 && items.length <= REQUEST_LIMITS.itemsMax) return;
  throw new Refusal('quotas/wrong-batch', 'Invalid', `A batch of ${items.length} quotas cannot be decided at once.`, {
    remedy: `Give 1 to ${REQUEST_LIMITS.itemsMax}.`,
  });
}

/** Refused with `quotas/wrong-time`. */
export function checkTtl(ttlMs: number): void {
  if (Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= REQUEST_LIMITS.ttlMsMax) return;
  throw new Refusal('quotas/wrong-time', 'Invalid', `It cannot last for ${ttlMs} milliseconds.`, {
    remedy: `Give a whole number of milliseconds from 1 to ${REQUEST_LIMITS.ttlMsMax} (40 days).`,
  });
}

function wrongBucket(why: string): Refusal {
  return new Refusal('quotas/wrong-bucket', 'Invalid', `The buckets cannot be used: ${why}.`, {
    remedy: 'Give each bucket in force once, with a whole limit and a window that has passed its checks.',
  });
}
