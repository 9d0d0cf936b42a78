import type { Connection } from '#kernel/api/client/http.ts';
import { FILL_NAMES, fillSql, reportSql, type Dimension } from '#domains/ads/rules/report-sql.ts';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import type { QueryStatus } from '../api/query.ts';
import { formOf, printAnswer, sql } from '../sql/sql.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { placeOf } from '../terminal/place-of.ts';

export interface ReportOptions extends ConnectionOptions {
  readonly by: readonly Dimension[];
  readonly account?: string;
  readonly fill?: boolean;
  readonly namespace?: string;
  readonly from?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly file?: string;
  readonly output: 'table' | 'csv' | 'json';
}

/** `backline ads report`: what was delivered and charged, from the event log. */
export async function report(options: ReportOptions, io: Io): Promise<number> {
  const { by, account, fill = false } = options;
  if (fill) requireFill(options);
  if (account === undefined) {
    const question = { by, zone: 'UTC', account, ...periodOf(options, 'UTC') };
    return sql(fill ? fillSql(question) : reportSql(question), options, io);
  }
  const connection = connectionFrom(options, io);
  const path = advertiserPath(placeOf(account, options, connection));
  const { spec } = (await call(connection, 'GET', path)) as { readonly spec: { readonly zone: string } };
  const { from, until } = periodOf(options, spec.zone);
  const question = { by, from: from?.toString(), until: until?.toString(), ...formOf(options) };
  return printAnswer(await askReport(connection, path, question), options, io);
}

/** Breaks are of no advertiser. */
function requireFill({ by, account }: ReportOptions): void {
  const wrong = account === undefined ? by.find((name) => !FILL_NAMES.includes(name)) : '--account';
  if (wrong === undefined) return;
  throw new CliFailure(`--fill does not go with ${wrong}: a break that was asked for is of no advertiser.`, {
    exitCode: EXIT.usage,
    remedy: `Split it with --by and some of ${FILL_NAMES.join(', ')}.`,
  });
}

export function advertiserPath({ namespace, name }: ReturnType<typeof placeOf>): string {
  return `/apis/ads.backline.dev/v1/namespaces/${encodeURIComponent(namespace)}/advertisers/${encodeURIComponent(name)}`;
}

/** Asks what was delivered of one Advertiser: that takes no right to SQL. */
export async function askReport(connection: Connection, path: string, spec: object): Promise<QueryStatus> {
  const body = { apiVersion: 'ads.backline.dev/v1', kind: 'AdvertiserReport', metadata: {}, spec };
  const { status } = (await call(connection, 'POST', `${path}/report`, { body })) as { readonly status: QueryStatus };
  return status;
}

function periodOf({ from, until }: ReportOptions, zone: string) {
  return {
    from: from === undefined ? undefined : instantOf('--from', from, zone),
    until: until === undefined ? undefined : instantOf('--until', until, zone),
  };
}

/** An instant, or the beginning of a day in the zone. */
export function instantOf(option: string, text: string, zone: string): Temporal.Instant {
  try {
    if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return Temporal.PlainDate.from(text).toZonedDateTime(zone).toInstant();
    return Temporal.Instant.from(text);
  } catch {
    throw new CliFailure(`${option} ${text} is no time.`, {
      exitCode: EXIT.usage,
      remedy: 'Write it like 2026-12-01, which begins in the zone of the account, or 2026-12-01T09:00:00Z.',
    });
  }
}
