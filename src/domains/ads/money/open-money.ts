import { randomUUID } from 'node:crypto';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { repeat } from '#kernel/base/repeat.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Budget, Quotas, SliceUnits } from '#kernel/quotas/rules/contract.ts';
import { windowAt } from '#kernel/quotas/rules/window.ts';
import type { HoldBack } from '../decisions/decide.ts';
import type { CompiledAdSet, MoneyLimit } from '../decisions/table.ts';
import { mostCharged } from '../rules/goals.ts';
import { rebase, releasedAt, findRelease, type Spread } from '../rules/pacing.ts';
import { bucketOf, sourcesOf, subjectOf, withLimit } from './budget-sources.ts';
import type { Money, Reservation } from './money.ts';
import { openLedgerCurrencies, type LedgerCurrencies } from './ledger-currencies.ts';
import { openPacingBases } from './pacing-base.ts';
import { planCurve } from './plan-curve.ts';
import { openTraffic } from './traffic.ts';

const MONEY_LIMITS = {
  /** A slice is reserved from for so long; a lowered budget is kept at once all the same. */
  usableMs: 60_000,
  /** How long after a decision its event is charged to the reservation; an event that is later is charged if there is room. */
  tokenMs: 15 * 60_000,
  /** An evenly paced budget that has nothing released asks again after so long at the earliest, and at the latest. */
  paceMs: { least: 10_000, most: 300_000 },
  /** Reasons of denials that are remembered for answers. */
  denialsMax: 100_000,
  /** How often ended slices are settled … */
  settleMs: 5_000,
  /** … in so many rounds of up to 1,000 slices: more than a node takes in that time. */
  settleRounds: 50,
  /** How often counted traffic is written. */
  trafficMs: 60_000,
  /** How often the expected traffic is read. */
  meansMs: 900_000,
  /** Of a flight without a beginning, the even rate is that of the last so long. */
  flightMs: 28 * 86_400_000,
} as const;

/** Micro-units that were charged in these slices, by slice: of durable records. */
export type EvidenceOf = (slices: readonly string[]) => Promise<ReadonlyMap<string, number>>;

export interface OpenMoney extends Money {
  /** Reads the use of all limits of an ad set, in their order. */
  readonly readUse: (adSet: CompiledAdSet) => Promise<readonly LimitUse[]>;
  /** Charges the budget anew for an event that came after its reservation had ended. False: there is no room. */
  readonly chargeLate: (adSet: Pick<CompiledAdSet, 'money'>, micros: number, key: string) => Promise<boolean>;
  /** Closes slices that are over, and settles those that have ended; gives how many. Done every few seconds anyway. */
  readonly settle: () => Promise<number>;
  readonly tidy: (now: Temporal.Instant) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Use of one limit, in micro-units. Use is what was charged, and what is reserved for ads that may still play. */
export interface LimitUse extends MoneyLimit {
  readonly used: number;
  /** Of a budget that is paced: what may be used by now, and what would be by the plan at its beginning. */
  readonly pace?: { readonly released: number; readonly expected: number };
}

/** The budgets of ad sets, served from slices of the quotas of this installation. */
export function openMoney(parts: {
  readonly database: Database;
  readonly quotas: Quotas;
  readonly evidenceOf: EvidenceOf;
  /** The time that all nodes share: each paces by the same. */
  readonly clock: Clock;
  /** Instead of the steady clock of this process, for tests. */
  readonly steadyMs?: (() => number) | undefined;
  readonly log: Log;
}): OpenMoney {
  const { database, quotas, evidenceOf, clock, steadyMs, log } = parts;
  const nowMs = (): number => clock().epochMilliseconds;
  const slices = quotas.slices({
    name: `ads ${randomUUID()}`,
    usableMs: MONEY_LIMITS.usableMs,
    tokenMs: MONEY_LIMITS.tokenMs,
    ...(steadyMs === undefined ? {} : { steadyMs }),
  });
  const traffic = openTraffic(database);
  const bases = openPacingBases(database);
  const currencies = openLedgerCurrencies(database);
  const budgetParts = { quotas, bases, traffic, currencies, nowMs };
  const { budgetOf, reasonOf } = openBudgets(budgetParts);
  const warn = (message: string) => (error: unknown) => log.warn({ err: error }, message);
  const readMeans = (): Promise<void> => traffic.refresh(nowMs());
  const jobs = [
    repeat(MONEY_LIMITS.settleMs, settle, warn('ads: cannot settle slices of budgets; retrying')),
    repeat(MONEY_LIMITS.trafficMs, traffic.flush, warn('ads: cannot count traffic; some of it is lost')),
    repeat(MONEY_LIMITS.meansMs, readMeans, warn('ads: cannot read the expected traffic; using the last')),
  ];
  void readMeans().catch(warn('ads: cannot read the expected traffic; budgets are spread flat'));

  return {
    heldBack,
    prepare: (adSet) => {
      slices.prefetch(budgetOf(adSet), mostCharged(adSet));
      return heldBack(adSet);
    },
    reserve: (adSet, micros, beginWait) => {
      const budget = budgetOf(adSet);
      const units = slices.reserve(budget, micros);
      if (units !== undefined) return reservationOf(units);
      if (!slices.mayReserve(budget.id, micros)) return undefined;
      return slices.take(budget, micros, beginWait?.()).then((fetched) => fetched && reservationOf(fetched));
    },
    giveBack: ({ slice, micros, untilMs }) => slices.giveBack({ slice, amount: micros, untilMs }),
    countBreak: (placement, market) => traffic.count(placement, market, nowMs()),
    readUse: (adSet) => readUse(adSet, budgetOf(adSet), budgetParts),
    chargeLate: async ({ money }, micros, key) => {
      const items = sourcesOf(money).map((source) => ({ ...source, amount: micros }));
      const { outcome } = await quotas.batch({ subject: subjectOf(money), key: `late ${key}`, items });
      return outcome === 'granted';
    },
    settle,
    tidy: async (now) => {
      await bases.tidy(now);
      await traffic.tidy(now);
    },
    close: async () => {
      await Promise.all(jobs.map((stop) => stop()));
      await slices.close();
      await traffic.flush().catch(warn('ads: cannot count the last traffic'));
    },
  };

  function heldBack(adSet: CompiledAdSet): HoldBack | undefined {
    const { name } = adSet;
    if (slices.mayReserve(name, mostCharged(adSet))) return undefined;
    return slices.isUnknown(name) ? 'budget unknown' : reasonOf(name);
  }

  async function settle(): Promise<number> {
    await slices.waitForFetches();
    await slices.closeEnded();
    let settled = 0;
    for (let round = 0; round < MONEY_LIMITS.settleRounds; round += 1) {
      const done = await settleSlices({ quotas, evidenceOf, warn });
      settled += done;
      if (done === 0) break;
    }
    return settled;
  }
}

/** Settles slices that have ended; one that fails waits for the next time, and keeps nothing of the others. */
async function settleSlices({
  quotas,
  evidenceOf,
  warn,
}: {
  readonly quotas: Quotas;
  readonly evidenceOf: EvidenceOf;
  readonly warn: (message: string) => (error: unknown) => void;
}): Promise<number> {
  const ended = await quotas.endedSlices();
  if (ended.length === 0) return 0;
  const evidence = await evidenceOf(ended.map(({ key }) => key));
  const results = await Promise.allSettled(
    ended.map(({ subject, key }) => quotas.settleSlice({ subject, slice: key, settled: evidence.get(key) ?? 0 })),
  );
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  // Its node, or another process, was earlier.
  const failure = failures.find((error) => !(error instanceof Refusal && error.code === 'quotas/reservation-settled'));
  if (failure !== undefined) warn('ads: cannot settle slices of budgets; retrying')(failure);
  return ended.length - failures.length;
}

function reservationOf({ slice, amount, untilMs }: SliceUnits): Reservation {
  return { slice, micros: amount, untilMs };
}

interface BudgetParts {
  readonly quotas: Quotas;
  readonly bases: ReturnType<typeof openPacingBases>;
  readonly traffic: ReturnType<typeof openTraffic>;
  readonly currencies: LedgerCurrencies;
  readonly nowMs: () => number;
}

/** The budgets of compiled ad sets, and why each was denied the last time. */
function openBudgets(parts: BudgetParts): {
  readonly budgetOf: (adSet: CompiledAdSet) => Budget;
  readonly reasonOf: (id: string) => HoldBack;
} {
  const denials = new Map<string, HoldBack>();
  const budgets = new WeakMap<CompiledAdSet, Budget>();
  const deny = (adSet: string, reason: HoldBack): void => {
    if (denials.size >= MONEY_LIMITS.denialsMax) denials.clear();
    denials.set(adSet, reason);
  };
  return {
    budgetOf: (adSet) => {
      let budget = budgets.get(adSet);
      if (budget === undefined) {
        budget = budgetFor(adSet, parts, deny);
        budgets.set(adSet, budget);
      }
      return budget;
    },
    reasonOf: (id) => denials.get(id) ?? 'budget spent',
  };
}

function budgetFor(
  adSet: CompiledAdSet,
  { quotas, bases, traffic, currencies, nowMs }: BudgetParts,
  deny: (adSet: string, reason: HoldBack) => void,
): Budget {
  const { money, name } = adSet;
  const subject = subjectOf(money);
  const sources = sourcesOf(money);
  const pacedAt = pacedLimit(money);
  const [paced, pacedSource] = [money.limits[pacedAt], sources[pacedAt]];
  const curve = planCurve(adSet, traffic);
  let spread: Spread | undefined;
  let isOwnCurrency = true;
  return {
    id: name,
    subject,
    version: money.version,
    items: async () => {
      isOwnCurrency = (await currencies.find(money.account, money.currency)) === money.currency;
      // Money that was spent in another currency is no part of these limits.
      if (!isOwnCurrency) return withLimit(sources, 0, 0);
      if (paced === undefined || paced.limit === 'unlimited' || pacedSource === undefined) return sources;
      const now = nowMs();
      const time = spreadTime(adSet, paced.per, now);
      const { limit } = paced;
      const base = await bases.find(pacedBudget(adSet, paced, time), now, async (previous, atMs) => {
        const { balances } = await quotas.check({ ...pacedSource, subject, amount: 0 });
        const used = balances[0]?.used ?? 0;
        // A budget that is new begins now: what its day has behind it is not owed at once.
        if (previous === undefined) return { atMs: now, released: used };
        const least = 2 * mostCharged(adSet);
        return rebase({ limit, ...time, base: previous }, curve.spreadAt(now), { ms: atMs, used, least });
      });
      spread = { limit, ...time, base };
      return withLimit(sources, pacedAt, releasedAt(now, spread, curve.spreadAt(now)));
    },
    retryMs: ({ balances }, amount) => {
      if (!isOwnCurrency) {
        deny(name, 'other currency');
        return undefined;
      }
      const needed = (balances[pacedAt]?.used ?? 0) + amount;
      const isScarce = balances.some(
        ({ remaining }, index) => index !== pacedAt && remaining !== 'unlimited' && remaining < amount,
      );
      if (spread === undefined || isScarce || needed > spread.limit) {
        deny(name, 'budget spent');
        return undefined;
      }
      deny(name, 'ahead of its pace');
      const { least, most } = MONEY_LIMITS.paceMs;
      const now = nowMs();
      return Math.min(most, Math.max(least, (findRelease(needed, spread, curve.spreadAt(now)) ?? Infinity) - now));
    },
  };
}

/** Place of the limit that is spread: -1 for none. */
function pacedLimit({ isEven, limits }: CompiledAdSet['money']): number {
  return isEven ? limits.findIndex(({ limit }) => limit !== 'unlimited') : -1;
}

async function readUse(adSet: CompiledAdSet, budget: Budget, parts: BudgetParts): Promise<readonly LimitUse[]> {
  const { money } = adSet;
  const subject = subjectOf(money);
  const pace = await readPace(adSet, budget, parts);
  const pacedAt = pacedLimit(money);
  return Promise.all(
    sourcesOf(money).map(async (source, at): Promise<LimitUse> => {
      const { balances } = await parts.quotas.check({ ...source, subject, amount: 0 });
      const use = { ...(money.limits[at] as MoneyLimit), used: balances[0]?.used ?? 0 };
      return at === pacedAt && pace !== undefined ? { ...use, pace } : use;
    }),
  );
}

/** Undefined where nothing is spread; also before a day's budget was first asked for. */
async function readPace(
  adSet: CompiledAdSet,
  budget: Budget,
  { bases, traffic, nowMs }: BudgetParts,
): Promise<LimitUse['pace']> {
  const { money, fromMs } = adSet;
  const pacedAt = pacedLimit(money);
  const paced = money.limits[pacedAt];
  if (paced === undefined || paced.limit === 'unlimited') return undefined;
  const now = nowMs();
  const time = spreadTime(adSet, paced.per, now);
  const isFlight = paced.per === 'lifetime' && fromMs < now && fromMs !== -Infinity;
  const base = isFlight ? { released: 0, atMs: fromMs } : await bases.findFirst(pacedBudget(adSet, paced, time));
  if (base === undefined) return undefined;
  const released = (await budget.items())[pacedAt]?.buckets[0]?.limit;
  if (typeof released !== 'number') return undefined;
  const spread = { limit: paced.limit, untilMs: time.untilMs, fromMs: isFlight ? fromMs : time.fromMs, base };
  return { released, expected: releasedAt(now, spread, planCurve(adSet, traffic).planAt(now)) };
}

/** Changes of other limits, as of an account that is topped up, leave the plan of a budget as it is. */
function pacedBudget({ money: { zone }, fromMs, untilMs }: CompiledAdSet, paced: MoneyLimit, time: { fromMs: number }) {
  return {
    bucket: bucketOf(paced),
    version: JSON.stringify([zone, paced.limit, fromMs, untilMs]),
    fromMs: time.fromMs,
  };
}

/** The time that the paced budget is for: a day of the account's zone within the flight, or the flight. */
function spreadTime(
  { money, fromMs, untilMs }: CompiledAdSet,
  per: 'day' | 'lifetime',
  now: number,
): { readonly fromMs: number; readonly untilMs: number } {
  if (per === 'lifetime') return { fromMs: Math.min(now, Math.max(fromMs, now - MONEY_LIMITS.flightMs)), untilMs };
  const day = windowAt({ type: 'calendar', per: 'P1D', zone: money.zone }, undefined, now);
  return { fromMs: Math.max(fromMs, day.fromMs), untilMs: Math.min(untilMs, day.untilMs ?? Infinity) };
}
