import type { Registry } from 'prom-client';
import type { PathAccess } from '#kernel/access/authorization/path-access.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { eventRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Route } from '#kernel/http/router.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualKind, VirtualList } from '#kernel/api/virtual.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import { command, commandList } from './commands.ts';
import { eventErasers, type Eraser } from './erasure.ts';
import { dayOf, REMEMBERED_DAYS_MIN, turnPartitions } from './event-days.ts';
import { eventMetrics } from './event-metrics.ts';
import type { EventTable } from './event-table.ts';
import { ingestRoutes, type EventGate, type INGEST_LIMITS } from './ingest-api.ts';
import { Erasure, EventReplay, type ErasureSpec, type ErasureStatus } from './kinds/event-commands.ts';
import { QuarantinedEvent } from './kinds/quarantined-event.ts';
import { logWriter, type LogWriter } from './log-writer.ts';
import { Pseudonyms } from './pseudonyms.ts';
import { quarantinedEvents } from './quarantine.ts';
import { openQuarantineSecret } from './quarantine-secret.ts';
import { replay } from './replay.ts';

/** Retention of rows that only operators read, in days. */
const KEPT_DAYS = {
  /** Events that nobody replayed; they may hold personal data of any kind. */
  quarantine: 30,
  replayed: 7,
  batches: 90,
  unfiled: 30,
} as const;

export interface Events {
  /** The routes that events are posted to. */
  readonly routes: (gate: EventGate) => readonly Route<PathAccess>[];
  /** Writes events of the program itself. */
  readonly write: LogWriter['write'];
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  /** The stores that an erasure clears; other parts add theirs. */
  readonly erasers: Eraser[];
  /** Creates and drops partitions, and deletes expired rows. Any process may call it at any time; hourly is enough. */
  readonly maintain: (now: Temporal.Instant) => Promise<void>;
  /** Refuses new events; resolves when the others are answered. */
  readonly close: () => Promise<void>;
}

/** Starts ingest: the writer, the quarantine, replays and erasures. */
export function startEvents(parts: {
  readonly database: Database;
  readonly sealing: Sealing;
  readonly table: () => EventTable;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
  readonly limits?: Partial<Record<keyof typeof INGEST_LIMITS, number>>;
}): Events {
  const { database, sealing, table, clock, log, registry } = parts;
  const load = { bytes: 0 };
  const metrics = eventMetrics(registry, { waiting: () => writer.waiting(), waitingBytes: () => load.bytes });
  const pseudonyms = new Pseudonyms({ database, sealing, clock });
  const writer = logWriter({ database, sealing, pseudonyms, clock, log, metrics });
  const erasers = [...eventErasers(database, pseudonyms, openQuarantineSecret(database, sealing))];
  const limits = parts.limits === undefined ? {} : { limits: parts.limits };

  return {
    routes: (gate) => ingestRoutes({ table, writer, gate, clock, metrics, load, ...limits }),
    write: writer.write,
    virtual: new Map([
      [
        EventReplay.id,
        command(
          EventReplay,
          { database, clock },
          {
            carryOut: async (spec, by) => ({ ...(await replay({ database, sealing, table, writer }, spec)), by }),
            specOf: (spec) => spec,
          },
        ),
      ],
      [Erasure.id, command(Erasure, { database, clock }, { carryOut: erase, specOf: () => ({}) })],
    ]),
    virtualLists: new Map([
      [QuarantinedEvent.id, quarantinedEvents(database)],
      [EventReplay.id, commandList(EventReplay, database)],
      [Erasure.id, commandList(Erasure, database)],
    ]),
    erasers,
    maintain: (now) => {
      const days = [...table().types.values()].map(({ rememberedDays }) => rememberedDays);
      return maintain(database, log, now, Math.max(REMEMBERED_DAYS_MIN, ...days));
    },
    close: writer.close,
  };

  async function erase({ subject, subjects = [] }: ErasureSpec, by: string): Promise<ErasureStatus> {
    const erasedOnes = new Set([...(subject === undefined ? [] : [subject]), ...subjects]);
    if (erasedOnes.size === 0) {
      throw eventRefusal('no-subject', 'The erasure names no subject.', {
        problems: [{ path: ['spec', 'subject'], reason: 'FieldValueRequired', detail: 'Required value' }],
      });
    }
    const erased: Record<string, number> = {};
    for (const { store, erase } of erasers) {
      erased[store] = 0;
      for (const one of erasedOnes) erased[store] += await erase(one);
    }
    return { erased, at: clock().toString(), by };
  }
}

async function maintain(database: Database, log: Log, now: Temporal.Instant, rememberedDays: number): Promise<void> {
  await turnPartitions(database, dayOf(now), rememberedDays);
  const before = (days: number) => now.subtract({ hours: 24 * days }).toString();
  const [row] = await database.query<{ lost: number }>({
    text: `
      with replayed as (
        delete from backline.event_quarantine where replayed_at < $1::timestamptz
      ), lost as (
        delete from backline.event_quarantine
        where replayed_at is null and received_at < $2::timestamptz returning 1
      ), room as (
        delete from backline.event_quarantine_room where day < $2::timestamptz
      ), batches as (
        delete from backline.event_batches where received_at < $3::timestamptz
      ), unfiled as (
        delete from backline.event_unfiled where set_aside_at < $4::timestamptz
      )
      select count(*) as lost from lost`,
    values: [
      before(KEPT_DAYS.replayed),
      before(KEPT_DAYS.quarantine),
      before(KEPT_DAYS.batches),
      before(KEPT_DAYS.unfiled),
    ],
  });
  const lost = row?.lost ?? 0;
  if (lost > 0)
    log.warn({ events: lost }, `quarantine: dropped events that nobody replayed for ${KEPT_DAYS.quarantine} days`);
}
