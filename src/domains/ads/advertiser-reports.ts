import type { ResourceClient } from '#kernel/api/client/contract.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import { Query, type QuerySpec } from '#kernel/events/datasets/query-kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { AdvertiserReport } from './kinds/advertiser-report.ts';
import { reportSql } from './rules/report-sql.ts';

/** Answers reports that are posted below an Advertiser: whatever they ask, the SQL reads that account alone. */
export function advertiserReports({
  client,
  query,
}: {
  readonly client: Pick<ResourceClient, 'get'>;
  /** Answers a Query. */
  readonly query: VirtualKind;
}): ReadonlyMap<string, VirtualKind> {
  const answer: VirtualKind = async (object, call) => {
    const { namespace = '', name = '' } = call;
    const { by, from, until, format, limit } = AdvertiserReport.spec(object);
    // Deliveries of an account stay when its Advertiser is deleted.
    const advertiser = await client.get(Advertiser, { namespace, name });
    const sql = reportSql({
      by,
      zone: advertiser === undefined ? 'UTC' : Advertiser.spec(advertiser).zone,
      account: liveName(Advertiser, namespace, name),
      from: instantIn(from),
      until: instantIn(until),
    });
    const spec: Partial<QuerySpec> = { sql, format, ...(limit === undefined ? {} : { limit }) };
    const { apiVersion, kind } = Query;
    const { status } = (await query({ apiVersion, kind, metadata: { name: '' }, spec }, call)) as { status: object };
    return { ...object, status };
  };
  return new Map([[`${Advertiser.id}/report`, answer]]);
}

function instantIn(text: string | undefined): Temporal.Instant | undefined {
  return text === undefined ? undefined : Temporal.Instant.from(text);
}
