import { windowAt, type Anchor, type Span } from './window.ts';
import type { WindowSpec } from './window-spec.ts';

/** What of a window goes on into the next one when it ends. */
export interface Rollover {
  /** Units at most. */
  readonly max: number;
  /** Units at least, even when fewer were left. */
  readonly min?: number;
  /** What becomes of units beyond the limit: forgiven without it, or carried: the next window gives as many less. */
  readonly overage?: 'forgiven' | 'carried';
  /** Windows in which nothing was used pass on what they gave when they began then, or later; without it, none do. */
  readonly sinceMs?: number;
}

/** Something that units are taken from: a plan's cap, an add-on, a top-up. */
export interface Bucket {
  /** Permanent, like the uid of a cap: use is counted under it, whatever revision of the cap is live. */
  readonly id: string;
  /** Units for each window. */
  readonly limit: number | 'unlimited';
  readonly window: WindowSpec;
  readonly anchor?: Anchor;
  /** Lower numbers are taken from first; then what expires first, then what was created first, then by id. */
  readonly priority: number;
  readonly createdMs: number;
  /** In force from this moment on … */
  readonly validFromMs?: number;
  /** … up to, and without, this one. */
  readonly validUntilMs?: number;
  /** Gives nothing for now; its time goes on. */
  readonly suspended?: boolean;
  /** A soft limit: takes what no bucket had, and says that it is over. Of several, the last in order. */
  readonly overage?: boolean;
  /** What goes on from window to window, calendar or anchored; its limit is then that much more. Nothing when it is unlimited. */
  readonly rollover?: Rollover;
  /** Buckets that are gone and whose place this one took: what is returned to them lands here. */
  readonly replaces?: readonly string[];
}

/** A bucket as it stands in one of its windows. */
export interface Standing {
  readonly bucket: Bucket;
  readonly span: Span;
  readonly used: number;
}

/** What is told of a bucket. */
export interface Balance {
  readonly bucket: string;
  readonly window: string;
  readonly limit: number | 'unlimited';
  readonly used: number;
  /** Never below 0. */
  readonly remaining: number | 'unlimited';
  /** More is used than the limit now in force: it was lowered, or use was recorded beyond it. */
  readonly overLimit: boolean;
  /** When the window ends; not there for what never does, and for a rolling one, in which units come back one by one. */
  readonly resetsAtMs?: number;
}

/** The order in which buckets are taken from. It is total: no two buckets of different ids are equal. */
export function byOrder(a: Bucket, b: Bucket): number {
  const expiry = (bucket: Bucket): number => bucket.validUntilMs ?? Infinity;
  if (a.priority !== b.priority) return a.priority - b.priority;
  if (expiry(a) !== expiry(b)) return expiry(a) - expiry(b);
  if (a.createdMs !== b.createdMs) return a.createdMs - b.createdMs;
  return a.id < b.id ? -1 : Number(a.id > b.id);
}

/** Whether units can be taken from it at that moment. */
export function isInForce(
  { suspended, validFromMs = -Infinity, validUntilMs = Infinity }: Bucket,
  atMs: number,
): boolean {
  return suspended !== true && validFromMs <= atMs && atMs < validUntilMs;
}

/** What is left of it; of an unlimited one as much as can be counted. */
export function remainingOf({
  bucket: { limit },
  used,
}: {
  readonly bucket: Pick<Bucket, 'limit'>;
  readonly used: number;
}): number {
  return Math.max(0, (limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : limit) - used);
}

export function balanceOf(standing: Standing): Balance {
  const { bucket, span, used } = standing;
  const { id, limit, window } = bucket;
  return {
    bucket: id,
    window: span.key,
    limit,
    used,
    remaining: limit === 'unlimited' ? limit : remainingOf(standing),
    overLimit: limit !== 'unlimited' && used > limit,
    ...(span.untilMs === undefined || window.type === 'rolling' ? {} : { resetsAtMs: span.untilMs }),
  };
}

/** The window of the bucket that holds the moment. */
export function spanOf({ window, anchor }: Bucket, atMs: number): Span {
  return windowAt(window, anchor, atMs);
}
