import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColors } from 'picocolors';
import { accountTree, type AccountObjects } from './account-tree.ts';
import { treeText } from './tree-text.ts';

const objectNamed = <Spec>(name: string, spec: Spec) => ({ metadata: { name }, spec });
const adSet = (more: object = {}) => ({ campaign: 'acme.c', tier: 'auction', goal: 'cpm', bid: '9.00', ...more });

const OBJECTS: AccountObjects = {
  advertiser: objectNamed('acme', { currency: 'EUR', title: 'Acme Shoes' }),
  campaigns: [objectNamed('acme.c', { paused: true }), objectNamed('acme.d', {})],
  adSets: [
    objectNamed('acme.runs', adSet({ campaign: 'acme.d' })),
    objectNamed('acme.halted', adSet({ audience: 'joggers' })),
    objectNamed('acme.later', adSet({ campaign: 'acme.gone', from: '2026-12-01T00:00:00Z' })),
    objectNamed('acme.former', adSet({ campaign: 'acme.d', audience: 'known', until: '2026-11-30T12:00:00Z' })),
  ],
  ads: [
    objectNamed('acme.a', { adSet: 'acme.runs', asset: 'acme.f', companion: 'acme.p' }),
    objectNamed('acme.b', { adSet: 'acme.halted', asset: 'acme.nowhere' }),
    objectNamed('acme.e', { adSet: 'acme.former', asset: 'acme.f' }),
    objectNamed('acme.x', { adSet: 'acme.former', asset: 'acme.f', paused: true }),
    objectNamed('acme.s', { adSet: 'acme.none', asset: 'acme.f' }),
  ],
  assets: [
    objectNamed('acme.f', { format: 'audio', seconds: 30 }),
    objectNamed('acme.p', { format: 'image' }),
    objectNamed('acme.z', { format: 'image' }),
  ],
};
const NOON = Temporal.Instant.from('2026-11-30T12:00:00Z');

test('a tree shows each ad set with every reason for which it is served to nobody', () => {
  const tree = accountTree(OBJECTS, new Set(['known']), NOON);
  assert.equal(
    treeText([tree], createColors(false)),
    `NAME                   KIND                          STATE
acme                   advertiser, EUR, Acme Shoes   active
  acme.c               campaign                      paused
    acme.halted        ad set, auction, 9.00 cpm     not served: campaign paused, audience missing, no ad
      acme.b           ad                            active
        acme.nowhere   asset                         not declared
  acme.d               campaign                      active
    acme.runs          ad set, auction, 9.00 cpm     may be served
      acme.a           ad                            active
        acme.f         asset, audio, 30 s            declared
    acme.former        ad set, auction, 9.00 cpm     not served: over
      acme.e           ad                            active
        acme.f         asset, audio, 30 s            declared
      acme.x           ad                            paused
        acme.f         asset, audio, 30 s            declared
  acme.gone            campaign                      not declared
    acme.later         ad set, auction, 9.00 cpm     not served: campaign missing, no ad, not begun
  acme.s               ad                            not served: acme.none is not declared
  acme.z               asset                         no ad plays it`,
  );
});

test('a suspended advertiser halts all of its ad sets', () => {
  const advertiser = objectNamed('acme', { currency: 'EUR', suspended: { reason: 'unpaid' } });
  const tree = accountTree({ ...OBJECTS, advertiser }, new Set(['known', 'joggers']), NOON);
  const halts = tree.campaigns.flatMap(({ adSets }) => adSets.map((one) => one.halts));
  assert.ok(halts.every((reasons) => reasons.includes('advertiser suspended')));
  assert.match(treeText([tree], createColors(false)), /^acme +advertiser, EUR +suspended: unpaid$/m);
});
