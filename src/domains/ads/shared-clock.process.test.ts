import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { openDatabase } from '#kernel/postgres/database.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import { startDatabase } from '#tests/support/database.ts';
import { adRoutes } from './ad-routes.ts';
import { openAdRecords } from './open-ad-records.ts';
import { eventReporter } from './report-event.ts';
import { openRecentBreaks } from './diagnosis/recent-breaks.ts';
import { PermissionCache } from './rules/consent/permission-cache.ts';
import { cappedTable } from './testing/caps-world.ts';
import { adSetsOf } from './testing/money-world.ts';

const HOUR_MS = 3_600_000;
const SHOES = { account: 'acme', campaign: 'acme.c', name: 'acme.shoes', bid: '9.00' };
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };
const FACTS = { hasFeature: () => false, cohortSubject: () => ({ context: {} }) };

/** The records of a node on a database of its own, as a process opens them: without a clock of tests. */
async function startNode() {
  const world = await startDatabase();
  const database = openDatabase(world.url);
  const [log, registry, secret] = [openLog('silent'), new Registry(), Buffer.alloc(32, 7)];
  const quotas = openQuotas({ databases: [database], signer: hmacSigner(secret), log, registry });
  const records = await openAdRecords({
    database,
    quotas,
    clock: undefined,
    secretOf: async () => secret,
    registry,
    log,
  });
  return {
    database,
    records,
    log,
    [Symbol.asyncDispose]: async () => {
      await records.close?.();
      await quotas.close();
      await database.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

test('a node whose clock is wrong neither lifts nor prolongs a cap or a load, and drops no history', async () => {
  await using node = await startNode();
  const { records, log } = node;
  const [decide, explain] = adRoutes({
    ...records,
    random: () => 0,
    permissions: new PermissionCache(),
    recent: openRecentBreaks(() => 0),
    time: new VirtualTime(),
    records,
  });
  assert.ok(decide !== undefined && explain !== undefined);
  const caps = { 'acme.shoes': [{ count: 1, per: 'PT30M', scope: 'listener' as const }] };
  /** A question to a node whose clock is so many hours ahead. */
  const ask = async (route: typeof decide, aheadHours: number, listener: string, load?: object) => {
    const policy = { consent: [{ framework: 'none' }], ...(load === undefined ? {} : { load }) };
    const table = cappedTable([SHOES, TEA], caps, policy);
    const now = Temporal.Now.instant().add({ hours: aheadHours });
    const context = { table, facts: FACTS, now, by: 'test', isTrusted: true, limit: { signal: undefined } };
    const answer = await route.handle({ placement: 'break', listener }, context as never);
    return { table, now, answer: answer as { ads: readonly { adSet: string; token: string }[]; noAds?: string } };
  };
  const servedBy = async (aheadHours: number) =>
    (await ask(decide, aheadHours, 'ann')).answer.ads.map(({ adSet }) => adSet.replace('default/', ''));

  const { table, answer } = await ask(decide, -1, 'ann');
  const [shoes] = answer.ads;
  assert.equal(shoes?.adSet, 'default/acme.shoes');
  assert.deepEqual(await servedBy(26), ['bolt.tea'], 'the ad may still play');
  const now = Temporal.Now.instant().subtract({ hours: 2 });
  await eventReporter(records, log)({ event: 'impression', token: shoes.token }, { table, now, facts: FACTS as never });
  for (const aheadHours of [0, 1]) assert.deepEqual(await servedBy(aheadHours), ['bolt.tea']);
  const { answer: explained } = await ask(explain, 1, 'ann');
  assert.ok(JSON.stringify(explained).includes('frequency cap'), JSON.stringify(explained));

  const load = { gapSeconds: 3_000 };
  assert.equal((await ask(decide, 1, 'bob', load)).answer.noAds, undefined);
  for (const aheadHours of [0, 2]) assert.equal((await ask(decide, aheadHours, 'bob', load)).answer.noAds, 'adLoad');

  await records.tidy?.(Temporal.Now.instant().add({ hours: 24 * 40 }));
  const rows = await node.database.query('select key from backline.ad_histories');
  assert.equal(rows.length, 2);
});

test('budgets are paced by the time of the database', async (t) => {
  const right = Date.now;
  t.mock.method(Date, 'now', () => right() + HOUR_MS);
  await using node = await startNode();
  const adSet = adSetsOf({ adSets: { s: { pacing: 'even', budget: { daily: '96.00' } } } })('s');
  await node.records.money.reserve(adSet, 1_000_000);
  const paced = await node.database.query<{ isNow: boolean }>(
    `select from_at between now() - interval '1 minute' and now() + interval '1 minute' as "isNow" from backline.ad_pacing`,
  );
  assert.deepEqual(paced, [{ isNow: true }]);
});
