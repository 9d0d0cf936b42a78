import type { Clock } from '#kernel/base/clock.ts';
import { repeat } from '#kernel/base/repeat.ts';
import { systemTime } from '#kernel/base/time.ts';
import type { ModuleRecords, RecordParts } from '#kernel/modules/module.ts';
import { databaseClock } from '#kernel/postgres/database-clock.ts';
import { openMoney, type OpenMoney } from './money/open-money.ts';
import { openAdHistories, type AdHistories } from './records/ad-histories.ts';
import { openBreakCounts, type BreakCounts } from './records/break-counts.ts';
import { openBreakSamples, type BreakSamples } from './records/break-samples.ts';
import { openDeliveries, readEvidence, type Deliveries } from './records/deliveries.ts';
import { ledgerReader, type ReadLedger } from './records/ledger.ts';
import { adEventMetrics, type AdEventMetrics } from './records/event-metrics.ts';
import { tokenBox, type TokenBox } from './serving/ad-token.ts';

/** How often held and late events are looked at. */
const SETTLE_MS = 2_000;
/** How often answered breaks are written: well before their minute goes to the event log. */
const COUNT_MS = 5_000;

export interface AdRecords extends ModuleRecords {
  readonly money: OpenMoney;
  readonly histories: AdHistories;
  readonly breaks: BreakCounts;
  readonly samples: BreakSamples;
  readonly deliveries: Deliveries;
  readonly readLedger: ReadLedger;
  readonly tokens: TokenBox;
  readonly metrics: AdEventMetrics;
  /** The time of the database: what one node seals or notes is judged by all, also by one whose own clock is wrong. */
  readonly clock: Clock;
}

/** Opens the budgets, the histories of listeners, and what is reported of ads. */
export async function openAdRecords(parts: RecordParts): Promise<AdRecords> {
  const { database, quotas, clock, secretOf, registry, log } = parts;
  // Before anything is opened: a secret that cannot be read must leave nothing open.
  const secrets = {
    tokens: await secretOf('ad-tokens'),
    histories: await secretOf('ad-histories'),
    erasures: await secretOf('ad-erasures'),
  };
  const tokens = tokenBox(secrets.tokens);
  const shared = clock === undefined ? await databaseClock(database, systemTime, log) : { clock, stop: () => {} };
  const money = openMoney({
    database,
    quotas,
    evidenceOf: (slices) => readEvidence(database, slices),
    clock: shared.clock,
    steadyMs: clock && (() => clock().epochMilliseconds),
    log,
  });
  const histories = openAdHistories({ database, secret: secrets.histories, log });
  const metrics = adEventMetrics(registry);
  const { chargeLate } = money;
  const deliveries = openDeliveries({ database, clock, chargeLate, secret: secrets.erasures, log });
  const breaks = openBreakCounts(database);
  const samples = openBreakSamples(database, Math.random);
  const flushBreaks = async (): Promise<void> => {
    await breaks.flush();
    await samples.flush();
  };
  const stopCounting = repeat(COUNT_MS, flushBreaks, (error) =>
    log.warn({ err: error }, 'ad breaks: cannot count; retrying'),
  );
  const settle = async (): Promise<void> => {
    const { released, dropped, charged, free } = await deliveries.settle();
    for (const event of released) metrics.countEvent(event, 'counted');
    for (const event of dropped) metrics.countEvent(event, 'outOfOrder');
    metrics.countCharges('charged', charged);
    metrics.countCharges('free', free);
  };
  const stopSettling = repeat(SETTLE_MS, settle, (error) =>
    log.warn({ err: error }, 'ad events: cannot settle; retrying'),
  );
  return {
    money,
    histories,
    breaks,
    samples,
    deliveries,
    readLedger: ledgerReader({ database, quotas }),
    tokens,
    metrics,
    clock: shared.clock,
    erasers: [...deliveries.erasers, ...histories.erasers],
    tidy: () => {
      const now = shared.clock();
      const nowMs = now.epochMilliseconds;
      return Promise.all([money.tidy(now), deliveries.tidy(), histories.tidy(nowMs), samples.tidy(nowMs)]);
    },
    close: async () => {
      shared.stop();
      await stopSettling();
      await stopCounting();
      await flushBreaks().catch((error: unknown) => log.warn({ err: error }, 'ad breaks: the last counts are lost'));
      await deliveries.close();
      await Promise.all([money.close(), histories.close()]);
    },
  };
}
