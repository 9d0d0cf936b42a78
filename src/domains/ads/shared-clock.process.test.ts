import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdNode } from './testing/ad-node.ts';
import { cappedTable } from './testing/caps-world.ts';
import { adSetsOf } from './testing/money-world.ts';

const HOUR_MS = 3_600_000;
const SHOES = { account: 'acme', campaign: 'acme.c', name: 'acme.shoes', bid: '9.00' };
const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };

test('a node whose clock is wrong neither lifts nor prolongs a cap or a load, and drops no history', async () => {
  await using node = await startAdNode();
  const caps = { 'acme.shoes': [{ count: 1, per: 'PT30M', scope: 'listener' as const }] };
  const tableOf = (load?: object) =>
    cappedTable([SHOES, TEA], caps, { consent: [{ framework: 'none' }], ...(load === undefined ? {} : { load }) });
  const table = tableOf();
  /** To a node whose clock is so many hours ahead. */
  const ahead = (hours: number) => ({ table, now: Temporal.Now.instant().add({ hours }) });
  const ann = { placement: 'break', listener: 'ann' };
  const servedBy = async (hours: number) =>
    (await node.ask('/v1/ads/decide', ann, ahead(hours))).ads.map(({ adSet }) => adSet.replace('default/', ''));

  const [shoes] = (await node.ask('/v1/ads/decide', ann, ahead(-1))).ads;
  assert.equal(shoes?.adSet, 'default/acme.shoes');
  assert.deepEqual(await servedBy(26), ['bolt.tea'], 'the ad may still play');
  assert.equal(await node.report('impression', shoes.token, ahead(-2)), 'counted');
  for (const hours of [0, 1]) assert.deepEqual(await servedBy(hours), ['bolt.tea']);
  const { reasons } = await node.ask('/v1/ads/explain', ann, ahead(1));
  assert.ok(reasons?.some(({ reason }) => reason === 'frequency cap'));

  const loaded = { table: tableOf({ gapSeconds: 3_000 }) };
  const noAds = async (hours: number) =>
    (await node.ask('/v1/ads/decide', { placement: 'break', listener: 'bob' }, { ...ahead(hours), ...loaded })).noAds;
  assert.deepEqual([await noAds(1), await noAds(0), await noAds(2)], [undefined, 'adLoad', 'adLoad']);

  await node.records.tidy?.(Temporal.Now.instant().add({ hours: 24 * 40 }));
  const rows = await node.database.query('select key from backline.ad_histories');
  assert.equal(rows.length, 2);
});

test('budgets are paced by the time of the database', async (t) => {
  const right = Date.now;
  t.mock.method(Date, 'now', () => right() + HOUR_MS);
  await using node = await startAdNode();
  const adSet = adSetsOf({ adSets: { s: { pacing: 'even', budget: { daily: '96.00' } } } })('s');
  await node.records.money.reserve(adSet, 1_000_000);
  const paced = await node.database.query<{ isNow: boolean }>(
    `select from_at between now() - interval '1 minute' and now() + interval '1 minute' as "isNow" from backline.ad_pacing`,
  );
  assert.deepEqual(paced, [{ isNow: true }]);
});
