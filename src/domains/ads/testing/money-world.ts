import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase, type Database } from '#kernel/postgres/database.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { startQuotasWorld } from '#kernel/quotas/testing/quotas-world.ts';
import type { CompiledAdSet } from '../decisions/table.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Campaign } from '../kinds/campaign.ts';
import type { Reservation } from '../money/money.ts';
import { openMoney, type OpenMoney } from '../money/open-money.ts';
import { adSetNamed } from '../decisions/ad-sets.ts';
import { live, tableOf } from './world.ts';

/** Budgets of one account `a` on a database of their own, a clock that the test sets, and any number of nodes. */
export interface MoneyWorld extends AsyncDisposable {
  readonly database: Database;
  readonly now: () => Temporal.Instant;
  readonly pass: (duration: Temporal.DurationLike) => void;
  /** Another process. */
  readonly open: () => MoneyNode;
  /** An event that charges a reservation; false where it came too late. */
  readonly charge: (reservation: Reservation) => boolean;
  /** Use by bucket, as the ledger has it. */
  readonly readUse: () => Promise<Readonly<Record<string, number>>>;
}

/** A process with budgets. */
export interface MoneyNode extends OpenMoney {
  /** Ends it as SIGKILL does: nothing of it reaches the database any more. */
  readonly kill: () => Promise<void>;
}

export async function startMoneyWorld(start: string): Promise<MoneyWorld> {
  const quotas = await startQuotasWorld();
  let now = Temporal.Instant.from(start);
  quotas.at(start);
  const evidence = new Map<string, number>();
  const opened: OpenMoney[] = [];
  const databases: Database[] = [];
  return {
    database: quotas.database,
    now: () => now,
    pass: (duration) => {
      now = now.add(duration);
      quotas.pass(duration);
    },
    open: () => {
      const database = openDatabase(quotas.url);
      const money = openMoney({
        database,
        quotas: openQuotas({
          databases: [database],
          clock: () => now,
          signer: hmacSigner(Buffer.alloc(32, 7)),
          log: openLog('silent'),
          registry: new Registry(),
        }),
        evidenceOf: async (slices) => new Map(slices.map((slice) => [slice, evidence.get(slice) ?? 0])),
        clock: () => now,
        steadyMs: () => now.epochMilliseconds,
        log: openLog('silent'),
      });
      opened.push(money);
      databases.push(database);
      return { ...money, kill: () => database.close() };
    },
    charge: ({ slice, micros, untilMs }) => {
      if (now.epochMilliseconds >= untilMs) return false;
      evidence.set(slice, (evidence.get(slice) ?? 0) + micros);
      return true;
    },
    readUse: async () => {
      const rows = await quotas.database.query<{ bucket: string; window: string; used: number }>(
        'select bucket, window_key as window, used from backline.quota_counters order by bucket, window_key',
      );
      return Object.fromEntries(
        rows.map(({ bucket, window, used }) => [
          window === 'lifetime' ? bucket.replaceAll('default/', '') : `${bucket.replaceAll('default/', '')} ${window}`,
          used,
        ]),
      );
    },
    [Symbol.asyncDispose]: async () => {
      for (const money of opened) await money.close();
      for (const database of databases) await database.close();
      await quotas[Symbol.asyncDispose]();
    },
  };
}

/** Specs of the account, its campaign and ad sets, as far as money goes. */
export interface MoneySpecs {
  readonly account?: object;
  readonly campaign?: object;
  readonly adSets: Readonly<Record<string, object>>;
}

/** Compiles ad sets, by their names without the account's. */
export function adSetsOf({ account = {}, campaign = {}, adSets }: MoneySpecs): (name: string) => CompiledAdSet {
  const table = tableOf([
    live(Advertiser, 'a', { currency: 'EUR', zone: 'UTC', ...account }),
    live(Campaign, 'a.c', { account: 'a', ...campaign }),
    ...Object.entries(adSets).map(([name, spec]) =>
      live(AdSet, `a.${name}`, {
        account: 'a',
        campaign: 'a.c',
        tier: 'auction',
        position: 'any',
        goal: 'cpm',
        bid: '1000.00',
        pacing: 'asap',
        ...spec,
      }),
    ),
  ]);
  return (name) => {
    const adSet = adSetNamed(table, `default/a.${name}`);
    assert.ok(adSet !== undefined);
    return adSet;
  };
}

/** Reserves one impression after the other until three in a row find no room. */
export async function reserveAll(
  money: OpenMoney,
  adSet: CompiledAdSet,
  micros: number,
): Promise<readonly Reservation[]> {
  const all: Reservation[] = [];
  for (let denials = 0; denials < 5;) {
    const reservation = money.prepare(adSet) === undefined ? await money.reserve(adSet, micros) : undefined;
    if (reservation !== undefined) all.push(reservation);
    else {
      denials += 1;
      await money.settle();
    }
  }
  return all;
}
