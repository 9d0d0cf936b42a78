import type { Refusal } from '#kernel/base/failures.ts';
import { eventRefusal } from './refusals.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import type { EventTable } from './event-table.ts';
import { judge, timeMs, type EventFormat, type Verdict } from './judge.ts';
import type { ReplaySpec, ReplayStatus } from './kinds/event-commands.ts';
import type { LogWriter } from './log-writer.ts';
import { placeOf } from './ready-events.ts';
import { NAME_PREFIX } from './quarantine.ts';
import { readEvent } from './read-batch.ts';
import type { Origin } from './write-events.ts';

const REPLAY_LIMITS = {
  /** Events that one replay judges: some seconds of work. */
  eventsMax: 20_000,
  eventsAtOnce: 1_000,
} as const;

/** The producer under which replayed events are counted. */
const PRODUCER = 'replay';

interface Row {
  readonly number: number;
  readonly received_at: Temporal.Instant;
  readonly sent_at: Temporal.Instant | null;
  readonly client: string;
  readonly format: EventFormat;
  readonly bound_to: string | null;
  readonly sealed_event: string;
}

/**
 * Judges events of the quarantine by the current table, with the time at which they were received. Events of forbidden
 * subjects stay in the quarantine.
 */
export async function replay(
  parts: {
    readonly database: Database;
    readonly sealing: Sealing;
    readonly table: () => EventTable;
    readonly writer: Pick<LogWriter, 'write'>;
    readonly limits?: Partial<Record<keyof typeof REPLAY_LIMITS, number>>;
  },
  spec: ReplaySpec,
): Promise<Omit<ReplayStatus, 'by'>> {
  const { eventsMax, eventsAtOnce } = { ...REPLAY_LIMITS, ...parts.limits };
  if (spec.since !== undefined && timeMs(spec.since) === undefined) throw badSince();
  const status = { accepted: 0, duplicates: 0, quarantined: 0 };
  let after = spec.continue === undefined ? 0 : Number(spec.continue.slice(NAME_PREFIX.length));
  for (let judged = 0; judged < eventsMax; judged += eventsAtOnce) {
    const rows = await waitingRows(parts.database, spec, after, eventsAtOnce);
    for (const result of await judgeAnew(rows)) {
      if (result?.outcome === 'accepted') status.accepted += 1;
      if (result?.outcome === 'duplicate') status.duplicates += 1;
      if (result?.outcome === 'quarantined') status.quarantined += 1;
    }
    if (rows.length < eventsAtOnce) return { ...status, complete: true };
    after = rows.at(-1)?.number ?? after;
  }
  return { ...status, complete: false, continue: `${NAME_PREFIX}${after}` };

  async function judgeAnew(rows: readonly Row[]) {
    const table = parts.table();
    const batches = new Map<string, { origin: Origin; verdicts: Verdict[]; replayOf: number[] }>();
    for (const { number, received_at: receivedAt, sent_at: sentAt, client, format, ...row } of rows) {
      const boundTo = row.bound_to ?? undefined;
      const receivedMs = receivedAt.epochMilliseconds;
      const sentMs = sentAt?.epochMilliseconds;
      const key = JSON.stringify([client, boundTo, sentMs, receivedMs]);
      const origin = { client, producer: PRODUCER, sequence: undefined, boundTo, sentMs, receivedMs };
      const batch = batches.get(key) ?? { origin, verdicts: [], replayOf: [] };
      batches.set(key, batch);
      const original: unknown = JSON.parse(parts.sealing.open(placeOf(format), row.sealed_event));
      const envelope = { client, boundTo, sentMs, receivedMs };
      batch.verdicts.push(judge(table, readEvent(format, original, table), envelope));
      batch.replayOf.push(number);
    }
    const results = await Promise.all([...batches.values()].map((batch) => parts.writer.write(batch)));
    return results.flat();
  }
}

function badSince(): Refusal {
  const detail = 'must be a time as in RFC 3339, from 1970 to 9999, like 2026-05-01T12:00:00Z';
  return eventRefusal('bad-time', `spec.since: ${detail}.`, {
    problems: [{ path: ['spec', 'since'], reason: 'FieldValueInvalid', detail }],
  });
}

function waitingRows(
  database: Database,
  { type, reason, since }: ReplaySpec,
  after: number,
  rowsMax: number,
): Promise<Row[]> {
  return database.query({
    text: `
      select number, received_at, sent_at, client, format, bound_to, sealed_event
      from backline.event_quarantine
      where replayed_at is null and sealed_event is not null and number > $1 and reason <> 'subject-forbidden'
        and ($2::text is null or type = $2) and reason is distinct from $3 and ($4::text is null or reason = $4)
        and ($5::timestamptz is null or received_at >= $5)
      order by number limit $6`,
    values: [
      after,
      type ?? null,
      // Its digest is forgotten after some days: the event would then be accepted as new, so a caller has to ask for it.
      reason === undefined ? 'id-reused' : null,
      reason ?? null,
      since ?? null,
      rowsMax,
    ],
  });
}
