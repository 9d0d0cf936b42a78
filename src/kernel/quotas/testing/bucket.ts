import type { Bucket } from '../rules/bucket.ts';

/** A bucket of so many units for each month, with other fields from `more`. */
export function bucket(id: string, limit: Bucket['limit'], more: Partial<Bucket> = {}): Bucket {
  const window = { type: 'calendar', per: 'P1M', zone: 'Europe/Berlin' } as const;
  return { id, limit, window, priority: 0, createdMs: 0, ...more };
}
