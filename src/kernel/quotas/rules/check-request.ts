import { Refusal } from '#kernel/base/failures.ts';
import { quotaRefusal } from '#kernel/quotas/refusals.ts';
import { amountOf } from './amount.ts';
import type { Bucket, Rollover } from './bucket.ts';
import { windowAt } from './window.ts';
import { canRollOver, windowProblems } from './window-spec.ts';

const REQUEST_LIMITS = {
  /**
   * Characters of a key, a quota, a bucket or a session, with the prefixes of callers: they are parts of index rows.
   */
  nameLengthMax: 280,
  /**
   * Bytes of a subject: two ids of 253 characters each, escaped. With a key or a session it still fits into an index
   * row.
   */
  subjectBytesMax: 1_600,
  /** More sources of one quota are no longer an order that a person understands. */
  bucketsMax: 100,
  /** Quotas of one batch. */
  itemsMax: 50,
  /** A longer reservation is a purchase. */
  ttlMsMax: 40 * 86_400_000,
} as const;

/** Checked windows in the cache, at some 100 bytes each. */
const WINDOWS_MAX = 20_000;

/** Refused with `quotas/wrong-name`: names are parts of keys, not free text. */
export function checkName(what: string, name: string): void {
  const { nameLengthMax: max } = REQUEST_LIMITS;
  if (name.length > max) throw wrongName(what, `has ${name.length} characters`, `Give 1 to ${max} characters.`);
  checkText(what, name);
}

/** Refused with `quotas/wrong-name`. A subject consists of several names, see `subjectName`. */
export function checkSubject(subject: string): void {
  const { subjectBytesMax: max } = REQUEST_LIMITS;
  const bytes = Buffer.byteLength(subject);
  if (bytes > max) throw wrongName('subject', `has ${bytes} bytes`, `Use shorter ids: at most ${max} bytes in all.`);
  checkText('subject', subject);
}

function checkText(what: string, text: string): void {
  if (text === '') throw wrongName(what, 'is empty', 'Give at least one character.');
  if (text.isWellFormed() && !text.includes('\u0000')) return;
  throw wrongName(what, 'is no Unicode text, or holds U+0000', 'Give Unicode without U+0000.');
}

function wrongName(what: string, why: string, remedy: string): Refusal {
  return quotaRefusal('wrong-name', `The ${what} ${why}.`, { remedy });
}

/** Refused with `quotas/wrong-bucket`. */
export function checkBuckets(buckets: readonly Bucket[]): void {
  if (buckets.length > REQUEST_LIMITS.bucketsMax) {
    throw wrongBucket(`${buckets.length} buckets are more than ${REQUEST_LIMITS.bucketsMax}`);
  }
  for (const bucket of buckets) {
    const { id, limit } = bucket;
    if (buckets.find((one) => one.id === id) !== bucket) throw wrongBucket(`two buckets are called "${id}"`);
    checkName('id of a bucket', id);
    if (limit !== 'unlimited') amountOf(limit, 0);
    checkWindow(bucket);
    if (bucket.rollover !== undefined) checkRollover(bucket, bucket.rollover);
  }
}

const goodWindows = new Set<string>();

/**
 * Every request brings its own buckets, but most share window and anchor with others, and the check is slow: results
 * are cached.
 */
function checkWindow({ id, window, anchor, createdMs }: Bucket): void {
  const { type, per, zone, weekStart } = window;
  const name = JSON.stringify([type, per, zone, weekStart, anchor?.at, anchor?.zone]);
  if (goodWindows.has(name)) return;
  const [problem] = windowProblems(window, ['window']);
  if (problem !== undefined) throw wrongBucket(`"${id}": ${problem.detail}`);
  try {
    windowAt(window, anchor, createdMs);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw wrongBucket(`"${id}" has the anchor ${JSON.stringify(anchor)}, which is no wall-clock time of a zone`);
  }
  if (goodWindows.size >= WINDOWS_MAX) goodWindows.clear();
  goodWindows.add(name);
}

function checkRollover({ id, window }: Bucket, { max, min = 0 }: Rollover): void {
  if (!canRollOver(window)) throw wrongBucket(`"${id}" has a window without rollover`);
  if (amountOf(min, 0) > amountOf(max, 0)) throw wrongBucket(`"${id}" passes on at least ${min} and at most ${max}`);
}

/** Refused with `quotas/wrong-batch`. */
export function checkItems(items: readonly unknown[]): void {
  if (items.length > 0 && items.length <= REQUEST_LIMITS.itemsMax) return;
  throw quotaRefusal('wrong-batch', `A batch of ${items.length} quotas is out of range.`, {
    remedy: `Give 1 to ${REQUEST_LIMITS.itemsMax}.`,
  });
}

/** Refused with `quotas/wrong-time`. */
export function checkTtl(ttlMs: number): void {
  if (Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= REQUEST_LIMITS.ttlMsMax) return;
  throw quotaRefusal('wrong-time', `A duration of ${ttlMs} milliseconds is out of range.`, {
    remedy: `Give a whole number of milliseconds from 1 to ${REQUEST_LIMITS.ttlMsMax} (40 days).`,
  });
}

function wrongBucket(why: string): Refusal {
  return quotaRefusal('wrong-bucket', `The buckets cannot be used: ${why}.`);
}
