import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { sql } from '../sql/sql.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { FILL_NAMES, fillSql, reportSql, type Dimension } from './report-sql.ts';

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
  const { by, account, from, until, fill = false } = options;
  if (fill) requireFill(options);
  const { zone, name } =
    account === undefined ? { zone: 'UTC', name: undefined } : await readAccount(account, options, io);
  const question = {
    by,
    zone,
    account: name,
    from: from === undefined ? undefined : instantOf('--from', from, zone),
    until: until === undefined ? undefined : instantOf('--until', until, zone),
  };
  return sql(fill ? fillSql(question) : reportSql(question), options, io);
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

async function readAccount(
  account: string,
  options: ReportOptions,
  io: Io,
): Promise<{ readonly zone: string; readonly name: string }> {
  const connection = connectionFrom(options, io);
  const namespace = options.namespace ?? connection.namespace;
  const path = `/apis/ads.backline.dev/v1/namespaces/${encodeURIComponent(namespace)}/advertisers/${encodeURIComponent(account)}`;
  const { spec } = (await call(connection, 'GET', path)) as { readonly spec: { readonly zone: string } };
  return { zone: spec.zone, name: `${namespace}/${account}` };
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
