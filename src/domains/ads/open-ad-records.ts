import type { ModuleRecords, RecordParts } from '#kernel/modules/module.ts';
import type { Money } from './money/money.ts';
import { openMoney } from './money/open-money.ts';
import { openAdHistories, type AdHistories } from './records/ad-histories.ts';

export interface AdRecords extends ModuleRecords {
  readonly money: Money;
  readonly histories: AdHistories;
}

/** Opens the budgets, and the histories of listeners. */
export async function openAdRecords({ database, quotas, clock, secretOf, log }: RecordParts): Promise<AdRecords> {
  const histories = openAdHistories({ database, secret: await secretOf('ad-histories'), log });
  // Nothing reports an impression yet, so nothing is charged.
  const evidenceOf = async () => new Map<string, number>();
  const money = openMoney({ database, quotas, evidenceOf, clock, log });
  return {
    erasers: histories.erasers,
    money,
    histories,
    tidy: (now) => Promise.all([money.tidy(now), histories.tidy(now.epochMilliseconds)]),
    close: async () => {
      await Promise.all([money.close(), histories.close()]);
    },
  };
}
