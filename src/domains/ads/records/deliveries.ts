import type { Clock } from '#kernel/base/clock.ts';
import { Unavailable } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Eraser } from '#kernel/events/erasure.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { openGroup } from '#kernel/quotas/group.ts';
import type { AdSetMoney } from '../decisions/table.ts';
import { adRefusal } from '../refusals.ts';
import { eventBefore, isPaid, rankOfEvent, type AdEvent } from '../rules/ad-events.ts';
import { TOKEN_LIMITS, type AdToken } from '../serving/ad-token.ts';
import { dropOldErasures, ERASED_LIMITS, erasedKeyOf, eraseListener } from './erased-listeners.ts';
import { chargeLateEvents, type ChargeLate, type LateCharges } from './late-charges.ts';

const LIMITS = {
  /** How long an event waits for the one before it: beacons overtake each other by seconds. */
  heldMs: 60_000,
  /** Events that one statement releases, and statements of one look: the next look goes on. */
  releasedMax: 1_000,
  roundsMax: 20,
  /** A reservation is charged until so long before it ends: what is claimed by then is durable when its slice is settled. */
  marginMs: 15_000,
  /** Rows are kept so much longer than tokens live: a replay that arrives with the end of its token is still seen. */
  keptMs: TOKEN_LIMITS.lifetimeMs + 24 * 3_600_000,
  /** Rows that are dropped at once. */
  droppedMax: 10_000,
} as const;

/** An event that a player reports. */
export interface AdReport {
  readonly token: AdToken;
  readonly event: AdEvent;
  /** The VAST error code of an error. */
  readonly code?: number | undefined;
  /** The budgets of its ad set as they are now; undefined when it is gone. */
  readonly money?: AdSetMoney | undefined;
}

/** `held`: it counts when the event before it comes within a minute. */
export type ReportOutcome = 'counted' | 'duplicate' | 'held' | 'expired';

export interface Deliveries {
  /** Counts an event once, however often it is reported. Resolves when it is durable. */
  readonly count: (report: AdReport, signal?: AbortSignal) => Promise<ReportOutcome>;
  /** When the event counted first, by the time of the database; undefined where it has not. */
  readonly countedMs: (report: AdReport) => Promise<number | undefined>;
  /** Counts held events whose turn has come, drops those that waited too long, and settles late ones. */
  readonly settle: () => Promise<Settlement>;
  readonly erasers: readonly Eraser[];
  readonly tidy: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Settlement extends LateCharges {
  /** Held ones that count now. */
  readonly released: readonly AdEvent[];
  readonly dropped: readonly AdEvent[];
}

interface DeliveriesParts {
  readonly database: Database;
  /** Instead of the time of the database, for tests. */
  readonly clock: Clock | undefined;
  readonly chargeLate: ChargeLate;
  /** Of the keys of erased listeners; the same in all processes of the installation. */
  readonly secret: Buffer;
  readonly log: Log;
}

export function openDeliveries(parts: DeliveriesParts): Deliveries {
  const { database, clock, log } = parts;
  const group = openGroup<AdReport>((reports) => claimInRanks(parts, reports), notStoredRefusal);
  return {
    count: (report, signal) => group.ask(report, (outcome) => outcome as ReportOutcome, signal),
    countedMs: async ({ token: { decision, place }, event }) => {
      const [row] = await database.query<{ ms: number }>({
        text: `select (extract(epoch from at) * 1000)::float8 as ms from backline.ad_deliveries
          where decision = $1 and place = $2 and event = $3 and state <> 'held'`,
        values: [decision, place, event],
      });
      return row?.ms;
    },
    settle: () => settleNow(parts),
    erasers: [{ store: 'ad-deliveries', erase: (subject) => eraseListener(parts, subject) }],
    tidy: async () => {
      await dropOld(database, clock);
      await dropOldErasures(parts);
    },
    close: () => group.close(),
  };

  function notStoredRefusal(error: unknown): Error {
    log.error({ err: error }, 'ad events: cannot commit; reports answered 503');
    const why = error instanceof Unavailable ? error.message : 'The database did not confirm them.';
    return adRefusal('events-not-stored', why, { retryAfterSeconds: 1 });
  }
}

/** Claims events in the order of a play: those that come after others see them in the table. */
async function claimInRanks(
  { database, clock, secret }: DeliveriesParts,
  reports: readonly AdReport[],
): Promise<readonly ReportOutcome[]> {
  const outcomes: ReportOutcome[] = reports.map(() => 'duplicate');
  const firsts = new Map<string, number>();
  for (const [position, report] of reports.entries()) {
    const key = keyOf(report);
    if (!firsts.has(key)) firsts.set(key, position);
  }
  const byRank = Map.groupBy(firsts.values(), (position) => rankOfEvent((reports[position] as AdReport).event));
  for (const rank of [...byRank.keys()].toSorted((a, b) => a - b)) {
    const given = (byRank.get(rank) ?? []).map((position) => givenRow(position, reports[position] as AdReport, secret));
    const rows = await database.query<{ position: number; state: string | null; expired: boolean }>({
      name: 'claim-ad-events',
      text: CLAIM,
      values: [JSON.stringify(given), clock?.().toString() ?? null],
    });
    for (const { position, state, expired } of rows) {
      if (state !== null) outcomes[position] = state === 'held' ? 'held' : 'counted';
      else if (expired) outcomes[position] = 'expired';
    }
  }
  // One that repeats what has expired repeats nothing that counted.
  return reports.map((report, position) => {
    const first = outcomes[firsts.get(keyOf(report)) ?? position];
    return first === 'expired' ? first : (outcomes[position] ?? 'duplicate');
  });
}

function keyOf({ token, event }: AdReport): string {
  return `${token.decision} ${token.place} ${event}`;
}

function givenRow(position: number, { token, event, code, money }: AdReport, secret: Buffer): object {
  const { decision, place, slice, micros, goal, reservedUntilMs, issuedMs, expiresMs, subject } = token;
  return {
    position,
    decision,
    place,
    event,
    before: eventBefore(event) ?? null,
    micros: isPaid(event, goal) ? micros : 0,
    slice: slice ?? null,
    reserved_until: Temporal.Instant.fromEpochMilliseconds(reservedUntilMs),
    expires: Temporal.Instant.fromEpochMilliseconds(expiresMs),
    code: code ?? null,
    listener: subject.listener === undefined ? null : erasedKeyOf(secret, subject.listener),
    issued: Temporal.Instant.fromEpochMilliseconds(issuedMs),
    token,
    limits: money ?? null,
  };
}

/** The state of an event that counts at `at`. */
const stateAt = (at: string): string => `case
  when micros = 0 then 'none'
  when slice is not null and reserved_until - ${LIMITS.marginMs} * interval '1 millisecond' > ${at} then 'charged'
  else 'late'
end`;

/** Whether a reservation stands is looked at with the time of the statement that charges it. */
const CLAIM = `
  with given as materialized (
    select g.*, coalesce($2::timestamptz, now()) as at
    from jsonb_to_recordset($1::jsonb) as g (
      position integer, decision uuid, place smallint, event text, before text, micros bigint, slice text,
      reserved_until timestamptz, expires timestamptz, code smallint, listener text, issued timestamptz, token jsonb, limits jsonb
    )
  ), judged as (
    select *, before is not null and not exists (
      select from backline.ad_deliveries b
      where b.decision = given.decision and b.place = given.place and b.event = given.before and b.state <> 'held'
    ) as is_held
    from given where expires > at
  ), claimed as (
    insert into backline.ad_deliveries
      (decision, place, event, at, state, waits_for, micros, slice, reserved_until, code, token, limits)
    select decision, place, event, at, case when is_held then 'held' else ${stateAt('at')} end,
      case when is_held then before end, micros, slice, reserved_until, code,
      case when exists (
        select from backline.ad_erased_listeners e where e.key = decode(judged.listener, 'hex')
          and e.erased_at + ${ERASED_LIMITS.marginMs} * interval '1 millisecond' >= judged.issued
      ) then jsonb_set(token, '{subject}', '{}') else token end, limits
    from judged order by decision, place, event
    on conflict do nothing
    returning decision, place, event, state
  )
  select g.position, c.state, g.expires <= g.at as expired
  from given g left join claimed c using (decision, place, event)`;

async function settleNow(parts: DeliveriesParts): Promise<Settlement> {
  const { database, clock } = parts;
  const now = clock?.().toString() ?? null;
  const released: AdEvent[] = [];
  // A start lets what follows it go in the next round.
  for (let round = 1; round <= LIMITS.roundsMax; round += 1) {
    const rows = await database.query<{ event: AdEvent }>({
      name: 'release-ad-events',
      text: RELEASE,
      values: [now],
    });
    released.push(...rows.map(({ event }) => event));
    if (rows.length === 0) break;
  }
  const dropped = await database.query<{ event: AdEvent }>({
    name: 'drop-ad-events',
    text: `
      delete from backline.ad_deliveries
      where state = 'held' and at < coalesce($1::timestamptz, now()) - $2 * interval '1 millisecond'
      returning event`,
    values: [now, LIMITS.heldMs],
  });
  const late = await chargeLateEvents(parts);
  return { released, dropped: dropped.map(({ event }) => event), ...late };
}

/** The event before must have come while this one waited: what came later is another play, or made up. */
const RELEASE = `
  with time as (select coalesce($1::timestamptz, now()) as at), due as (
    select h.decision, h.place, h.event, time.at as now
    from backline.ad_deliveries h
    join backline.ad_deliveries b
      on b.decision = h.decision and b.place = h.place and b.event = h.waits_for and b.state <> 'held'
    cross join time
    where h.state = 'held' and b.at <= h.at + ${LIMITS.heldMs} * interval '1 millisecond'
    order by h.decision, h.place, h.event
    limit ${LIMITS.releasedMax}
  )
  update backline.ad_deliveries h
  set waits_for = null, state = ${stateAt('due.now')}
  from due
  where h.decision = due.decision and h.place = due.place and h.event = due.event and h.state = 'held'
  returning h.event`;

/** Micro-units that were charged to each slice. */
export async function readEvidence(
  { query }: Database,
  slices: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await query<{ slice: string; micros: number }>({
    text: `select slice, sum(micros)::bigint as micros from backline.ad_deliveries
      where state = 'charged' and slice = any ($1::text[]) group by slice`,
    values: [slices],
  });
  return new Map(rows.map(({ slice, micros }) => [slice, micros]));
}

/** Micro-units of these ad sets that are not in the event log yet: those that were charged, and those that may be. */
export async function readUnlogged(
  { query }: Database,
  adSets: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await query<{ adSet: string; micros: number }>({
    text: `select token ->> 'adSet' as "adSet", sum(micros)::bigint as micros from backline.ad_deliveries
      where not is_logged and state in ('charged', 'late') and token ->> 'adSet' = any ($1::text[]) group by 1`,
    values: [adSets],
  });
  return new Map(rows.map(({ adSet, micros }) => [adSet, micros]));
}

async function dropOld(database: Database, clock: Clock | undefined): Promise<void> {
  for (;;) {
    const rows = await database.patient.query({
      text: `
        delete from backline.ad_deliveries where ctid = any (array(
          select ctid from backline.ad_deliveries
          where at < coalesce($1::timestamptz, now()) - $2 * interval '1 millisecond' and is_logged
          limit $3
        )) returning place`,
      values: [clock?.().toString() ?? null, LIMITS.keptMs, LIMITS.droppedMax],
    });
    if (rows.length < LIMITS.droppedMax) return;
  }
}
