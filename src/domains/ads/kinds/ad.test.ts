import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ad } from './ad.ts';
import { Advertiser } from './advertiser.ts';
import { AdSet } from './ad-set.ts';
import { Asset } from './asset.ts';
import { Campaign } from './campaign.ts';
import { adSetNamed } from '../decisions/ad-sets.ts';
import { live, tableOf } from '../testing/world.ts';

const NOW = Temporal.Instant.from('2026-11-30T12:00:00Z');
const specOf = (clickThrough: string) => ({ account: 'a', adSet: 'a.s', asset: 'a.f', weight: 1, clickThrough });

/** The problem of a page, or the address that is served for it. */
function pageOf(clickThrough: string): string | undefined {
  const spec = specOf(clickThrough);
  const [problem] = Ad.validate?.(spec, { now: NOW, name: 'default/a.a', find: () => [] }) ?? [];
  if (problem !== undefined) return `${problem.path.join('.')}: ${problem.detail}`;
  return servedPage(spec);
}

function servedPage(spec: object): string | undefined {
  const table = tableOf([
    live(Advertiser, 'a', { currency: 'EUR' }),
    live(Campaign, 'a.c', { account: 'a' }),
    live(AdSet, 'a.s', { account: 'a', campaign: 'a.c', bid: '1.00', goal: 'cpm', tier: 'auction', position: 'any' }),
    live(Asset, 'a.f', { account: 'a', format: 'image', renditions: [] }),
    live(Ad, 'a.a', spec),
  ]);
  return adSetNamed(table, 'default/a.s')?.ads[0]?.clickThrough;
}

test('a page is served as a header can hold it', () => {
  assert.equal(pageOf('https://example.com/spring?a=1&b=2'), 'https://example.com/spring?a=1&b=2');
  assert.equal(
    pageOf('https://example.com/müsik?q=日本#ß'),
    'https://example.com/m%C3%BCsik?q=%E6%97%A5%E6%9C%AC#%C3%9F',
  );
  assert.equal(pageOf('https://müsik.example/'), 'https://xn--msik-0ra.example/');
  assert.equal(pageOf('https://example.com/m%C3%BCsik'), 'https://example.com/m%C3%BCsik');
});

test('a page that no browser can open is refused with its place', () => {
  assert.match(
    pageOf('https://example.com:99999/') ?? '',
    /^spec\.clickThrough: "https:\/\/example\.com:99999\/" is no URL/,
  );
  assert.match(pageOf('https://256.256.256.256/') ?? '', /is no URL/);
  assert.match(pageOf('https://shop@evil.example/') ?? '', /names no user/);
  assert.match(
    pageOf(`https://example.com/${'ü'.repeat(400)}`) ?? '',
    /has 2420 characters once it is percent-encoded/,
  );
  // One that was accepted before is no page, and breaks no table.
  assert.equal(servedPage(specOf('https://example.com:99999/')), undefined);
});
