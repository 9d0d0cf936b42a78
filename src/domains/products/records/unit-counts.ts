import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Units } from '#kernel/modules/module.ts';
import type { Time } from '#kernel/base/time.ts';
import type { Queryable } from '#kernel/postgres/database.ts';

const LIMITS = {
  /** Maximum age of counts. */
  intervalMs: 5 * 60_000,
  /** Above this many rows the count is not needed: there are enough units. */
  rowsMax: 100_000,
} as const;

interface Row {
  readonly market: string;
  readonly households: number;
  readonly listeners: number;
  readonly rows: number;
}

/**
 * Counts unended subscriptions by market, periodically, so that readers never wait. Undefined before the
 * first count, without records, and above the row limit.
 */
export function followUnitCounts(parts: {
  readonly database: Queryable;
  readonly time: Time;
  readonly log: Log;
}): Units {
  const { database, time, log } = parts;
  const logError = logSeldom(log, time.nowMs);
  let counts: ReadonlyMap<string, ReadonlyMap<string, number>> | undefined;
  let stopping = false;
  let cancel = () => {};
  let counting = count();
  return {
    of: (unit) => counts?.get(unit),
    stop: async () => {
      stopping = true;
      cancel();
      await counting;
    },
  };

  async function count(): Promise<void> {
    try {
      counts = await countedUnits(database);
    } catch (error) {
      logError(error, 'records: cannot count households and listeners');
    }
    if (!stopping) cancel = time.after(LIMITS.intervalMs, () => void (counting = count()));
  }
}

async function countedUnits({
  query,
}: Queryable): Promise<ReadonlyMap<string, ReadonlyMap<string, number>> | undefined> {
  const rows = await query<Row>({
    text: `
      select market, count(distinct household) as households, count(distinct listener) as listeners, count(*) as rows
      from (
        select s.market, s.household, m.listener
        from backline.subscriptions s join backline.subscription_members m on m.subscription = s.id
        where s.status <> 'ended' limit $1::integer
      ) as known group by market`,
    values: [LIMITS.rowsMax],
  });
  const all = rows.reduce((sum, one) => sum + one.rows, 0);
  if (all === 0 || all >= LIMITS.rowsMax) return undefined;
  return new Map([
    ['household', new Map(rows.map((one) => [one.market, one.households]))],
    ['listener', new Map(rows.map((one) => [one.market, one.listeners]))],
  ]);
}
