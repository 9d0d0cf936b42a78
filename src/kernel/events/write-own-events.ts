import type { Clock } from '#kernel/base/clock.ts';
import type { EventTable } from './event-table.ts';
import { judge, OWN_SENDER, type Verdict } from './judge.ts';
import type { LogWriter } from './log-writer.ts';
import { readBatch } from './read-batch.ts';

export interface OwnEventParts {
  readonly write: LogWriter['write'];
  readonly table: () => EventTable;
  readonly clock: Clock;
}

/**
 * Writes one batch of events of this program itself, judged as all others are. Resolves when they are durable.
 *
 * @param isKept selects the verdicts to write; refused ones among them go to the quarantine
 */
export async function writeOwnEvents(
  { write, table, clock }: OwnEventParts,
  batch: readonly object[],
  isKept: (verdict: Verdict) => boolean = () => true,
): Promise<void> {
  const rules = table();
  const shared = { client: OWN_SENDER, sentMs: undefined, receivedMs: clock().epochMilliseconds };
  const { events } = readBatch({ events: batch });
  const verdicts = events.map((event) => judge(rules, event, { ...shared, boundTo: undefined })).filter(isKept);
  if (verdicts.length === 0) return;
  await write({ origin: { ...shared, producer: '', sequence: undefined }, verdicts });
}
