import { contentHash } from '#kernel/base/ids.ts';
import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import type { Source } from '#kernel/quotas/rules/contract.ts';
import { subjectName } from '#kernel/quotas/rules/subject-name.ts';
import type { WindowSpec } from '#kernel/quotas/rules/window-spec.ts';
import type { AdSetMoney, MoneyLimit } from '../decisions/table.ts';

/** Names of counters are at most 280 characters: longer names of objects are stored as their hash. */
const OWNER_LENGTH_MAX = 250;

/** The owner of the counters of an account. */
export function subjectOf({ account }: Pick<AdSetMoney, 'account'>): string {
  return subjectName(['ads', account]);
}

/** The limits of an ad set as quotas: one bucket each, and a charge takes from all of them. */
export function sourcesOf({ limits, zone }: AdSetMoney): readonly Source[] {
  return limits.map((limit) => sourceOf(limit, zone));
}

/** The id of the bucket of a limit. */
export function bucketOf({ owner, per }: Pick<MoneyLimit, 'owner' | 'per'>): string {
  return `${owner.length > OWNER_LENGTH_MAX ? contentHash(owner) : owner} ${per}`;
}

function sourceOf({ owner, per, limit }: MoneyLimit, zone: string): Source {
  const id = bucketOf({ owner, per });
  const window: WindowSpec = per === 'day' ? { type: 'calendar', per: 'P1D', zone } : { type: 'lifetime' };
  const bucket: Bucket = { id, limit, window, priority: 0, createdMs: 0 };
  return { quota: id, buckets: [bucket] };
}

/** The same limits, one of them lower for now. */
export function withLimit(sources: readonly Source[], index: number, limit: number): readonly Source[] {
  return sources.map((source, at) =>
    at === index ? { ...source, buckets: source.buckets.map((bucket) => ({ ...bucket, limit })) } : source,
  );
}
