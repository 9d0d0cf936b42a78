import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { Ad } from './kinds/ad.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { Asset } from './kinds/asset.ts';
import { Campaign } from './kinds/campaign.ts';
import { Placement } from './kinds/placement.ts';
import { serveBreak, type ServedTo } from './serve-break.ts';
import { startCapsNodes } from './testing/caps-world.ts';
import { startMoneyWorld } from './testing/money-world.ts';
import { askBreak, live, tableOf } from './testing/world.ts';

const START = '2026-11-30T12:00:00Z';

test('tokens that cannot be sealed spend no money and no exposure', async () => {
  await using world = await startMoneyWorld(START);
  await using caps = await startCapsNodes();
  const [histories] = caps.nodes;
  const money = world.open();
  const table = tableOf([
    live(Placement, 'break', {
      format: 'image',
      slots: 1,
      currency: 'EUR',
      pricing: 'firstPrice',
      policy: 'standard',
      adFreeFeature: 'ad-free',
    }),
    live(Advertiser, 'a', { currency: 'EUR' }),
    live(Campaign, 'a.c', { account: 'a' }),
    // Money for one impression, and one exposure.
    live(AdSet, 'a.s', {
      account: 'a',
      campaign: 'a.c',
      bid: '1000.00',
      goal: 'cpm',
      tier: 'auction',
      position: 'any',
      pacing: 'asap',
      budget: { lifetime: '1.00' },
      frequencyCaps: [{ count: 1, per: 'P1D', scope: 'listener' }],
    }),
    live(Asset, 'a.f', { account: 'a', format: 'image', renditions: [] }),
    live(Ad, 'a.a', { account: 'a', adSet: 'a.s', asset: 'a.f', weight: 1 }),
  ]);
  const ask = (decision: string, issueTokens: ServedTo['issueTokens']) =>
    serveBreak(
      table,
      askBreak(table, { nowMs: Temporal.Instant.from(START).epochMilliseconds }),
      { money, histories, time: new VirtualTime() },
      { decision, subject: { listener: 'ann' }, issueTokens },
    );
  const failing: ServedTo['issueTokens'] = ([ad]) => {
    assert.ok(ad !== undefined);
    throw new Error('no entropy');
  };
  await assert.rejects(ask('d1', failing), { message: 'no entropy' });
  const { served, tokens } = await ask('d2', () => ['sealed']);
  assert.deepEqual([served.length, tokens], [1, ['sealed']]);
  assert.equal((await ask('d3', () => [])).served.length, 0, 'there was money and room for one');
});
