import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ad } from './kinds/ad.ts';
import { AdPolicy } from './kinds/ad-policy.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { Asset } from './kinds/asset.ts';
import { Campaign } from './kinds/campaign.ts';
import { ExchangeRate } from './kinds/exchange-rate.ts';
import { Placement } from './kinds/placement.ts';
import { startAdNode } from './testing/ad-node.ts';
import { live, tableOf } from './testing/world.ts';

const START = Temporal.Instant.from('2026-11-30T12:00:00Z');

/** One ad set whose impressions cost 1.00, of an account in this currency. */
function tableIn(currency: string) {
  return tableOf([
    live(AdPolicy, 'all', { consent: [{ framework: 'none' }] }),
    live(ExchangeRate, 'usd-eur', { base: 'USD', quote: 'EUR', rates: [{ from: '2026-01-01', rate: '0.5' }] }),
    live(Placement, 'break', {
      format: 'audio',
      slots: 1,
      seconds: 30,
      currency: 'EUR',
      pricing: 'firstPrice',
      policy: 'all',
      adFreeFeature: 'ad-free',
    }),
    live(Advertiser, 'acme', { currency, zone: 'UTC', budget: { lifetime: '900.00' } }),
    live(Campaign, 'acme.c', { account: 'acme' }),
    live(AdSet, 'acme.s', {
      account: 'acme',
      campaign: 'acme.c',
      tier: 'auction',
      position: 'any',
      goal: 'cpm',
      bid: '1000.00',
    }),
    live(Asset, 'acme.f', {
      account: 'acme',
      format: 'audio',
      seconds: 30,
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    }),
    live(Ad, 'acme.a', { account: 'acme', adSet: 'acme.s', asset: 'acme.f', weight: 1 }),
  ]);
}

test('an account that is declared again in another currency spends nothing of its ledger', async () => {
  let now = START;
  await using node = await startAdNode(() => now);
  const [euros, dollars] = ['EUR', 'USD'].map(tableIn);
  assert.ok(euros !== undefined && dollars !== undefined);
  const ask = async (table: typeof euros) =>
    (await node.ask('/v1/ads/decide', { placement: 'break', listener: 'ann' }, { table, now })).ads;
  const report = (token: string, table: typeof euros) => node.report('impression', token, { table, now });
  const states = async () =>
    (await node.database.query<{ state: string }>('select state from backline.ad_deliveries order by state')).map(
      ({ state }) => state,
    );
  /** A budget that was denied, or not known in time, is fetched behind the answer, and again after a second. */
  const askUntilAd = async () => {
    for (let tries = 0; tries < 5; tries += 1) {
      const [ad] = await ask(euros);
      if (ad !== undefined) return ad;
      await node.records.money.settle();
      now = now.add({ seconds: 1 });
    }
    throw new Error('no break has an ad');
  };
  const late = await askUntilAd();
  const soon = await askUntilAd();

  for (let asked = 0; asked < 3; asked += 1) {
    assert.deepEqual(await ask(dollars), []);
    now = now.add({ seconds: 2 });
  }
  const { reasons } = await node.ask(
    '/v1/ads/explain',
    { placement: 'break', listener: 'ann' },
    { table: dollars, now },
  );
  assert.deepEqual(
    reasons?.map(({ reason }) => reason),
    ['other currency'],
  );
  // In time it is charged to its reservation, in euros; later there is nothing to charge.
  assert.equal(await report(soon.token, dollars), 'counted');
  now = now.add({ minutes: 20 });
  assert.equal(await report(late.token, dollars), 'counted');
  await node.records.deliveries.settle();
  assert.deepEqual(await states(), ['charged', 'free']);

  assert.match((await askUntilAd()).adSet, /acme\.s$/, 'its own currency again');
});
