import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { AdSetMoney } from '../decisions/table.ts';

const LIMITS = {
  /** Late events that are claimed at once. */
  claimedMax: 200,
  /** Accounts that are charged at once. */
  accountsMax: 10,
  /** Claims of one look: the next look goes on. */
  roundsMax: 20,
  /** A late event is claimed for so long; then it is tried again. The key of its charge makes a second one harmless. */
  claimMs: 60_000,
} as const;

/** Charges a price that is no longer reserved; false: there is no room. Repeated under its key after a failure. */
export type ChargeLate = (adSet: { readonly money: AdSetMoney }, micros: number, key: string) => Promise<boolean>;

/** How many late events were charged, and for how many there was no room. */
export interface LateCharges {
  readonly charged: number;
  readonly free: number;
}

interface LateParts {
  readonly database: Database;
  /** Instead of the time of the database, for tests. */
  readonly clock: Clock | undefined;
  readonly chargeLate: ChargeLate;
  readonly log: Log;
}

interface LateEvent {
  readonly decision: string;
  readonly place: number;
  readonly event: string;
  readonly micros: number;
  readonly limits: AdSetMoney | null;
}

type SettledLate = Pick<LateEvent, 'decision' | 'place' | 'event'> & { readonly state: 'charged' | 'free' };

/**
 * Charges late events where there is room. Charges go to other databases, so no transaction is open meanwhile. A charge that
 * fails leaves its event late, and the rest of its account for the next look: an account that is away holds back no other.
 */
export async function chargeLateEvents(parts: LateParts): Promise<LateCharges> {
  const counts = { charged: 0, free: 0 };
  const failed = new Set<string>();
  for (let round = 1; round <= LIMITS.roundsMax; round += 1) {
    const claimed = await claimLate(parts, [...failed]);
    const accounts = Map.groupBy(claimed, accountOf);
    const rest = [...accounts];
    // Each takes the next account: a slow one holds up no other.
    const chargeNext = async (): Promise<void> => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        const [account, events] = next;
        const { settled, isAway } = await chargeAccount(parts, events);
        if (isAway) failed.add(account);
        for (const { state } of settled) counts[state] += 1;
      }
    };
    await Promise.all(Array.from({ length: LIMITS.accountsMax }, chargeNext));
    if (claimed.length < LIMITS.claimedMax) break;
  }
  return counts;
}

function accountOf({ limits }: LateEvent): string {
  return limits?.account ?? '';
}

/** Events that were not tried yet come first, so those that fail again and again hold up none. */
function claimLate({ database, clock }: LateParts, failed: readonly string[]): Promise<LateEvent[]> {
  return database.patient.query<LateEvent>({
    text: `
      with time as (select coalesce($1::timestamptz, now()) as at), due as (
        select decision, place, event from backline.ad_deliveries, time
        where state = 'late' and (tried_at is null or tried_at <= time.at - ${LIMITS.claimMs} * interval '1 millisecond')
          and not coalesce(limits ->> 'account', '') = any ($2::text[])
        order by tried_at nulls first, ad_deliveries.at limit ${LIMITS.claimedMax} for update of ad_deliveries skip locked
      )
      update backline.ad_deliveries d set tried_at = time.at from due, time
      where d.decision = due.decision and d.place = due.place and d.event = due.event
      returning d.decision, d.place, d.event, d.micros, d.limits`,
    values: [clock?.().toString() ?? null, failed],
  });
}

/** Charges events of one account until a charge fails. */
async function chargeAccount(
  { database, chargeLate, log }: LateParts,
  events: readonly LateEvent[],
): Promise<{ readonly settled: readonly SettledLate[]; readonly isAway: boolean }> {
  const settled: SettledLate[] = [];
  for (const [index, { decision, place, event, micros, limits }] of events.entries()) {
    try {
      const key = `${decision}.${place}.${event}`;
      const isCharged = limits !== null && (await chargeLate({ money: limits }, micros, key));
      settled.push({ decision, place, event, state: isCharged ? 'charged' : 'free' });
    } catch (error) {
      log.warn({ err: error, account: limits?.account }, 'ad events: cannot charge a late event; retrying');
      await giveUpClaims(database, events.slice(index + 1));
      return { settled: await storeStates(database, settled), isAway: true };
    }
  }
  return { settled: await storeStates(database, settled), isAway: false };
}

/** They are in the ledger by themselves: for their slices they are no evidence. */
function storeStates(database: Database, settled: readonly SettledLate[]): Promise<SettledLate[]> {
  return database.patient.query<SettledLate>({
    text: `
      update backline.ad_deliveries d set state = g.state, slice = null, tried_at = null
      from jsonb_to_recordset($1::jsonb) as g (decision uuid, place smallint, event text, state text)
      where d.decision = g.decision and d.place = g.place and d.event = g.event and d.state = 'late'
      returning d.decision, d.place, d.event, d.state`,
    values: [JSON.stringify(settled)],
  });
}

async function giveUpClaims(database: Database, events: readonly LateEvent[]): Promise<void> {
  await database.patient.query({
    text: `
      update backline.ad_deliveries d set tried_at = null
      from jsonb_to_recordset($1::jsonb) as g (decision uuid, place smallint, event text)
      where d.decision = g.decision and d.place = g.place and d.event = g.event and d.state = 'late'`,
    values: [JSON.stringify(events.map(({ decision, place, event }) => ({ decision, place, event })))],
  });
}
