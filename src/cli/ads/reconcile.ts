import { setTimeout as pause } from 'node:timers/promises';
import type { Connection } from '#kernel/api/client/http.ts';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { textTable } from '../terminal/text-table.ts';
import { compareLedger, microsOf, type Comparison, type LedgerCounter } from './compare-ledger.ts';
import { placeOf } from '../terminal/place-of.ts';
import { advertiserPath, askReport } from './report.ts';

export interface ReconcileOptions extends ConnectionOptions {
  readonly namespace?: string;
  /** Seconds. */
  readonly timeout: number;
  readonly output: 'table' | 'json';
}

const RECONCILE_LIMITS = {
  /** How often it looks whether the files have the events. */
  everyMs: 2_000,
  /** Ad sets with charges, in one answer. */
  adSetsMax: 100_000,
} as const;

interface LedgerPage {
  readonly at: string;
  readonly counters: readonly LedgerCounter[];
  readonly isLast: boolean;
}

/** `backline ads reconcile`: whether the ledger of an account is what the event log charges. */
export async function reconcile(account: string, options: ReconcileOptions, io: Io): Promise<number> {
  const connection = connectionFrom(options, io);
  const place = placeOf(account, options, connection);
  const name = `${place.namespace}/${place.name}`;
  const before = await readLedger(connection, name);
  const path = advertiserPath(place);
  const events = await readCharges(connection, path, { at: before.at, seconds: options.timeout });
  const after = await readLedger(connection, name);
  const comparisons = compareLedger({ before: before.counters, events, after: after.counters });
  const different = comparisons.filter(({ verdict }) => verdict === 'differs');
  if (options.output === 'json') {
    io.exact.write(
      `${JSON.stringify({ account: name, at: after.at, counters: after.counters, comparisons }, null, 2)}\n`,
    );
  } else io.stdout.write(`${reconciliationText(comparisons)}\n`);
  if (different.length === 0) return EXIT.ok;
  throw new CliFailure(`the ledger of ${name} differs in ${different.length} of ${comparisons.length} places.`, {
    details: different.map(({ owner, charged, proven, difference }) => ({
      where: owner,
      what: `the ledger has ${charged}, ${owner.startsWith('account ') ? 'its ad sets' : 'the events'} ${proven}: a difference of ${difference}`,
    })),
    remedy: remedyFor(different),
  });
}

/** Causes that are known of a ledger that has more, or less, than the events. */
export function remedyFor(different: readonly Pick<Comparison, 'difference'>[]): string {
  const isLess = different.some(({ difference = '' }) => difference.startsWith('-'));
  const cause = isLess
    ? 'A ledger that has less was restored from a backup: see docs/on-call.md.'
    : 'Events are deleted after 395 days, and the ledger is not.';
  return `${cause} Else find the day: backline ads report --by adSet,day.`;
}

export function reconciliationText(comparisons: readonly Comparison[]): string {
  if (comparisons.length === 0) return 'Nothing was ever charged or reserved.';
  const rows = comparisons.map(({ owner, used, reserved, charged, proven, verdict, difference }) => [
    owner,
    used,
    reserved,
    charged,
    proven,
    difference === undefined ? verdict : `${verdict} by ${difference}`,
  ]);
  return textTable([['OWNER', 'USED', 'RESERVED', 'CHARGED', 'PROVEN', 'RESULT'], ...rows]);
}

async function readLedger(connection: Connection, account: string): Promise<Omit<LedgerPage, 'isLast'>> {
  const counters: LedgerCounter[] = [];
  let at: string | undefined;
  for (;;) {
    const last = counters.at(-1);
    const body = { account, ...(last && { afterBucket: last.bucket, afterWindow: last.window }) };
    const page = (await call(connection, 'POST', '/v1/ads/ledger', { body })) as LedgerPage;
    at ??= page.at;
    counters.push(...page.counters);
    if (page.isLast) return { at, counters };
  }
}

/** Charges of the event log by ad set, with every event that was received before `at`. */
async function readCharges(
  connection: Connection,
  path: string,
  until: { readonly at: string; readonly seconds: number },
): Promise<ReadonlyMap<string, bigint>> {
  const question = { by: ['adSet'], limit: RECONCILE_LIMITS.adSetsMax };
  const tries = Math.ceil((until.seconds * 1_000) / RECONCILE_LIMITS.everyMs);
  for (let tried = 0; ; tried += 1) {
    const { columns, rows = [], completeUntil, truncated } = await askReport(connection, path, question);
    if (truncated) throw new CliFailure(`it has deliveries of more than ${RECONCILE_LIMITS.adSetsMax} ad sets.`);
    if (Temporal.Instant.compare(completeUntil, until.at) >= 0) {
      const spend = columns.findIndex(({ name }) => name === 'spend');
      return new Map(rows.map((row) => [String(row[0]), microsOf(String(row[spend]))]));
    }
    if (tried >= tries) {
      throw new CliFailure(
        `the events are complete until ${completeUntil} only, and the ledger was read at ${until.at}.`,
        {
          remedy: 'Wait longer with --timeout, or see why events become no files: backline sql "from watermarks".',
        },
      );
    }
    await pause(RECONCILE_LIMITS.everyMs);
  }
}
