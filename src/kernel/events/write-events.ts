import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { AS_WRITER } from './event-days.ts';
import type { EventDigests } from './digest.ts';
import type { AcceptedEvent, QuarantineReason, QuarantinedEvent } from './judge.ts';
import type { KeptEvent } from './kept-event.ts';
import type { Lane } from './lane.ts';
import { ROOM, takeRoom } from './quarantine-room.ts';
import type { SubjectKey } from './subject-key.ts';

/** Properties that all events of a batch share. */
export interface Origin {
  readonly client: string;
  readonly producer: string;
  readonly sequence: number | undefined;
  /** The one subject that the sender may name; absent: any. */
  readonly boundTo?: string | undefined;
  readonly sentMs: number | undefined;
  readonly receivedMs: number;
}

/** One event, ready to be written. */
export type ReadyEvent = {
  readonly origin: Origin;
  /** The number of a replayed event in the quarantine. */
  readonly replayOf: number | undefined;
  /** Seals the event for the quarantine, in case it is not accepted. */
  readonly seal: () => KeptEvent;
} & (
  | {
      readonly verdict: QuarantinedEvent;
      /** The digests of an event that came too late: it is a duplicate if it was accepted before. */
      readonly late?: EventDigests | undefined;
    }
  | {
      readonly verdict: AcceptedEvent;
      readonly digests: EventDigests;
      readonly key: SubjectKey | undefined;
      readonly payload: string;
    }
);

/** The outcome of an event. */
export type EventResult =
  | { readonly outcome: 'accepted' | 'duplicate' }
  | { readonly outcome: 'quarantined'; readonly reason: QuarantineReason; readonly detail: string };

export type WriteResult =
  /** A replayed event that was meanwhile replayed elsewhere or erased has no result. */
  | { readonly is: 'written'; readonly day: string; readonly results: readonly (EventResult | undefined)[] }
  /** Nothing was written, because these pseudonyms were erased. */
  | { readonly is: 'stale'; readonly pseudonyms: ReadonlySet<string> };

/**
 * Writes events in one transaction: each id once, all counted. Durable when it resolves. Uses the current day of the
 * database, whatever day the caller's clock has.
 */
export function writeEvents(lane: Lane, events: readonly ReadyEvent[], nowMs: number): Promise<WriteResult> {
  return lane.transaction(async (connection): Promise<WriteResult> => {
    await connection.query(AS_WRITER);
    const { day, stale } = await readDay(connection, events);
    if (stale.length > 0) return { is: 'stale', pseudonyms: new Set(stale) };
    const isPresent = await lockReplayed(connection, events);
    const fingerprints = await claimDigests(connection, events.filter(isPresent), day);
    const before = await readLateFingerprints(connection, events.filter(isPresent));
    const results = events.map((event): EventResult | undefined => {
      if (!isPresent(event)) return undefined;
      const { verdict } = event;
      const late = 'late' in event ? event.late : undefined;
      if (late !== undefined && before.get(late.digest) === late.fingerprint) return { outcome: 'duplicate' };
      if (verdict.outcome === 'quarantined')
        return { outcome: 'quarantined', reason: verdict.reason, detail: verdict.detail };
      const { digest, fingerprint } = 'digests' in event ? event.digests : { digest: '', fingerprint: '' };
      const seen = fingerprints.get(digest);
      if (seen === undefined) {
        fingerprints.set(digest, fingerprint);
        return { outcome: 'accepted' };
      }
      if (seen === fingerprint) return { outcome: 'duplicate' };
      const days = verdict.rules.rememberedDays;
      const detail = `${verdict.given.places.id}: an event with this id, of the same type, was sent with other content within ${days} days`;
      return { outcome: 'quarantined', reason: 'id-reused', detail };
    });
    const aside = await setAside(connection, events, results, day);
    await writeRows(connection, day, { events, results, aside });
    await settleReplays(connection, events, results, nowMs);
    return { is: 'written', day, results };
  });
}

/** Reads the current day, and which pseudonyms were erased. Erasures wait for the end of this transaction. */
async function readDay(
  connection: Queryable,
  events: readonly ReadyEvent[],
): Promise<{ readonly day: string; readonly stale: readonly string[] }> {
  const pseudonyms = new Set(events.flatMap((event) => ('key' in event ? (event.key?.pseudonym ?? []) : [])));
  const [row] = await connection.query<{ day: string; stale: readonly string[] }>({
    name: 'look-before-events',
    text: `
      select day::text, array(
        select p from unnest($1::text[]) p
        where not exists (select from backline.pseudonyms where pseudonym = p::uuid)
      ) as stale
      from backline.event_day`,
    values: [textArray([...pseudonyms])],
  });
  if (row === undefined) throw new Error('backline.event_day has no row');
  return row;
}

/** Locks the quarantined events that are replayed; gives whether an event is new or still waits for its replay. */
async function lockReplayed(
  connection: Queryable,
  events: readonly ReadyEvent[],
): Promise<(event: ReadyEvent) => boolean> {
  const numbers = events.flatMap(({ replayOf }) => replayOf ?? []);
  if (numbers.length === 0) return () => true;
  const rows = await connection.query<{ number: number }>({
    text: `
      select number from backline.event_quarantine where number = any ($1::bigint[]) and replayed_at is null
      order by number for update`,
    values: [bigintArray(numbers)],
  });
  const waiting = new Set(rows.map(({ number }) => number));
  return ({ replayOf }) => replayOf === undefined || waiting.has(replayOf);
}

/** Claims digests for this transaction; gives the fingerprints of those that were claimed before. */
async function claimDigests(
  connection: Queryable,
  events: readonly ReadyEvent[],
  day: string,
): Promise<Map<string, string>> {
  const first = new Map<string, string>();
  for (const event of events) {
    if ('digests' in event && !first.has(event.digests.digest))
      first.set(event.digests.digest, event.digests.fingerprint);
  }
  if (first.size === 0) return new Map();
  const days = Math.max(...events.map((event) => ('digests' in event ? event.verdict.rules.rememberedDays : 0)));
  // Sorted, so that two writers with the same ids cannot deadlock.
  const digests = [...first.keys()].sort();
  const fingerprints = digests.map((digest) => first.get(digest) ?? '');
  const unclaimed = await connection.query<{ digest: string }>({
    name: 'claim-events',
    text: `
      with given as materialized (
        select digest::uuid, fingerprint::uuid from unnest($2::text[], $3::text[]) as g (digest, fingerprint)
      ), claimed as (
        insert into backline.event_ids (day, digest, fingerprint)
        select $1::date, digest, fingerprint from given g
        where not exists (
          select from backline.event_ids e
          where e.digest = g.digest and e.day >= $1::date - $4::integer and e.day < $1::date
        )
        order by digest
        on conflict do nothing
        returning digest
      )
      select digest::text from given g where not exists (select from claimed c where c.digest = g.digest)`,
    values: [day, textArray(digests), textArray(fingerprints), days],
  });
  if (unclaimed.length === 0) return new Map();
  // Only a new statement sees them: the one above may have waited for the transaction that wrote them.
  const rows = await connection.query<{ digest: string; fingerprint: string }>({
    name: 'read-fingerprints',
    text: `
      select digest::text, fingerprint::text from backline.event_ids
      where digest = any ($2::text[]::uuid[]) and day >= $1::date - $3::integer and day <= $1::date`,
    values: [day, textArray(unclaimed.map(({ digest }) => digest)), days],
  });
  if (rows.length < unclaimed.length) throw new Error('an event was neither new nor seen before');
  return new Map(rows.map(({ digest, fingerprint }) => [stripHyphens(digest), stripHyphens(fingerprint)]));
}

/** The fingerprints of late events whose ids are still remembered. Claims nothing. */
async function readLateFingerprints(
  connection: Queryable,
  events: readonly ReadyEvent[],
): Promise<ReadonlyMap<string, string>> {
  const digests = events.flatMap((event) => ('late' in event ? (event.late?.digest ?? []) : []));
  if (digests.length === 0) return new Map();
  const rows = await connection.query<{ digest: string; fingerprint: string }>({
    name: 'read-late-fingerprints',
    text: `
      select digest::text, fingerprint::text from backline.event_ids where digest = any ($1::text[]::uuid[])`,
    values: [textArray(digests)],
  });
  return new Map(rows.map(({ digest, fingerprint }) => [stripHyphens(digest), stripHyphens(fingerprint)]));
}

function stripHyphens(uuid: string): string {
  return uuid.replaceAll('-', '');
}

interface Aside {
  readonly event: ReadyEvent;
  readonly reason: string;
  readonly detail: string;
  readonly kept: KeptEvent;
}

/** Selects the events for the quarantine, and marks in the results those that are not kept. */
async function setAside(
  connection: Queryable,
  events: readonly ReadyEvent[],
  results: (EventResult | undefined)[],
  day: string,
): Promise<readonly Aside[]> {
  const refused = events.flatMap((event, index) => {
    const result = results[index];
    const isNew = result?.outcome === 'quarantined' && event.replayOf === undefined;
    return isNew ? [{ event, index, result, kept: event.seal() }] : [];
  });
  if (refused.length === 0) return [];
  const sizes = refused.map(({ event, kept }) => ({ client: event.origin.client, bytes: bytesOf(kept) }));
  const hasRoom = await takeRoom(connection, day, sizes);
  return refused.flatMap(({ event, index, result, kept }, at): readonly Aside[] => {
    const { reason, detail } = result;
    if (hasRoom[at] !== true) {
      const why = `; not kept: the daily limit of a sender is ${ROOM.eventsMax} events and ${ROOM.bytesMax} bytes`;
      results[index] = { ...result, detail: detail + why };
      return [];
    }
    if (kept.sealed !== undefined) return [{ event, reason, detail, kept }];
    const withHint = `${detail}; its content is too large to be kept for a replay`;
    results[index] = { ...result, detail: withHint };
    return [{ event, reason, detail: withHint, kept }];
  });
}

/** Approximate bytes of a row. */
function bytesOf({ sealed = '', tokens }: KeptEvent): number {
  return 500 + sealed.length + 16 * tokens.length;
}

/** Stands for an absent time or sequence: the binary arrays have no nulls. */
const NO_TIME = Number.MIN_SAFE_INTEGER;

async function writeRows(
  connection: Queryable,
  day: string,
  group: {
    readonly events: readonly ReadyEvent[];
    readonly results: readonly (EventResult | undefined)[];
    readonly aside: readonly Aside[];
  },
): Promise<void> {
  const { events, results, aside } = group;
  const logged = events.flatMap((event, index) =>
    results[index]?.outcome === 'accepted' && 'payload' in event ? [event] : [],
  );
  const counts = countsOf(events, results);
  await connection.query({
    name: 'write-events',
    text: `
      with logged as (
        insert into backline.event_log
          (day, type, id, client, pseudonym, event_at, sent_at, received_at, corrected_at, revision, payload)
        select $1::date, type, id, client, nullif(pseudonym, '')::uuid, to_timestamp(at / 1000.0),
          to_timestamp(nullif(sent, ${NO_TIME}) / 1000.0), to_timestamp(received / 1000.0),
          to_timestamp(corrected / 1000.0), revision, payload
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
          $9::bigint[], $10::text[], $11::text[])
          as e (type, id, client, pseudonym, at, sent, received, corrected, revision, payload)
      ), quarantined as (
        insert into backline.event_quarantine
          (received_at, sent_at, client, format, type, id, bound_to, reason, detail, sealed_event, tokens)
        select to_timestamp(received / 1000.0), to_timestamp(nullif(sent, ${NO_TIME}) / 1000.0), client, format, type,
          id, nullif(bound, ''), reason, detail, nullif(sealed, ''), tokens::bigint[]
        from unnest($12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
          $19::text[], $20::text[], $21::text[], $30::text[])
          as q (received, sent, client, format, type, id, bound, reason, detail, sealed, tokens)
      )
      insert into backline.event_batches
        (received_at, client, producer, sequence, type, accepted, duplicates, quarantined)
      select to_timestamp(received / 1000.0), client, producer, nullif(sequence, ${NO_TIME}), type, accepted, duplicates,
        quarantined
      from unnest($22::bigint[], $23::text[], $24::text[], $25::bigint[], $26::text[], $27::bigint[], $28::bigint[],
        $29::bigint[])
        as b (received, client, producer, sequence, type, accepted, duplicates, quarantined)`,
    values: [
      day,
      textArray(logged.map(({ verdict }) => verdict.rules.type)),
      textArray(logged.map(({ verdict }) => verdict.id)),
      textArray(logged.map(({ origin }) => origin.client)),
      textArray(logged.map(({ key }) => key?.pseudonym ?? '')),
      bigintArray(logged.map(({ verdict }) => verdict.atMs)),
      bigintArray(logged.map(({ origin }) => origin.sentMs ?? NO_TIME)),
      bigintArray(logged.map(({ origin }) => origin.receivedMs)),
      bigintArray(logged.map(({ verdict }) => verdict.correctedMs)),
      textArray(logged.map(({ verdict }) => verdict.rules.revision)),
      textArray(logged.map(({ payload }) => payload)),
      bigintArray(aside.map(({ event }) => event.origin.receivedMs)),
      bigintArray(aside.map(({ event }) => event.origin.sentMs ?? NO_TIME)),
      textArray(aside.map(({ event }) => event.origin.client)),
      textArray(aside.map(({ event }) => event.verdict.given.format)),
      textArray(aside.map(({ event }) => typeOf(event))),
      textArray(aside.map(({ event }) => event.verdict.id)),
      textArray(aside.map(({ event }) => event.origin.boundTo ?? '')),
      textArray(aside.map(({ reason }) => reason)),
      textArray(aside.map(({ detail }) => detail)),
      textArray(aside.map(({ kept }) => kept.sealed ?? '')),
      bigintArray(counts.map(({ origin }) => origin.receivedMs)),
      textArray(counts.map(({ origin }) => origin.client)),
      textArray(counts.map(({ origin }) => origin.producer)),
      bigintArray(counts.map(({ origin }) => origin.sequence ?? NO_TIME)),
      textArray(counts.map(({ type }) => type)),
      bigintArray(counts.map(({ accepted }) => accepted)),
      bigintArray(counts.map(({ duplicate }) => duplicate)),
      bigintArray(counts.map(({ quarantined }) => quarantined)),
      textArray(aside.map(({ kept }) => `{${kept.tokens.join()}}`)),
    ],
  });
}

/** The name of the type as far as it is readable, known or not. */
function typeOf({ verdict }: ReadyEvent): string {
  return verdict.outcome === 'accepted' ? verdict.rules.type : verdict.type;
}

interface Count {
  readonly origin: Origin;
  readonly type: string;
  accepted: number;
  duplicate: number;
  quarantined: number;
}

/** Counts of each batch and known type. */
function countsOf(events: readonly ReadyEvent[], results: readonly (EventResult | undefined)[]): readonly Count[] {
  const byOrigin = new Map<Origin, Map<string, Count>>();
  for (const [index, { origin, verdict }] of events.entries()) {
    const outcome = results[index]?.outcome;
    if (outcome === undefined) continue;
    const type = verdict.outcome === 'accepted' ? verdict.rules.type : verdict.countedAs;
    const byType = byOrigin.get(origin) ?? new Map<string, Count>();
    byOrigin.set(origin, byType);
    const count = byType.get(type) ?? { origin, type, accepted: 0, duplicate: 0, quarantined: 0 };
    byType.set(type, count);
    count[outcome] += 1;
  }
  return [...byOrigin.values()].flatMap((byType) => [...byType.values()]);
}

/** Marks replayed events as accepted, or updates why they are not. */
async function settleReplays(
  connection: Queryable,
  events: readonly ReadyEvent[],
  results: readonly (EventResult | undefined)[],
  nowMs: number,
): Promise<void> {
  const replayed = events.flatMap(({ replayOf }, index) => {
    const result = results[index];
    return replayOf === undefined || result === undefined ? [] : [{ number: replayOf, result }];
  });
  if (replayed.length === 0) return;
  const quarantined = replayed.map(({ result }) => (result.outcome === 'quarantined' ? result : undefined));
  await connection.query({
    text: `
      update backline.event_quarantine q set
        replayed_at = case when r.reason = '' then to_timestamp($4::bigint / 1000.0) end,
        reason = coalesce(nullif(r.reason, ''), q.reason), detail = coalesce(nullif(r.detail, ''), q.detail)
      from unnest($1::bigint[], $2::text[], $3::text[]) as r (number, reason, detail)
      where q.number = r.number`,
    values: [
      bigintArray(replayed.map(({ number }) => number)),
      textArray(quarantined.map((result) => result?.reason ?? '')),
      textArray(quarantined.map((result) => result?.detail ?? '')),
      nowMs,
    ],
  });
}
