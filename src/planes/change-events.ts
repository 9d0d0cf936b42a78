import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { EventTable } from '#kernel/events/event-table.ts';
import { judge, OWN_SENDER } from '#kernel/events/judge.ts';
import type { LogWriter } from '#kernel/events/log-writer.ts';
import { readBatch } from '#kernel/events/read-batch.ts';
import type { Database } from '#kernel/postgres/database.ts';

const LIMITS = {
  everyMs: 2_000,
  /** Changes of one look. */
  changesMax: 500,
} as const;

/** The EventType that changes of records become, where it is declared. */
const EVENT_TYPE = 'subject-change';

interface ChangeRow {
  readonly number: number;
  readonly at: Temporal.Instant;
  readonly listener: string;
  readonly action: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface ChangeEvents {
  /** Turns what there is into events; gives how many. */
  readonly tellNow: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/**
 * Turns changes of listeners' records into events of the log: each at least once, and under an id of its own, so that
 * it counts once. Any number of processes may do so. Without a declared EventType changes wait.
 */
export function tellChanges(parts: {
  readonly database: Database;
  readonly write: LogWriter['write'];
  readonly table: () => EventTable;
  readonly clock: Clock;
  readonly log: Log;
}): ChangeEvents {
  const { database, write, table, clock, log } = parts;
  let working: Promise<number> | undefined;
  const timer = setInterval(() => {
    tellNow().catch((error: unknown) => log.error({ err: error }, 'changes of records could not become events'));
  }, LIMITS.everyMs);
  return {
    tellNow,
    close: async () => {
      clearInterval(timer);
      await working?.catch(() => {});
    },
  };

  function tellNow(): Promise<number> {
    working ??= tell().finally(() => {
      working = undefined;
    });
    return working;
  }

  async function tell(): Promise<number> {
    const rules = table();
    const declared = rules.types.get(EVENT_TYPE);
    if (declared === undefined) return 0;
    return database.transaction(async ({ query }) => {
      const rows = await query<ChangeRow>({
        text: `select number, at, listener, action, detail from backline.subject_changes
          where not told order by number limit ${LIMITS.changesMax} for update skip locked`,
      });
      if (rows.length === 0) return 0;
      const receivedMs = clock().epochMilliseconds;
      const { events } = readBatch({ events: rows.map(eventOf) });
      const envelope = { client: OWN_SENDER, boundTo: undefined, sentMs: undefined, receivedMs };
      const origin = { client: OWN_SENDER, producer: '', sequence: undefined, sentMs: undefined, receivedMs };
      await write({ origin, verdicts: events.map((event) => judge(rules, event, envelope)) });
      await query({
        text: 'update backline.subject_changes set told = true where number = any($1::bigint[])',
        values: [rows.map(({ number }) => number)],
      });
      return rows.length;
    });
  }
}

/** The change as an event about the listener. Other listeners are in the record alone: a payload keeps no names. */
function eventOf({ number, at, listener, action, detail }: ChangeRow): object {
  const { listener: _other, ...properties } = detail;
  return {
    type: EVENT_TYPE,
    id: `change-${number}`,
    at: at.toString(),
    subject: listener,
    properties: { action, ...properties },
  };
}
