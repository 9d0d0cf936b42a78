import type { Database } from '#kernel/postgres/database.ts';
import type { Quotas } from '#kernel/quotas/rules/contract.ts';
import { subjectOf } from '../money/budget-sources.ts';
import { readEvidence, readUnlogged } from './deliveries.ts';

/** Counters of a page. */
export const LEDGER_ROWS_MAX = 1_000;

/** Only buckets of ad sets name their slices: each slice is of exactly one ad set. */
const AD_SET_PREFIX = 'adset ';

/** A counter of an account. Micro-units. */
export interface LedgerRow {
  /** `adset NAME day`, with `campaign` or `account`, and `lifetime`; a name that is too long stands as its hash. */
  readonly bucket: string;
  readonly window: string;
  readonly used: number;
  readonly reserved: number;
  /** Of an ad set: what its events were charged. Of the others: without what was charged in slices that are open. */
  readonly charged: number;
  /** Of the lifetime of an ad set: what may be charged, or was, and is not in the event log. */
  readonly unlogged: number;
}

interface LedgerRequest {
  readonly account: string;
  readonly after: { readonly bucket: string; readonly window: string } | undefined;
}

export type ReadLedger = (request: LedgerRequest) => Promise<readonly LedgerRow[]>;

/**
 * Reads a page of the counters of an account. `charged` of an ad set is what it was at some moment of the call: what is settled
 * stays, and what is charged in a slice only grows.
 */
export function ledgerReader(parts: { readonly database: Database; readonly quotas: Quotas }): ReadLedger {
  const { database, quotas } = parts;
  return async ({ account, after }) => {
    const subject = subjectOf({ account });
    const counters = await quotas.listUse({ subject, after, rowsMax: LEDGER_ROWS_MAX, slicesOf: AD_SET_PREFIX });
    const evidence = await readEvidence(database, [...new Set(counters.flatMap(({ slices }) => slices))]);
    const unlogged = await readUnlogged(
      database,
      counters.flatMap(({ bucket }) => adSetIn(bucket) ?? []),
    );
    return counters.map(({ bucket, window, used, reserved, slices }) => ({
      bucket,
      window,
      used,
      reserved,
      charged: used - reserved + slices.reduce((sum, slice) => sum + (evidence.get(slice) ?? 0), 0),
      unlogged: unlogged.get(adSetIn(bucket) ?? '') ?? 0,
    }));
  };
}

/** The ad set of a bucket of its lifetime. */
function adSetIn(bucket: string): string | undefined {
  return /^adset (.+) lifetime$/.exec(bucket)?.[1];
}
