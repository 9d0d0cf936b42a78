import type { ModuleRecords, RecordParts } from '#kernel/modules/module.ts';
import type { Money } from './money/money.ts';
import { openMoney } from './money/open-money.ts';

export interface AdRecords extends ModuleRecords {
  readonly money: Money;
}

/** Opens the budgets. */
export function openAdRecords({ database, quotas, clock, log }: RecordParts): AdRecords {
  // Nothing reports an impression yet, so nothing is charged.
  const evidenceOf = async () => new Map<string, number>();
  const money = openMoney({ database, quotas, evidenceOf, clock, log });
  return { erasers: [], money, tidy: money.tidy, close: money.close };
}
