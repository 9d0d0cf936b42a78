import { windowAt, type Anchor, type Span } from './window.ts';
import type { WindowSpec } from './window-spec.ts';

/** Units of a window that pass on into the next one when it ends. */
export interface Rollover {
  /** Units at most. */
  readonly max: number;
  /** Units at least, even when fewer were left. */
  readonly min?: number;
  /** Use beyond the limit: forgiven by default; carried reduces the next window by it. */
  readonly overage?: 'forgiven' | 'carried';
  /** Unused windows that began then or later pass on their units; without it, none do. */
  readonly sinceMs?: number;
}

/** A source of units: a plan's cap, an add-on, a top-up. */
export interface Bucket {
  /** Permanent, like the uid of a cap: use is counted under it in every revision of the cap. */
  readonly id: string;
  /** Units for each window. */
  readonly limit: number | 'unlimited';
  readonly window: WindowSpec;
  readonly anchor?: Anchor;
  /** Lower numbers come first; then the earliest expiry, then the earliest creation, then the id. */
  readonly priority: number;
  readonly createdMs: number;
  /** In force from this moment on … */
  readonly validFromMs?: number;
  /** … up to, and without, this one. */
  readonly validUntilMs?: number;
  /** Gives nothing for now; its time goes on. */
  readonly suspended?: boolean;
  /** A soft limit: takes the units that no bucket had, and reports `overLimit`. Of several, the last in order. */
  readonly overage?: boolean;
  /**
   * Units that pass on from window to window (calendar or anchored) and raise the next limit. Without effect on an
   * unlimited bucket.
   */
  readonly rollover?: Rollover;
  /** Removed buckets that this one replaces: units returned to them land here. */
  readonly replaces?: readonly string[];
}

/** The use of a bucket in one of its windows. */
export interface BucketUse {
  readonly bucket: Bucket;
  readonly span: Span;
  readonly used: number;
}

/** The reported state of a bucket. */
export interface Balance {
  readonly bucket: string;
  readonly window: string;
  readonly limit: number | 'unlimited';
  readonly used: number;
  /** Never below 0. */
  readonly remaining: number | 'unlimited';
  /** Use exceeds the limit now in force: the limit was lowered, or use was recorded beyond it. */
  readonly overLimit: boolean;
  /** When the window ends; absent without an end, and for rolling windows, where units return one by one. */
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

/** Units left; of an unlimited bucket as many as a number can count. */
export function remainingOf({
  bucket: { limit },
  used,
}: {
  readonly bucket: Pick<Bucket, 'limit'>;
  readonly used: number;
}): number {
  return Math.max(0, (limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : limit) - used);
}

export function balanceOf(use: BucketUse): Balance {
  const { bucket, span, used } = use;
  const { id, limit, window } = bucket;
  return {
    bucket: id,
    window: span.key,
    limit,
    used,
    remaining: limit === 'unlimited' ? limit : remainingOf(use),
    overLimit: limit !== 'unlimited' && used > limit,
    ...(span.untilMs === undefined || window.type === 'rolling' ? {} : { resetsAtMs: span.untilMs }),
  };
}

/** The window of the bucket that holds the moment. */
export function spanOf({ window, anchor }: Bucket, atMs: number): Span {
  return windowAt(window, anchor, atMs);
}
