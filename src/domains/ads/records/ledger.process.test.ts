import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { startQuotasWorld } from '#kernel/quotas/testing/quotas-world.ts';
import type { CompiledAdSet } from '../decisions/table.ts';
import { openMoney } from '../money/open-money.ts';
import { newDecisionId, TOKEN_LIMITS, type AdToken } from '../serving/ad-token.ts';
import { adSetsOf } from '../testing/money-world.ts';
import { openDeliveries, readEvidence } from './deliveries.ts';
import { ledgerReader, type LedgerRow } from './ledger.ts';

const START = '2026-11-30T12:00:00Z';
const ACCOUNT = 'default/a';

/** Budgets and events of ads, on one database and two nodes, with the real evidence of the events. */
async function startStage() {
  const world = await startQuotasWorld();
  let now = Temporal.Instant.from(START);
  world.at(START);
  const log = openLog('silent');
  const open = () => {
    const database = openDatabase(world.url);
    const quotas = openQuotas({
      databases: [database],
      clock: () => now,
      signer: hmacSigner(Buffer.alloc(32, 7)),
      log,
      registry: new Registry(),
    });
    const evidenceOf = (slices: readonly string[]) => readEvidence(database, slices);
    const money = openMoney({
      database,
      quotas,
      evidenceOf,
      clock: () => now,
      steadyMs: () => now.epochMilliseconds,
      log,
    });
    const deliveries = openDeliveries({
      database,
      clock: () => now,
      chargeLate: money.chargeLate,
      secret: Buffer.alloc(32, 7),
      log,
    });
    return { database, quotas, money, deliveries };
  };
  const nodes = [open(), open()] as const;
  const readLedger = ledgerReader({ database: world.database, quotas: world.quotas });
  return {
    database: world.database,
    nodes,
    pass: (duration: Temporal.DurationLike) => {
      now = now.add(duration);
      world.pass(duration);
    },
    /** An ad with its money reserved, as a decision answers it. */
    serve: async (node: 0 | 1, adSet: CompiledAdSet, micros: number): Promise<AdToken> => {
      const reservation = await nodes[node].money.reserve(adSet, micros);
      assert.ok(reservation !== undefined);
      return tokenOf(adSet, reservation, now.epochMilliseconds);
    },
    readLedger,
    /** The row of the lifetime of an ad set or the account. */
    rowOf: async (owner: string): Promise<LedgerRow> => {
      const rows = await readLedger({ account: ACCOUNT, after: undefined });
      const row = rows.find(({ bucket }) => bucket === `${owner} lifetime`);
      assert.ok(row !== undefined, owner);
      return row;
    },
    /** The charges that the event log gets, see `logDeliveries`. */
    readCharges: async (adSet: string): Promise<number> => {
      const [row] = await world.database.query<{ micros: number }>({
        text: `select coalesce(sum(micros), 0)::bigint as micros from backline.ad_deliveries
          where state = 'charged' and token ->> 'adSet' = $1`,
        values: [adSet],
      });
      return row?.micros ?? 0;
    },
    [Symbol.asyncDispose]: async () => {
      for (const { database, quotas, money, deliveries } of nodes) {
        await deliveries.close().catch(() => {});
        await money.close();
        await quotas.close();
        await database.close();
      }
      await world[Symbol.asyncDispose]();
    },
  };
}

function tokenOf(
  adSet: CompiledAdSet,
  reservation: { readonly slice: string; readonly micros: number; readonly untilMs: number },
  nowMs: number,
): AdToken {
  return {
    decision: newDecisionId(),
    place: 0,
    ad: `${adSet.name}.ad`,
    adSet: adSet.name,
    campaign: adSet.campaign,
    advertiser: adSet.advertiser,
    placement: 'break',
    subject: {},
    adFreeFeature: 'ad-free',
    goal: 'cpm',
    micros: reservation.micros,
    currency: 'EUR',
    slice: reservation.slice,
    reservedUntilMs: reservation.untilMs,
    issuedMs: nowMs,
    expiresMs: nowMs + TOKEN_LIMITS.lifetimeMs,
    seconds: 30,
    mayProfile: false,
  };
}

test('the ledger has what events charge at every moment: in time, late, free, and of a node that died', async () => {
  await using stage = await startStage();
  const find = adSetsOf({ adSets: { s: {}, t: { budget: { lifetime: '0.05' } } } });
  const [s, t] = [find('s'), find('t')];
  const play = (token: AdToken, adSet: CompiledAdSet) =>
    stage.nodes[1].deliveries.count({ token, event: 'impression', money: adSet.money });
  const verify = async (where: string): Promise<void> => {
    for (const { name } of [s, t]) {
      const row = await stage.rowOf(`adset ${name}`);
      assert.equal(row.charged, await stage.readCharges(name), `${where}: ${name}`);
      assert.ok(row.reserved <= row.used, `${where}: ${name}`);
    }
  };

  const inTime = await stage.serve(0, s, 12_500);
  const [never, late, lateToo] = [
    await stage.serve(1, s, 12_500),
    await stage.serve(0, s, 7_000),
    await stage.serve(1, t, 40_000),
  ];
  await verify('after the decisions');
  assert.ok((await stage.rowOf(`adset ${s.name}`)).reserved > 0);

  assert.equal(await play(inTime, s), 'counted');
  await verify('after an impression, its slice open');
  const open = await stage.rowOf(`adset ${s.name}`);
  assert.deepEqual([open.charged, open.unlogged, open.reserved === open.used], [12_500, 12_500, true]);

  // Its node dies with open slices: another one settles them.
  await stage.nodes[0].database.close();
  stage.pass({ minutes: 20 });
  await stage.nodes[1].money.settle();
  stage.pass({ minutes: 20 });
  while ((await stage.nodes[1].money.settle()) > 0);
  await verify('after the slices ended');
  const settled = await stage.rowOf(`adset ${s.name}`);
  assert.deepEqual(
    [settled.used, settled.reserved, settled.charged],
    [12_500, 0, 12_500],
    `${never.ad} was never played`,
  );

  // The budget of t has room for one late event of 40,000, and none for the next.
  const second = { ...lateToo, decision: newDecisionId() };
  for (const [token, adSet] of [
    [late, s],
    [lateToo, t],
    [second, t],
  ] as const)
    assert.equal(await play(token, adSet), 'counted');
  assert.equal((await stage.rowOf(`adset ${t.name}`)).unlogged, 80_000, 'late events may be charged');
  await stage.nodes[1].deliveries.settle();
  await verify('after late events');
  assert.equal((await stage.rowOf(`adset ${t.name}`)).charged, 40_000);
  assert.equal((await stage.rowOf(`adset ${s.name}`)).charged, 19_500);
  assert.equal((await stage.rowOf('account default/a')).used, 59_500);

  // A change by hand is seen.
  await stage.database.query(
    `update backline.ad_deliveries set micros = micros + 1 where state = 'charged' and micros = 7000`,
  );
  await assert.rejects(verify('after a change by hand'));
});

test('pages of the ledger follow each other', async () => {
  await using stage = await startStage();
  const find = adSetsOf({ adSets: { s: {}, t: {} } });
  await stage.serve(0, find('s'), 10);
  await stage.serve(0, find('t'), 10);
  const all = await stage.readLedger({ account: ACCOUNT, after: undefined });
  assert.equal(all.length, 8, 'day and lifetime of two ad sets, the campaign and the account');
  for (const [at, row] of all.entries()) {
    assert.deepEqual(await stage.readLedger({ account: ACCOUNT, after: row }), all.slice(at + 1));
  }
  assert.deepEqual(await stage.readLedger({ account: 'default/b', after: undefined }), []);
});
